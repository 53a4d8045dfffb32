/* currval() and lastval() tell what this session's last nextval() was, and in transaction mode "this session" is whoever had
 * the server connection last. They are answered where the connection has been this client's alone since it wrote: in the
 * same transaction, or in a later one if nobody else has had the connection meanwhile. A client that has asked once is one
 * that does so: from then on it keeps its connection when it has written. Anything else is an error, never another
 * client's value. */
#include "session_internal.h"

void sequences_taken(struct session *session)
{
	struct backend *backend = session->backend;

	if (backend->last_owner != session->id && session->wrote_on == backend->id)
		session->wrote_on = 0;
	session->wrote = false;
	backend->last_owner = session->id;
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
	session->asks_sequences = true;
	if (session->wrote)
		session_pin(session, PIN_SEQUENCE);
	return session->wrote || session->wrote_on == session->backend->id || effects & SCAN_SEQUENCE_USE;
}

void sequences_wrote(struct session *session)
{
	session->wrote = true;
	if (session->asks_sequences && session->mode != POOL_MODE_SESSION)
		session_pin(session, PIN_SEQUENCE);
}
