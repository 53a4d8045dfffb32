/* What has been asked of a server connection and not been answered yet, in order.
 *
 * PostgreSQL answers in the order of asking, so that the reply at hand always belongs to the first request here. After
 * an ErrorResponse in the extended protocol the server skips everything up to the next Sync ("Extended Query" in the
 * PostgreSQL documentation), and so do we. */
#ifndef PGWEIR_REQUESTS_H
#define PGWEIR_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/statement.h"

enum request_kind {
	REQUEST_NONE,           /* Nothing is outstanding. */
	REQUEST_QUERY,
	REQUEST_FUNCTION_CALL,
	REQUEST_PARSE,
	REQUEST_BIND,
	REQUEST_DESCRIBE,
	REQUEST_EXECUTE,
	REQUEST_CLOSE,
	REQUEST_SYNC,
	REQUEST_COPY_END,       /* CopyDone or CopyFail; has no answer of its own. */
	REQUEST_LOCAL_PARSE, REQUEST_LOCAL_CLOSE,       /* Answered by us in their turn: the server has not been asked. */
};

#define REQUEST_BIT(kind) (1u << (kind))
/* Those whose batch ends with a Sync, and those at whose end the server says ReadyForQuery. */
#define REQUESTS_BEFORE_SYNC (REQUEST_BIT(REQUEST_PARSE) | REQUEST_BIT(REQUEST_BIND) | REQUEST_BIT(REQUEST_DESCRIBE) \
	| REQUEST_BIT(REQUEST_EXECUTE) | REQUEST_BIT(REQUEST_CLOSE))
#define REQUESTS_MADE_READY (REQUEST_BIT(REQUEST_QUERY) | REQUEST_BIT(REQUEST_FUNCTION_CALL) | REQUEST_BIT(REQUEST_SYNC))

enum {
	REQUEST_INJECTED = 1,   /* Ours: the client does not see the answer. */
	REQUEST_SETUP = 2,      /* Injected, and what follows must not run if it fails. */
	REQUEST_UNNAMED = 4,    /* Parse or Close of the unnamed statement. */
	REQUEST_READ = 8,       /* Ours, and its rows are for the owner's row(). */
	REQUEST_TRY = 16,       /* Injected; it may fail. */
	REQUEST_REFUSED = 32,   /* Stands for one of the client's that we refuse; it fails. */
	REQUEST_LISTEN = 64,    /* Ours, about channels (session/listen.c). */
	REQUEST_SETTINGS = 128, /* Of the setup that puts settings in force. */
};

enum unnamed_before { UNNAMED_NONE, UNNAMED_ELSEWHERE, UNNAMED_HERE };  /* Has the client one? Has this connection? */

struct request {
	uint8_t kind, flags;
	uint8_t refusal;                /* Which error of ours takes the place of the server's. */
	uint8_t unnames;                /* enum unnamed_before: what there was ahead of it. */
	struct statement_name *name;    /* A tracked statement, or what a Parse of the unnamed one replaces. A reference, or NULL. */
};

struct requests {
	struct request *ring;
	uint32_t capacity;              /* A power of two. */
	uint32_t head, count;
	uint32_t syncs, naming;         /* How many of them are Syncs; how many give a name, or take one away. */
};

void requests_fini(struct requests *requests);
static inline uint32_t requests_count(const struct requests *requests) { return requests->count; }

/* The i-th oldest; `i` below the count. */
static inline struct request *requests_at(const struct requests *requests, uint32_t i)
{
	return &requests->ring[(requests->head + i) & (requests->capacity - 1)];
}

/* The newest, if there is any. */
static inline struct request *requests_last(const struct requests *requests) { return requests_at(requests, requests->count - 1); }

/* The oldest; one of kind REQUEST_NONE if there is none. */
extern const struct request requests_none;
static inline const struct request *requests_first(const struct requests *requests)
{
	return requests->count ? &requests->ring[requests->head] : &requests_none;
}

static inline enum request_kind requests_first_kind(const struct requests *requests)
{
	return (enum request_kind)requests_first(requests)->kind;
}

static inline bool request_names(const struct request *request)
{
	return request->name && request->kind != REQUEST_BIND && request->kind != REQUEST_DESCRIBE && !(request->flags & REQUEST_UNNAMED);
}

void requests_grow(struct requests *requests);
static inline void requests_push(struct requests *requests, enum request_kind kind, uint8_t flags, struct statement_name *name)
{
	if (requests->count == requests->capacity)
		requests_grow(requests);
	struct request *last = requests_at(requests, requests->count++);

	*last = (struct request){ .kind = (uint8_t)kind, .flags = flags, .name = name ? statement_name_ref(name) : NULL };
	requests->syncs += kind == REQUEST_SYNC;
	requests->naming += request_names(last);
}

/* Releases the first one's reference. */
static inline void requests_pop(struct requests *requests)
{
	struct request *first = &requests->ring[requests->head];

	CHECK(requests->count);
	requests->syncs -= first->kind == REQUEST_SYNC;
	requests->naming -= request_names(first);
	if (first->name)
		statement_name_unref(&first->name);
	requests->head = (requests->head + 1) & (requests->capacity - 1);
	requests->count--;
}

void requests_remove(struct requests *requests, uint32_t i);
/* How many stand before the next Sync that the server will see, or all if there is none. */
uint32_t requests_until_sync(const struct requests *requests);

#endif
