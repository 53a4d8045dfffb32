/* What auth_query has answered lately, and who waits for what it has not answered yet. Control loop only.
 *
 * An answer of FOUND_TTL_MS serves other logins. "Unknown" is not believed for long: a role may have been created a
 * moment ago, so each login asks again, unless so many do that the server must be spared. */
#ifndef PGWEIR_LOOKUP_CACHE_H
#define PGWEIR_LOOKUP_CACHE_H

#include "lookup.h"
#include "pgweir/list.h"

enum {
	LOOKUP_FOUND_TTL_MS = 10000,
	LOOKUP_UNKNOWN_TTL_MS = 2000,           /* Only where the limit of repeated questions is reached. */
	LOOKUP_ANEW_MS = 1000,                  /* An answer younger than this is not asked for anew. */
	LOOKUP_REPEATS_PER_SECOND = 100,        /* Questions per source whose answer is known already. */
	LOOKUP_USERS_MAX = 4096,                /* Per source. */
	LOOKUP_WAITING_MAX = 10000,             /* Per source. */
	LOOKUP_SOURCES_MAX = 64,
	LOOKUP_IDLE_MS = 60000,                 /* After that a source is closed and its answers are forgotten. */
};

/* One who waits. Embedded; `question` stays the owner's. */
struct lookup_waiter {
	struct list link;
	const struct lookup_request *request;
	/* Once, possibly from within lookup_cache_ask(). The answer lives only during the call. */
	void (*answered)(struct lookup_waiter *waiter, const struct lookup_answer *answer);
};

struct lookup_cache;

struct lookup_cache *lookup_cache_new(struct loop *control) MUST_USE;
void lookup_cache_free(struct lookup_cache **cache);    /* NULL is fine. Who waits is answered that it failed. */
void lookup_cache_ask(struct lookup_cache *cache, struct lookup_waiter *waiter);

#endif
