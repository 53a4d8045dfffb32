/* Sessions whose server is lost in the middle of their work, in a cluster that can fail over. */
#ifndef PGWEIR_SESSION_LOST_H
#define PGWEIR_SESSION_LOST_H

#include "leftovers.h"

enum lost {
	LOST_NOTHING,
	LOST_BATCH,             /* A batch outside of a transaction, before its Sync. Its client is still to be told. */
	LOST_UNTOLD,            /* A transaction, and its client is still to be told. */
	LOST_TRANSACTION,       /* It has failed, as by any other error. */
};

/* lost.c */
void lost_note_run(struct session *session, const struct sql_run *run);         /* About to be sent. */
/* The server says that it ends. True: the client need not see it, since lost_go_on() will be true. */
bool lost_announced(struct session *session, const char *sqlstate);
/* The server connection has ended. False: so does the session. */
bool lost_go_on(struct session *session);

/* lost_transaction.c: without a server, inside what is lost. */
/* A message of the client's: true if it has been answered, false if it is to be dealt with as ever. */
bool lost_answer(struct session *session, const char *message, size_t size);
/* It is a text that ends the transaction and goes on. Nothing is lost from here on. */
bool lost_ends_before(struct session *session, const char *message, size_t size);
bool lost_is_rollback(const char *text, size_t size);
static inline char lost_status(const struct session *session) { return session->lost >= LOST_UNTOLD ? 'E' : 'I'; }

#endif
