/* What a session listens to in transaction mode, and how its channels move from its server connection to the pool's hub. */
#ifndef PGWEIR_LISTEN_H
#define PGWEIR_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/session.h"

/* --- What is noticed --- */

/* True if the text may LISTEN, UNLISTEN, NOTIFY, or ask what is listened to. */
bool listen_text_mentions(const char *text, size_t size);
/* What is about to be sent, or run, has such a text: does what must go ahead. Only if the session has a `listen`. */
void listen_restore(struct session *session);
/* Command tags. */
void listen_note_listen(struct session *session);
void listen_note_unlisten(struct session *session);
void listen_note_rollback(struct session *session);
void listen_note_discard_all(struct session *session);

/* --- What is done about it --- */

/* With a quiet connection: asks the server what is due. False: nothing. */
bool listen_step(struct session *session);
/* With the answer complete. True: the next question has been sent. */
bool listen_goes_on(struct session *session);
bool listen_asks(const struct session *session);
void listen_row(struct session *session, const char *message, size_t size);
void listen_error(struct session *session);

/* --- Notifications --- */

/* One on the session's own connection. True: it is the client's as it stands. */
bool listen_notification(struct session *session, const char *message, size_t size);
/* Sends the client what waits for it, if this is the moment. */
void listen_flush(struct session *session);
/* The same ahead of a ReadyForQuery. */
void listen_interject(struct session *session);

void listen_linked(struct session *session);
void listen_free(struct session *session);

#endif
