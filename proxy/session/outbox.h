/* What goes out with one send: pieces of the receive buffer as they lie there, and bytes of our own between them. */
#ifndef PGWEIR_OUTBOX_H
#define PGWEIR_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "pgweir/conn.h"

enum { OUTBOX_PIECES = 64, OUTBOX_SCRATCH = 16384 };

struct outbox {
	struct conn *conn;              /* Where it goes; NULL while not in use. */
	bool failed;                    /* The connection broke; nothing more is sent. */
	int count;
	struct iovec pieces[OUTBOX_PIECES];
	size_t scratch_used;
	char scratch[OUTBOX_SCRATCH];
};

void outbox_begin(struct outbox *outbox, struct conn *conn);
/* Bytes that stay where they are until outbox_flush(). */
void outbox_pass(struct outbox *outbox, const char *bytes, size_t size);
/* Bytes that are copied. */
void outbox_put(struct outbox *outbox, const void *bytes, size_t size);
/* Sends what there is; more may follow. */
void outbox_flush(struct outbox *outbox);
/* Flushes and lets go. False: the connection is broken. */
bool outbox_end(struct outbox *outbox) MUST_USE;

#endif
