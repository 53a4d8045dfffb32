/* What the files of the session library share. */
#ifndef PGWEIR_SESSION_INTERNAL_H
#define PGWEIR_SESSION_INTERNAL_H

#include "leftovers.h"
#include "outbox.h"
#include "pgweir/session.h"
#include "text_cache.h"

/* One per worker: what is being put together during the event at hand, and what is known of texts. */
struct relay {
	struct outbox *to_client, *other_client;        /* The second one while an answer waits for another session's question. */
	struct outbox to_server, clients[2];
	struct text_cache *texts;
	struct setup_cache *setups;
	uint64_t pins[PIN_COUNT];       /* How often there was that reason to keep a connection. */
	const char *message, *setup_ahead_of;   /* The client's that is at hand; the one behind new settings (setup_answer.c). */
	struct list cancels;            /* Those that wait for an end of what is ahead of the client's (cancel.c). */
};

static inline struct relay *session_relay(const struct session *session) { return session->worker->relay; }

/* A question would take the unnamed statement away: none before the client is done with one that is kept nowhere else. */
static inline bool session_needs_unnamed(const struct session *session)
{
	return session->pins & PIN_BIT(PIN_LARGE_STATEMENT) && session->unnamed_token && session->backend->unnamed_token == session->unnamed_token;
}

enum { SESSION_STATEMENT_MAX = 65536, SESSION_REQUESTS_MAX = 4096 };
/* What is left to skip after an error of our own. */
enum { SESSION_SKIP_NOTHING, SESSION_SKIP_MESSAGE, SESSION_SKIP_TO_SYNC };

/* What becomes of the group of messages at hand on a replica (route.h), `session->group`: it is kept before any of it is sent,
 * and can be run elsewhere until something of its answer is out. */
enum group_state { GROUP_NONE, GROUP_DUE, GROUP_KEPT, GROUP_SHOWN };

/* The batch of the extended protocol at hand (retry.c), `session->batch`. */
enum batch_state { BATCH_FORGOTTEN, BATCH_AWAITED, BATCH_KEPT };

/* A group that a replica has refused is to be run on the primary, once all is answered. */
enum rescue { RESCUE_NONE, RESCUE_WANTED, RESCUE_AND_CLOSE };

/* session.c */
void session_event(unsigned what, void *arg);
void session_say_error(struct session *session, const char *severity, const char *sqlstate, const char *text, const char *hint);
void session_forget_words(struct session *session);
bool session_inside_message(const struct session *session);      /* Of the server's, which its client has the start of. */
void session_after_client(struct session *session);

/* after_server.c */
void session_after_server(struct session *session);             /* Released, finished, welcomed? Whatever is due. */
bool session_breaks_statement_mode(const struct session *session);      /* Of pool_mode = statement, and in a transaction. */
bool session_lets_go(struct session *session);                  /* Nothing but to give the server back is due. */

/* scope.c */
void scope_begin(struct session *session, struct state *baseline);
void scope_keep_baseline(struct session *session, const struct state *others);  /* On a connection with another one. */
void scope_reported(struct session *session);                   /* The server says what is in force. */
void scope_changed(struct session *session);                    /* With new settings. */
void scope_put(const struct session *session, uint64_t epoch, uint64_t own, struct buf *out);
/* Prepared now, the statement is what all others take it for. */
bool scope_fits(const struct session *session, const struct statement *statement);

/* link.c */
bool session_link(struct session *session);                     /* True: linked now. False: waits (or is closed). */
void session_unlink(struct session *session);
pool_granted_cb session_granted;
void session_open_outbox(struct session *session);              /* To the server, beginning with what settings need. */
void session_fail_waiting(struct session *session, const char *sqlstate, const char *text, const char *hint);

/* own_query.c: what the client does not see. The text is taken: it is empty afterwards. */
void own_query_put(struct session *session, struct buf *sql, uint8_t flags, struct statement_name *name);
void own_query_put_message(struct session *session, const struct buf *message, uint8_t flags, struct statement_name *name);
void own_query_ask(struct session *session, struct buf *sql, uint8_t flags);    /* The client waits for the answer. */

/* welcome.c */
void session_begin(struct session *session);
void session_prepare_welcome(struct session *session);          /* With a backend, whose settings may have to be set first. */
void session_welcome(struct session *session);                  /* With what the backend reports. */
void session_welcomes_free(struct pool *pool);

/* from_client.c */
bool session_feed(struct session *session, const char *bytes, size_t size);    /* False: closed. */
bool session_resume(struct session *session);                   /* Goes on with what was held back. */
void session_ready_to_read(struct session *session);            /* Or not: the sides must catch up first. */

/* from_server.c */
extern const struct backend_sink session_sink;

/* prepared.c, prepared_parse.c: client's messages, whole or as far as their rule asks. False: the session is to be closed. */
bool prepared_parse(struct session *session, const char *message, size_t size, size_t *skip);
/* In `*skip`: an error of ours has taken the message's place. */
#define PREPARED_REFUSED SIZE_MAX
/* Without a server connection: true if the answer is known. */
bool prepared_parse_alone(struct session *session, const char *message, size_t size);
/* One that is about nothing a server has to look at. False: it cannot be. */
bool prepared_parse_unasked(struct session *session, const char *name, const char *rest, const char *end);
bool prepared_bind(struct session *session, const char *message, size_t size, size_t *skip);
bool prepared_describe(struct session *session, const char *message, size_t size, size_t *skip);
bool prepared_close(struct session *session, const char *message, size_t size, size_t *skip);
void prepared_materialise_alone(struct session *session, struct statement_name *name);  /* No batch, ahead of a simple query. */
void prepared_forget(struct session *session, const struct statement_name *name, const struct statement *gone); /* Deallocated. */
enum unnamed_before prepared_query(struct session *session);   /* A simple query takes the unnamed statement away. */
void prepared_undone(struct session *session, const struct request *request);
void prepared_forget_all(struct session *session);
bool prepared_error(struct session *session, const char *body, size_t size, struct buf *rewritten);
void prepared_renew(struct session *session, struct statement_name *name);  /* A statement of its own, not yet prepared. */

/* pins.c */
void session_pin(struct session *session, enum session_pin reason);
void session_set_pins(struct session *session, uint32_t pins);  /* Counts those that are new. */
void session_note_tag(struct session *session, const char *tag);
void session_ddl_counts(struct session *session);               /* From now on a Parse may mean something else. */

/* cancel.c */
void session_register(struct session *session);
void session_unregister(struct session *session);
void session_cancels_end(struct worker *worker); /* None of those that wait is delivered. */

#endif
