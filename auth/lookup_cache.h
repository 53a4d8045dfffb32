/* What auth_query has answered lately, and who waits for what it has not answered yet. Control loop only.
 *
 * What is known is asked again for each login, unless so many log in that the server must be spared, or it does not answer:
 * a role may have been created a moment ago, and a password that has changed has another salt, which cannot be put right once a
 * client has begun its exchange. */
#ifndef PGWEIR_LOOKUP_CACHE_H
#define PGWEIR_LOOKUP_CACHE_H

#include "lookup.h"
#include "pgweir/list.h"

enum {
	LOOKUP_FOUND_TTL_MS = 10000,            /* Only where the limit of repeated questions is reached, or the server fails. */
	LOOKUP_UNKNOWN_TTL_MS = 2000,           /* The same, but for the failure. */
	LOOKUP_FRESH_MS = 50,                   /* An answer younger than this is not asked for anew. */
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
/* A secret has another value: connections that have logged in with one that is gone are closed. */
void lookup_cache_secrets_changed(struct lookup_cache *cache);
void lookup_cache_ask(struct lookup_cache *cache, struct lookup_waiter *waiter);

#endif
