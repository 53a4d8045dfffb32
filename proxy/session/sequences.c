/* currval() and lastval() tell what this session's last nextval() was, and in transaction mode "this session" is whoever had
 * the server connection last. They are answered where the connection has been this client's alone since it wrote: in the
 * same text or transaction, or in a later one if nobody else has had the connection meanwhile. A client that has asked once
 * is one that does so: from then on it keeps its connection when it has written. Anything else is an error, never another
 * client's value, nor an old one of its own.
 *
 * A client may ask although what it wrote used no sequence. So what other clients have left in a connection's sequences is
 * cleared ahead of a client's first message: for a while, and where somebody asks, from then on. Who asks for the first time
 * after that while, on a connection where others have left something, gets the error. */
#include <stdatomic.h>

#include "session_internal.h"

/* So often for nothing before nobody is expected to ask. */
enum { CLEARED_MAX = 1000 };

static bool others_left_some(const struct session *session)
{
	const struct backend *backend = session->backend;

	return backend->sequences_of && (backend->sequences_mixed || backend->sequences_of != session->id);
}

/* What this client itself has left there, before what it has written elsewhere. */
static bool own_is_old(const struct session *session)
{
	const struct backend *backend = session->backend;

	return backend->sequences_of == session->id && session->asks_sequences && session->wrote_on != backend->id;
}

static bool somebody_asks(struct pool_database *database)
{
	return atomic_load_explicit(&database->asks_sequences, memory_order_relaxed)
		|| atomic_load_explicit(&database->sequences_cleared, memory_order_relaxed) < CLEARED_MAX;
}

bool sequences_taken(struct session *session)
{
	struct backend *backend = session->backend;

	if (backend->last_owner != session->id && session->wrote_on == backend->id)
		session->wrote_on = 0;
	session->wrote = false;
	backend->last_owner = session->id;
	session->sequences_blank = !backend->sequences_of;
	session->sequences_old = own_is_old(session);
	return session->sequences_old || (others_left_some(session) && somebody_asks(session->share->pool->database));
}

void sequences_clear(struct session *session, struct buf *sql)
{
	if (!others_left_some(session) && !session->sequences_old)
		return;
	buf_append_text(sql, "BEGIN; DISCARD SEQUENCES; COMMIT");
	session->sequences_blank = true;
	session->sequences_old = false;
	atomic_fetch_add_explicit(&session->share->pool->database->sequences_cleared, 1, memory_order_relaxed);
	session->backend->sequences_of = 0;
	session->backend->sequences_mixed = false;
}

/* By the client, which may have used some since, in the same text. */
void sequences_discarded(struct session *session)
{
	session->backend->sequences_of = session->id;
	session->backend->sequences_mixed = false;
	session->sequences_blank = true;
}

void sequences_used(struct session *session)
{
	struct backend *backend = session->backend;

	/* A replica has none. */
	if (session->on_replica)
		return;
	backend->sequences_mixed |= others_left_some(session);
	backend->sequences_of = session->id;
}

/* The next transaction may ask: then it should be the same connection. */
void sequences_released(struct session *session)
{
	session->waiter.last_owner = session->wrote ? session->id : 0;
	if (session->wrote)
		session->wrote_on = session->backend->id;
}

bool sequences_may_ask(struct session *session, uint32_t effects)
{
	bool used = session->sequences_blank && session->backend->sequences_of == session->id;

	session->asks_sequences = true;
	atomic_store_explicit(&session->share->pool->database->asks_sequences, true, memory_order_relaxed);
	if (session->wrote)
		session_pin(session, PIN_SEQUENCE);
	if (others_left_some(session))
		return false;
	return session->wrote || used || session->wrote_on == session->backend->id || effects & SCAN_SEQUENCE_USE;
}

void sequences_wrote(struct session *session)
{
	session->wrote = true;
	if (session->asks_sequences && session->mode != POOL_MODE_SESSION)
		session_pin(session, PIN_SEQUENCE);
}
