/* Notifications on their way to the client.
 *
 * They go out between messages and outside of transactions, as PostgreSQL sends them: what comes meanwhile waits here.
 *
 * Failure story: a client that does not read, or stays in a transaction, makes them wait up to a bound; beyond it the
 * session ends, with a reason of its own. Nobody else notices. */
#include <string.h>

#include "listen_internal.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

enum { QUEUE_MAX = 8 << 20 };

static const char may_be_lost[] = "notifications may have been lost since the connection to the server was lost";

/* Told to the application as the pid it knows, where it is its own. */
static void translate(struct session_listen *listen, char *message)
{
	struct buf *said = &listen->said;
	size_t size = wire_message_size(message);

	/* The hub brings them in the same order: what it has passed over does not come any more. */
	for (size_t at = 0; at < said->size; at += wire_message_size(said->bytes + at)) {
		if (wire_message_size(said->bytes + at) != size || memcmp(said->bytes + at, message, size) != 0)
			continue;
		buf_drop_front(said, at + size);
		wire_put_u32(message + WIRE_HEADER_SIZE, listen->session->pid);
		return;
	}
}

static void translate_all(struct session_listen *listen)
{
	for (size_t at = 0; at < listen->queue.size; at += wire_message_size(listen->queue.bytes + at))
		translate(listen, listen->queue.bytes + at);
}

static void deliver(struct hub_member *member, const char *message, size_t size)
{
	struct session_listen *listen = CONTAINER_OF(member, struct session_listen, member);

	/* Beyond the bound nothing more is kept: flush() ends the session. */
	if (listen->queue.size <= QUEUE_MAX)
		buf_append(&listen->queue, message, size);
}

/* An UNLISTEN takes back what comes behind it. What others have sent before the client said so is on its way to it, as
 * with PostgreSQL, however late the hub brings it. */
bool listen_awaits_fence(const struct session_listen *listen)
{
	return listen->fence > listen->member.shared_number;
}

static void marked(struct hub_member *member)
{
	struct session_listen *listen = CONTAINER_OF(member, struct session_listen, member);

	if (member->shared_number == listen->fence)
		listen->before_fence = listen->queue.size;
}

static void interrupted(struct hub_member *member)
{
	struct session_listen *listen = CONTAINER_OF(member, struct session_listen, member);
	bool moving = hub_member_moves(member);
	struct buf *out = &listen->queue;

	if (listen->state == LISTEN_MARKING && moving && member->shared_number < member->number)
		listen->again = true;
	if (member->shared_number < member->own_number)
		member->shared_number = member->own_number;
	listen->fence = 0;
	if (!member->shared_number)
		return;
	buf_fini(&listen->said);
	size_t begun = wire_begin(out, 'N');

	buf_append_char(out, 'S');
	buf_append_cstring(out, "WARNING");
	buf_append_char(out, 'V');
	buf_append_cstring(out, "WARNING");
	buf_append_char(out, 'C');
	buf_append_cstring(out, "01000");
	buf_append_char(out, 'M');
	buf_append_cstring(out, may_be_lost);
	buf_append_char(out, '\0');
	wire_end(out, begun);
}

static void purge(struct session_listen *listen, struct buf *messages, size_t spared)
{
	struct buf kept = { 0 };

	for (size_t at = 0, size; at < messages->size; at += size) {
		const char *message = messages->bytes + at;
		struct notification notification;

		size = wire_message_size(message);
		if (at < spared || message[0] != 'A' || (notification_parse(message, size, &notification)
			&& hub_member_has(&listen->member, notification.channel)))
			buf_append(&kept, message, size);
	}
	buf_fini(messages);
	*messages = kept;
}

void listen_purge(struct session_listen *listen)
{
	purge(listen, &listen->queue, listen->before_fence);
	purge(listen, &listen->said, 0);
	listen->before_fence = 0;
}

/* What the client listens to may change with the transaction at hand, or is being found out. */
static bool in_doubt(const struct session_listen *listen)
{
	switch (listen->state) {
	case LISTEN_ASKING:
	case LISTEN_MARKING:
		return true;
	case LISTEN_SETTLED:
		return listen->own;
	default:
		return listen->due;
	}
}

static bool between_messages(const struct session *session)
{
	if (!session->backend)
		return session->state == SESSION_IDLE || session->state == SESSION_WAITING;
	return session->state == SESSION_LINKED && backend_quiet(session->backend);
}

void listen_flush(struct session *session)
{
	struct session_listen *listen = session->listen;

	if (!listen || !listen->queue.size || conn_blocked(&session->conn) || in_doubt(listen) || !between_messages(session))
		return;
	translate_all(listen);
	session->share->stats.sent_bytes += listen->queue.size;
	/* A broken connection says so itself. */
	if (!conn_send(&session->conn, listen->queue.bytes, listen->queue.size))
		conn_want_read(&session->conn, true);
	buf_fini(&listen->queue);
	listen->before_fence = 0;
	if (!listen->own && listen->member.channels.size == 0)
		listen_free(session);
}

void listen_interject(struct session *session)
{
	struct session_listen *listen = session->listen;

	if (!listen || !listen->queue.size || conn_blocked(&session->conn) || in_doubt(listen))
		return;
	translate_all(listen);
	outbox_put(session_relay(session)->to_client, listen->queue.bytes, listen->queue.size);
	buf_fini(&listen->queue);
	listen->before_fence = 0;
}

static void flush(struct hub_member *member)
{
	struct session_listen *listen = CONTAINER_OF(member, struct session_listen, member);
	struct session *session = listen->session;

	if (listen->queue.size > QUEUE_MAX) {
		session_close(session, CLOSE_CLIENT_NOTIFICATIONS_UNREAD, NULL);
		return;
	}
	listen_flush(session);
	/* The hub is ready: the channels move as soon as the client pauses. */
	if (session->state == SESSION_LINKED)
		listen_step(session);
}

const struct hub_calls listen_hub_calls = {
	.ready = listen_ready,
	.refused = listen_refused,
	.deliver = deliver,
	.marked = marked,
	.interrupted = interrupted,
	.flush = flush,
};

/* --- On the session's own connection --- */

static bool pass_own(struct session *session, const char *message, size_t size, uint32_t pid)
{
	if (session->mode == POOL_MODE_SESSION || pid != session->backend->server->pid)
		return true;
	struct buf copy = { 0 };

	buf_append(&copy, message, size);
	wire_put_u32(copy.bytes + WIRE_HEADER_SIZE, session->pid);
	session->batch_answered = true;
	outbox_put(session_relay(session)->to_client, copy.bytes, copy.size);
	buf_fini(&copy);
	return false;
}

bool listen_notification(struct session *session, const char *message, size_t size)
{
	struct session_listen *listen = session->listen;
	struct notification notification;
	unsigned number;

	if (!notification_parse(message, size, &notification))
		return true;
	if (strcmp(notification.channel, hub_marker()) == 0) {
		if (listen && !listen->again && hub_is_marker_of(&listen->member, notification.payload, &number))
			listen->member.own_number = number;
		return false;
	}
	if (listen && !hub_member_hears_itself(&listen->member, notification.channel)) {
		if (notification.pid == session->backend->server->pid && listen->said.size <= QUEUE_MAX)
			buf_append(&listen->said, message, size);
		return false;
	}
	return pass_own(session, message, size, notification.pid);
}
