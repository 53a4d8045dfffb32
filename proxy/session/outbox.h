/* What goes out with one send: pieces of the receive buffer as they lie there, and bytes of our own between them. */
#ifndef PGWEIR_OUTBOX_H
#define PGWEIR_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "pgweir/conn.h"

enum { OUTBOX_PIECES = 64, OUTBOX_SCRATCH = 16384, OUTBOX_JOIN_MAX = 256 };

struct outbox {
	struct conn *conn;              /* Where it goes; NULL while not in use. */
	const char *end;                /* Of the last piece; NULL if there is none. */
	bool failed;                    /* The connection broke; nothing more is sent. */
	bool sent;                      /* Something has gone out since outbox_begin(). */
	int count;
	size_t scratch_used;
	struct iovec pieces[OUTBOX_PIECES];
	char scratch[OUTBOX_SCRATCH];
};

static inline void outbox_begin(struct outbox *outbox, struct conn *conn)
{
	CHECK(!outbox->conn && !outbox->count);
	outbox->conn = conn;
	outbox->failed = outbox->sent = false;
}

/* Sends what there is; more may follow. */
void outbox_flush(struct outbox *outbox);
void outbox_drop(struct outbox *outbox);        /* What has not been sent yet. */

/* Flushes and lets go. False: the connection is broken. */
static inline bool MUST_USE outbox_end(struct outbox *outbox)
{
	if (outbox->count)
		outbox_flush(outbox);
	outbox->conn = NULL;
	return !outbox->failed;
}

/* For the two below. */
static inline void outbox_extend(struct outbox *outbox, size_t size)
{
	outbox->pieces[outbox->count - 1].iov_len += size;
	outbox->end += size;
}
void outbox_add_piece(struct outbox *outbox, const char *bytes, size_t size);

/* Bytes that stay where they are until outbox_flush(). */
static inline void outbox_pass(struct outbox *outbox, const char *bytes, size_t size)
{
	if (outbox->end == bytes)
		outbox_extend(outbox, size);
	else if (size)
		outbox_add_piece(outbox, bytes, size);
}

/* Bytes that are copied. */
void outbox_put(struct outbox *outbox, const void *bytes, size_t size);

#endif
