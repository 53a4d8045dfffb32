#include "outbox.h"

#include <string.h>

void outbox_begin(struct outbox *outbox, struct conn *conn)
{
	CHECK(!outbox->conn);
	outbox->conn = conn;
	outbox->failed = false;
	outbox->count = 0;
	outbox->scratch_used = 0;
}

void outbox_flush(struct outbox *outbox)
{
	if (outbox->count && !outbox->failed && !conn_sendv(outbox->conn, outbox->pieces, outbox->count))
		outbox->failed = true;
	outbox->count = 0;
	outbox->scratch_used = 0;
}

bool outbox_end(struct outbox *outbox)
{
	outbox_flush(outbox);
	outbox->conn = NULL;
	return !outbox->failed;
}

void outbox_pass(struct outbox *outbox, const char *bytes, size_t size)
{
	struct iovec *last = outbox->count ? &outbox->pieces[outbox->count - 1] : NULL;

	if (size == 0)
		return;
	if (last && (char *)last->iov_base + last->iov_len == bytes) {
		last->iov_len += size;
		return;
	}
	if (outbox->count == OUTBOX_PIECES)
		outbox_flush(outbox);
	outbox->pieces[outbox->count++] = (struct iovec){ .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
}

void outbox_put(struct outbox *outbox, const void *bytes, size_t size)
{
	if (OUTBOX_SCRATCH - outbox->scratch_used < size || outbox->count == OUTBOX_PIECES)
		outbox_flush(outbox);
	if (size > OUTBOX_SCRATCH) {
		outbox_pass(outbox, bytes, size);
		outbox_flush(outbox);
		return;
	}
	char *at = outbox->scratch + outbox->scratch_used;

	memcpy(at, bytes, size);
	outbox->scratch_used += size;
	outbox_pass(outbox, at, size);
}
