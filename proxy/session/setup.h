/* What puts a session's state in force on a server connection that is in another one. */
#ifndef PGWEIR_SETUP_H
#define PGWEIR_SETUP_H

#include "pgweir/buf.h"
#include "pgweir/check.h"
#include "pgweir/requests.h"

struct parameters;
struct session;
struct setup_cache;
struct state;

/* One per worker. */
struct setup_cache *setup_cache_new(void) MUST_USE;
void setup_cache_free(struct setup_cache *cache);       /* NULL is fine. */

/* Ahead of the client's message, in the same packet. */
void setup_put(struct session *session);
/* A server has taken the settings. */
void setup_confirmed(struct session *session);

/* --- setup_batch.c: the same as a batch without a Sync --- */

struct setup_statements;                                /* One per worker. */
struct setup_statements *setup_statements_new(void) MUST_USE;
void setup_statements_free(struct setup_statements *statements);

struct setup_batch {
	struct buf messages;
	unsigned settings;              /* How many differ; 0: there is no such batch. */
	uint64_t reported;              /* Which of the new state's pairs the server will report: bits. */
};
void setup_batch_fill(struct setup_batch *batch, const struct setup_statements *statements, const struct state *from,
	const struct state *to, const struct parameters *reported);
bool setup_batch_fits(const struct session *session, const struct setup_batch *batch);
void setup_batch_put(struct session *session, const struct setup_batch *batch, const struct setup_statements *statements);
/* A request of such a batch. */
static inline bool setup_batch_has(const struct request *request)
{
	return request->flags & REQUEST_SETUP && request->kind != REQUEST_QUERY;
}

/* --- setup_answer.c: what becomes of it --- */

/* What the client has said behind it; at the end of a feed. */
void setup_keep_begins(struct session *session);
void setup_keep(struct session *session, const char *bytes, size_t size);
/* What a change of the client's own is to be told of, ahead of its ReadyForQuery. */
void setup_batch_report(struct session *session);
/* True: the error is no concern of the client's, and setup_batch_again() is due. */
bool setup_batch_failed(struct session *session, const struct request *request, const char *body, size_t size);
void setup_batch_again(struct session *session);
/* The server has ended without a word. True: the client's login goes on with another one. */
bool setup_welcome_lost(struct session *session);

#endif
