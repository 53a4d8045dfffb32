/* What a client says, message by message, and when each can be dealt with.
 *
 * Failure story: a message of an unknown type, of an impossible length or where it does not belong ends the session with
 * 08P01. A message that needs a server stays where it is, unread beyond its header, until there is one. */
#include "client_message.h"

#include <string.h>

#include "lost.h"
#include "prepared_internal.h"
#include "pgweir/wire.h"
#include "retry.h"
#include "route.h"
#include "route_setting.h"
#include "setup.h"

/* --- After an error of our own --- */

static enum verdict skip_message(struct session *session, char type)
{
	bool last = session->skipping == SESSION_SKIP_MESSAGE || type == 'S';

	if (type == 'X') {
		session->terminated = true;
		return VERDICT_DROP;
	}
	if (last) {
		session->skipping = SESSION_SKIP_NOTHING;
		client_message_say_ready(session);
	}
	return VERDICT_DROP;
}

/* A batch that has failed on the server, its Sync not here yet: the server would skip all of this unanswered, and what is
 * never answered must not fill the bound on what is outstanding. */
static bool is_skipped(const struct session *session, char type)
{
	const struct backend *backend = session->backend;

	if (!backend || !backend->skipping || !backend->unsynced || type == 'S' || type == 'X')
		return false;
	/* With the Sync on its way this is of the batch behind it. */
	return requests_until_sync(&backend->requests) == requests_count(&backend->requests);
}

/* --- The walk --- */

/* -1, with the words for it. */
static COLD ssize_t violation(const struct message_rule *rule, char type, const char *what, struct error *why)
{
	if (rule->name)
		error_set(why, "08P01", "message \"%s\" %s", rule->name, what);
	else
		error_set(why, "08P01", "invalid frontend message type %d", (unsigned char)type);
	return -1;
}

/* What is wrong with it, or NULL. */
static const char *malformed(const struct message_rule *rule, size_t whole)
{
	return whole < WIRE_HEADER_SIZE || whole > rule->largest ? "has an impossible length" : NULL;
}

/* It gets no answer of its own. The server says what it thinks of it, and ends the session, unless it is an old one. */
static bool is_stray_in_copy(const struct session *session, const struct message_rule *rule)
{
	return !rule->in_copy && session->backend && session->backend->copy == BACKEND_COPY_IN;
}

static void flush_if_too_many(struct session *session)
{
	if (session->backend && session->backend->requests.count > SESSION_REQUESTS_MAX && !session->pass_left)
		client_message_flush(session);
}

/* Before anything of ours is put ahead of the message: that is on its time. */
static void start_clock(struct session *session)
{
	if (session->backend->requests.count == 0)
		session->request_us = session->backend->request_since_us = worker_now(session->worker);
}

static enum verdict take(struct session *session, const struct message_rule *rule, const char *message, size_t size,
	size_t *skip)
{
	if (session->skipping)
		return skip_message(session, message[0]);
	if (is_skipped(session, message[0]))
		return VERDICT_DROP;
	if (session->lost && lost_answer(session, message, size))
		return VERDICT_DROP;
	if (!session->backend && rule->server == SERVER_UNLESS_KNOWN)
		return VERDICT_DROP;
	if (session->backend && (!rule->in_copy || message[0] == 'S'))
		start_clock(session);
	if (message[0] != 'Q' && session->backend && !session->backend->unsynced && strchr("PBDEC", message[0]))
		prepared_batch_begins(session, message, size);
	return rule->handle(session, message, size, skip);
}

/* What has not been dealt with of the message at hand. Returns its part of these bytes. */
static size_t continue_message(struct session *session, const char *bytes, size_t size)
{
	size_t part = size < session->pass_left ? size : session->pass_left;

	if (!session->pass_drop && session->backend)
		outbox_pass(&session_relay(session)->to_server, bytes, part);
	session->pass_left -= part;
	if (session->long_text)
		session_long_text_goes_on(session, bytes, part, session->pass_left == 0);
	return part;
}

/* About pgweir's own settings; told quickly. */
static bool may_be_ours(const struct session *session, const char *message, size_t left)
{
	const char *text = message + WIRE_HEADER_SIZE, *end = message + left;

	if (session->own_statements)
		return strchr("QPBDC", message[0]) != NULL;
	if (message[0] != 'Q' && message[0] != 'P')
		return false;
	if (message[0] == 'P')
		text += strnlen(text, left - WIRE_HEADER_SIZE) + 1;
	return text < end && route_setting_may_be(text, (size_t)(end - text));
}

/* Returns how many bytes were dealt with, or -1 and why no more can be. */
static ssize_t walk(struct session *session, const char *bytes, size_t size, struct error *why)
{
	size_t at = session->pass_left ? continue_message(session, bytes, size) : 0;

	while (size - at >= WIRE_HEADER_SIZE && !session->terminated) {
		const char *message = bytes + at;
		const struct message_rule *rule = &client_message_rules[(unsigned char)message[0]];
		size_t left = size - at, whole = wire_message_size(message), skip = 0;
		size_t wanted = whole < rule->looked_at ? whole : rule->looked_at;

		const char *wrong = malformed(rule, whole);

		if (wrong)
			return violation(rule, message[0], wrong, why);
		if (is_stray_in_copy(session, rule)) {
			session->pass_left = whole;
			session->pass_drop = false;
			at += continue_message(session, message, left);
			continue;
		}
		ssize_t answered = may_be_ours(session, message, left) ? route_setting_answer(session, message, left) : 0;

		at += answered > 0 ? (size_t)answered : 0;
		if (answered > 0)
			continue;
		if (answered < 0 || left < wanted || !client_message_has_turn(session, rule, message, wanted, left))
			break;
		/* Nothing can be put in the middle of it. */
		if (left < whole)
			flush_if_too_many(session);
		enum verdict verdict = take(session, rule, message, wanted, &skip);

		if (verdict == VERDICT_CLOSED)
			return violation(rule, message[0], "is malformed", why);
		if (session->group_left)
			route_walked(session, whole);
		session->pass_left = whole - skip;
		session->pass_drop = verdict == VERDICT_DROP;
		at += skip + continue_message(session, message + skip, left - skip);
	}
	return (ssize_t)at;
}

static void keep_rest(struct session *session, const char *bytes, size_t size, size_t used, bool from_held)
{
	struct buf *held = &session->held;

	if (session->terminated)
		used = size;
	if (from_held)
		buf_drop_front(held, used);
	else if (used < size)
		buf_append(held, bytes + used, size - used);
	if (held->size == 0 && held->capacity)
		buf_fini(held);
}

/* Whether more may be read now, or the sides must catch up first. */
void session_ready_to_read(struct session *session)
{
	struct backend *backend = session->backend;
	bool blocked = backend && (conn_blocked(&backend->server->conn) || backend->requests.count > SESSION_REQUESTS_MAX);

	/* More of it would be answered by us alone. */
	blocked |= conn_blocked(&session->conn) && (!backend || backend->requests.count == 0);

	/* Most wait so shortly that they send nothing more meanwhile: who does is dealt with then (session_event()). */
	if (session->state == SESSION_WAITING || session->state == SESSION_WELCOMING)
		return;
	bool wanted = session->state != SESSION_FINISHING && session->state != SESSION_SETTING_UP && !blocked;

	if (!wanted || !session->conn.io.reading)
		conn_want_read(&session->conn, wanted);
}

static COLD void close_for_violation(struct session *session, const struct error *why)
{
	struct buf body = { 0 };

	wire_put_error(&body, &(struct wire_error){ .severity = "FATAL", .sqlstate = why->sqlstate, .message = why->text });
	session_close(session, CLOSE_CLIENT_BROKE_PROTOCOL, &body);
	buf_fini(&body);
}

bool session_feed(struct session *session, const char *bytes, size_t size)
{
	struct relay *relay = session_relay(session);
	bool from_held = session->held.size > 0;

	if (from_held) {
		buf_append(&session->held, bytes, size);
		bytes = session->held.bytes;
		size = session->held.size;
	}
	outbox_begin(relay->to_client, &session->conn);
	retry_begin(session, bytes, size);
	relay->message = bytes + (session->pass_left < size ? session->pass_left : size);
	relay->setup_ahead_of = NULL;
	if (session->backend)
		session_open_outbox(session);
	struct error why;
	ssize_t used = walk(session, bytes, size, &why);

	if (used > 0)
		retry_keep(session, bytes, (size_t)used);
	if (session->setup_kept && session->backend && requests_first(&session->backend->requests)->flags & REQUEST_SETUP)
		setup_keep(session, bytes, used < 0 ? size : (size_t)used);
	flush_if_too_many(session);
	bool sent = outbox_end(relay->to_client);
	bool server_sent = !session->backend || outbox_end(&relay->to_server);

	if (used < 0) {
		close_for_violation(session, &why);
		return false;
	}
	keep_rest(session, bytes, size, (size_t)used, from_held);
	if (!sent) {
		session_close(session, CLOSE_CLIENT_GONE, NULL);
		return false;
	}
	if (!server_sent) {
		/* What the server had to say before it went is still to be read. */
		conn_want_read(&session->backend->server->conn, true);
	}
	session_ready_to_read(session);
	return true;
}

bool session_resume(struct session *session)
{
	return session->held.size == 0 || session_feed(session, NULL, 0);
}
