/* Sessions whose server is lost in the middle of their work, in a cluster that can fail over. */
#ifndef PGWEIR_SESSION_LOST_H
#define PGWEIR_SESSION_LOST_H

#include "leftovers.h"

enum lost {
	LOST_NOTHING,
	LOST_BATCH,             /* A batch outside of a transaction, before its Sync. Its client is still to be told. */
	LOST_UNTOLD,            /* A transaction, and its client is still to be told. */
	LOST_TRANSACTION,       /* It has failed, as by any other error. */
	/* With the next message that needs a server, what there was is made there: */
	LOST_BEGUN,             /* a transaction that has answered nothing but its BEGIN; */
	LOST_FAILED,            /* one that has failed, which its client ends in a way that goes on. */
};

/* lost.c */
void lost_note_run(struct session *session, const struct sql_run *run);         /* About to be sent. */
/* The server says that it ends. True: the client need not see it, since lost_go_on() will be true. */
bool lost_announced(struct session *session, const char *sqlstate);
void lost_undo(struct session *session);                        /* Nothing of what is under way has been done. */
/* The server connection has ended. False: so does the session. */
bool lost_go_on(struct session *session);

/* lost_needs.c */
/* False: the message can be dealt with as it is. */
bool lost_needs_server(struct session *session, const char *message, size_t size);
/* What comes behind a text that ends with NUL, before `end`; NULL: it does not end there, or `at` is NULL itself. */
const char *lost_behind(const char *at, const char *end);
/* What a Parse message says behind its name, of a statement that is known; NULL: there is none, or SQL has made it. */
const char *lost_find_statement(const struct session *session, const char *name, size_t *size);

/* lost_transaction.c: without a server, inside what is lost. */
/* A message of the client's: true if it has been answered, false if it is to be dealt with as ever. */
bool lost_answer(struct session *session, const char *message, size_t size);
void lost_ends(struct session *session);                        /* Nothing is lost any more, and nothing of it kept. */
static inline char lost_status(const struct session *session)
{
	static const char statuses[] = { 'I', 'I', 'E', 'E', 'T', 'E' };

	return statuses[session->lost];
}

/* lost_again.c */
/* Whether this transaction has been begun in a way that can be repeated, and has answered nothing since. */
bool lost_has_only_begun(const struct session *session);
void lost_note_transaction(struct session *session, const struct sql_run *run);
/* With a server: LOST_BEGUN or LOST_FAILED becomes true there, and the session goes on once it has. */
void lost_begin_again(struct session *session);
void lost_begun_again(struct session *session);
void lost_not_begun(struct session *session);                   /* There is no server to be had. */
/* How the transaction was begun, from the server that is let go. */
void lost_keep_beginning(struct session *session);

#endif
