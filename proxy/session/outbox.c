#include "outbox.h"

#include <string.h>

void outbox_flush(struct outbox *outbox)
{
	outbox->sent |= outbox->count > 0;
	if (outbox->count && !outbox->failed && !conn_sendv(outbox->conn, outbox->pieces, outbox->count))
		outbox->failed = true;
	outbox_drop(outbox);
}

void outbox_drop(struct outbox *outbox)
{
	outbox->count = 0;
	outbox->scratch_used = 0;
	outbox->end = NULL;
}

/* To copy a few bytes costs less than another piece, above all where it would be the second one. */
static bool join_scratch(struct outbox *outbox, const char *bytes, size_t size)
{
	char *free_from = outbox->scratch + outbox->scratch_used;

	if (outbox->end != free_from || size > OUTBOX_JOIN_MAX || OUTBOX_SCRATCH - outbox->scratch_used < size)
		return false;
	memcpy(free_from, bytes, size);
	outbox->scratch_used += size;
	outbox_extend(outbox, size);
	return true;
}

void outbox_add_piece(struct outbox *outbox, const char *bytes, size_t size)
{
	if (join_scratch(outbox, bytes, size))
		return;
	if (outbox->count == OUTBOX_PIECES)
		outbox_flush(outbox);
	outbox->pieces[outbox->count++] = (struct iovec){ .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
	outbox->end = bytes + size;
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
