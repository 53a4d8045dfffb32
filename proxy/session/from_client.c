/* What a client may say, and what becomes of it.
 *
 * Failure story: a message of an unknown type, of an impossible length or where it does not belong ends the session with
 * 08P01. A message that needs a server stays where it is, unread beyond its header, until there is one. */
#include <string.h>

#include "listen.h"
#include "lost.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "retry.h"
#include "route.h"
#include "route_setting.h"
#include "session_internal.h"

enum verdict { VERDICT_FORWARD, VERDICT_DROP, VERDICT_CLOSED };

enum needs_server {
	ALONE,                          /* Its handler knows what to do without a server. */
	SERVER,
	SERVER_UNLESS_KNOWN,            /* prepared_parse_alone() may have the answer. */
};

struct message_rule {
	const char *name;
	uint32_t largest;               /* Bytes, header included. 0: there is no such message. */
	uint32_t looked_at;             /* How many of them must be there before the message is dealt with. */
	enum needs_server server;
	bool in_copy;                   /* Legal while the server waits for copy data. */
	/* May put something of its own in front and set `*skip` to how much of the message not to forward. */
	enum verdict (*handle)(struct session *session, const char *message, size_t size, size_t *skip);
};

static enum verdict handle_query(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_function(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_parse(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_bind(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_describe(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_execute(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_close(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_sync(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_flush(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_copy_data(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_copy_end(struct session *session, const char *message, size_t size, size_t *skip);
static enum verdict handle_terminate(struct session *session, const char *message, size_t size, size_t *skip);

#define HEADER WIRE_HEADER_SIZE
#define WHOLE UINT32_MAX
#define ANY_SIZE WIRE_MESSAGE_MAX

static const struct message_rule rules[256] = {
	['Q'] = { "Query", ANY_SIZE, SESSION_STATEMENT_MAX, SERVER, false, handle_query },
	['F'] = { "FunctionCall", ANY_SIZE, HEADER + 4, SERVER, false, handle_function },
	['P'] = { "Parse", ANY_SIZE, SESSION_STATEMENT_MAX, SERVER_UNLESS_KNOWN, false, handle_parse },
	['B'] = { "Bind", ANY_SIZE, 8192, SERVER, false, handle_bind },
	['D'] = { "Describe", 8192, WHOLE, SERVER, false, handle_describe },
	['E'] = { "Execute", 8192, WHOLE, SERVER, false, handle_execute },
	['C'] = { "Close", 8192, WHOLE, ALONE, false, handle_close },
	['S'] = { "Sync", 5, WHOLE, ALONE, true, handle_sync },
	['H'] = { "Flush", 5, WHOLE, ALONE, true, handle_flush },
	['d'] = { "CopyData", ANY_SIZE, HEADER, ALONE, true, handle_copy_data },
	['c'] = { "CopyDone", 5, WHOLE, ALONE, true, handle_copy_end },
	['f'] = { "CopyFail", ANY_SIZE, HEADER, ALONE, true, handle_copy_end },
	['X'] = { "Terminate", 5, WHOLE, ALONE, true, handle_terminate },
};

/* A message that answers will come to. */
static void ask(struct session *session, enum request_kind kind)
{
	struct backend *backend = session->backend;

	if (backend->requests.count == 0)
		session->request_us = backend->request_since_us = worker_now(session->worker);
	backend_request(backend, kind, 0, NULL);
}

/* Instead of the client's. The text ends with its NUL. */
static bool query_with_names(struct session *session, const char *text, size_t size)
{
	struct buf message = { 0 };
	size_t begun = wire_begin(&message, 'Q');
	bool rewritten = sql_names_rewrite(session, text, size, &message, true, prepared_materialise_alone);

	wire_end(&message, begun);
	if (rewritten)
		outbox_put(&session_relay(session)->to_server, message.bytes, message.size);
	buf_fini(&message);
	return rewritten;
}

static enum verdict handle_query(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *text = message + WIRE_HEADER_SIZE;
	size_t text_size = size - WIRE_HEADER_SIZE;
	bool whole = size == wire_message_size(message);
	struct sql_run run = {
		.type = 'Q', .text = text, .size = text_size,
		.effects = whole ? session_text_effects(session, text, text_size) : session_long_text_begin(session, text, text_size, size),
	};

	enum refusal refusal = route_setting_refusal(session, text, text_size);

	if (refusal) {
		session_refuse(session, 'Q', refusal);
		session_long_text_drop(session);
		return VERDICT_DROP;
	}
	if (session->listen && listen_text_mentions(text, text_size))
		listen_restore(session);
	prepared_query(session);
	if (!session_may_run(session, &run)) {
		session_long_text_drop(session);
		return VERDICT_DROP;
	}
	if (run.effects & SCAN_STATEMENT_NAMES && session->names.size && !session->long_text
		&& query_with_names(session, text, text_size))
		*skip = size;
	ask(session, REQUEST_QUERY);
	return VERDICT_FORWARD;
}

static enum verdict handle_function(struct session *session, const char *message, size_t size, size_t *skip)
{
	(void)skip;
	if (size < HEADER + 4)
		return VERDICT_CLOSED;
	session_note_function(session, wire_u32(message + HEADER));
	ask(session, REQUEST_FUNCTION_CALL);
	return VERDICT_FORWARD;
}

static void start_clock(struct session *session)
{
	if (session->backend->requests.count == 0)
		session->request_us = session->backend->request_since_us = worker_now(session->worker);
}

/* prepared.c forwards what it has rewritten itself. */
static enum verdict forwarded_as(bool good, size_t *skip)
{
	if (!good)
		return VERDICT_CLOSED;
	if (*skip != PREPARED_REFUSED)
		return VERDICT_FORWARD;
	*skip = 0;
	return VERDICT_DROP;
}

static enum verdict handle_parse(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *name_end = memchr(message + WIRE_HEADER_SIZE, '\0', size - WIRE_HEADER_SIZE);

	if (!name_end)
		return VERDICT_CLOSED;
	start_clock(session);
	enum refusal refusal = route_setting_refusal(session, name_end + 1, (size_t)(message + size - name_end - 1));

	if (refusal) {
		session_refuse(session, 'P', refusal);
		return VERDICT_DROP;
	}
	if (session->listen && listen_text_mentions(name_end, (size_t)(message + size - name_end)))
		listen_restore(session);
	return forwarded_as(prepared_parse(session, message, size, skip), skip);
}

static enum verdict handle_bind(struct session *session, const char *message, size_t size, size_t *skip)
{
	start_clock(session);
	return forwarded_as(prepared_bind(session, message, size, skip), skip);
}

static enum verdict handle_describe(struct session *session, const char *message, size_t size, size_t *skip)
{
	start_clock(session);
	return forwarded_as(prepared_describe(session, message, size, skip), skip);
}

static enum verdict handle_execute(struct session *session, const char *message, size_t size, size_t *skip)
{
	(void)message, (void)size, (void)skip;
	ask(session, REQUEST_EXECUTE);
	return VERDICT_FORWARD;
}

static enum verdict handle_close(struct session *session, const char *message, size_t size, size_t *skip)
{
	if (size < WIRE_HEADER_SIZE + 2 || !strchr("SP", message[WIRE_HEADER_SIZE]) || !message[WIRE_HEADER_SIZE]
		|| message[size - 1] != '\0')
		return VERDICT_CLOSED;
	return forwarded_as(prepared_close(session, message, size, skip), skip);
}

static void say_ready(struct session *session)
{
	const char ready[] = { 'Z', 0, 0, 0, 5, lost_status(session) };

	outbox_put(&session_relay(session)->to_client, ready, sizeof(ready));
}

static enum verdict handle_sync(struct session *session, const char *message, size_t size, size_t *skip)
{
	(void)message, (void)size, (void)skip;
	if (!session->backend) {
		say_ready(session);
		return VERDICT_DROP;
	}
	/* Part of the copy data, as the server reads it. */
	if (session->backend->copy != BACKEND_COPY_IN)
		ask(session, REQUEST_SYNC);
	return VERDICT_FORWARD;
}

static enum verdict handle_flush(struct session *session, const char *message, size_t size, size_t *skip)
{
	(void)message, (void)size, (void)skip;
	if (!session->backend)
		return VERDICT_DROP;
	backend_settle(session->backend);
	return VERDICT_FORWARD;
}

/* Outside of COPY the server ignores them: an error may have ended the COPY before the client knew. */
static enum verdict handle_copy_data(struct session *session, const char *message, size_t size, size_t *skip)
{
	(void)message, (void)size, (void)skip;
	return session->backend ? VERDICT_FORWARD : VERDICT_DROP;
}

static enum verdict handle_copy_end(struct session *session, const char *message, size_t size, size_t *skip)
{
	struct backend *backend = session->backend;

	(void)message, (void)size, (void)skip;
	if (!backend)
		return VERDICT_DROP;
	if (backend->copy == BACKEND_COPY_IN)
		backend->copy = BACKEND_COPY_NONE;
	if (backend->requests.count)
		backend_request(backend, REQUEST_COPY_END, 0, NULL);
	return VERDICT_FORWARD;
}

static enum verdict handle_terminate(struct session *session, const char *message, size_t size, size_t *skip)
{
	(void)message, (void)size, (void)skip;
	session->terminated = true;
	return VERDICT_DROP;
}

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
		say_ready(session);
	}
	return VERDICT_DROP;
}

/* A batch that has failed on the server, its Sync not here yet: the server would skip all of this unanswered, and what is
 * never answered must not fill the bound on what is outstanding. */
static bool is_skipped(const struct session *session, char type)
{
	const struct backend *backend = session->backend;

	return backend && backend->skipping && backend->unsynced && type != 'S' && type != 'X';
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
static const char *malformed(const struct session *session, const struct message_rule *rule, size_t whole)
{
	const struct backend *backend = session->backend;

	if (whole < WIRE_HEADER_SIZE || whole > rule->largest)
		return "has an impossible length";
	return rule->in_copy || !backend || backend->copy != BACKEND_COPY_IN ? NULL : "is not expected during COPY from stdin";
}

static bool settings_on_their_way(const struct backend *backend)
{
	return requests_first(&backend->requests)->flags & REQUEST_SETUP;
}

/* Settings that are being put in force may fail and leave a failed transaction, in which this message cannot run. Only
 * one that would end the transaction could: ROLLBACK, COMMIT, END, ABORT, also behind a comment. Inside a batch that has
 * begun behind the settings the server would skip everything up to the Sync, and to wait for an answer before it could be
 * to wait for ever. */
static bool may_follow_setup(const struct session *session, const char *message, size_t size)
{
	const char *text = message + WIRE_HEADER_SIZE;
	const char *end = message + size;

	if (!settings_on_their_way(session->backend))
		return true;
	if (session->backend->unsynced)
		return true;
	if (message[0] == 'P')
		text += strnlen(text, (size_t)(end - text)) + 1;
	else if (message[0] != 'Q')
		return false;
	while (text < end && strchr(" \t\r\n\f;", *text) && *text)
		text++;
	return text < end && !strchr("RrCcEeAa-/(", *text);
}

/* A text that takes settings, statements and pins away is answered before the next one is looked at, which must find them
 * gone. Within a batch the server says nothing before its Sync. */
static bool waits_for_reset(struct session *session)
{
	if (!session->resetting)
		return false;
	session->resetting = session->backend->requests.count > 0;
	return session->resetting && !session->backend->unsynced;
}

/* True if the message can be dealt with now. */
static bool can_go_on(struct session *session, const struct message_rule *rule, const char *message, size_t size, size_t left)
{
	bool lost = session->lost != LOST_NOTHING;

	if (session->skipping || (lost && !lost_needs_server(session, message, size)))
		return true;
	/* Most messages come while there is a server already. */
	if (!lost && session->state == SESSION_LINKED && !session->resetting && !session->judged && !settings_on_their_way(session->backend))
		return true;
	if (session->judged && session->state == SESSION_LINKED && !route_may_go_on(session, message, left))
		return false;
	if (rule->server == ALONE && session->state != SESSION_SETTING_UP)
		return true;
	if (!session->backend && !lost && rule->server == SERVER_UNLESS_KNOWN && prepared_parse_alone(session, message, size))
		return true;
	if (!session->backend && session->routing && !route_decide(session, message, left))
		return false;
	if (!session->backend && !session_link(session))
		return false;
	if (session->group == GROUP_DUE)
		route_may_go_on(session, message, left);
	if (session->state == SESSION_SETTING_UP)
		return false;
	if (lost) {
		lost_begin_again(session);
		return false;
	}
	if (!waits_for_reset(session) && may_follow_setup(session, message, size))
		return true;
	session->state = SESSION_SETTING_UP;
	return false;
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
		const struct message_rule *rule = &rules[(unsigned char)message[0]];
		size_t left = size - at, whole = wire_message_size(message), skip = 0;
		size_t wanted = whole < rule->looked_at ? whole : rule->looked_at;

		const char *wrong = malformed(session, rule, whole);

		if (wrong)
			return violation(rule, message[0], wrong, why);
		ssize_t answered = may_be_ours(session, message, left) ? route_setting_answer(session, message, left) : 0;

		at += answered > 0 ? (size_t)answered : 0;
		if (answered > 0)
			continue;
		if (answered < 0 || left < wanted || !can_go_on(session, rule, message, wanted, left))
			break;
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

	/* Most wait so shortly that they send nothing more meanwhile: who does is dealt with then (session_event()). */
	if (session->state == SESSION_WAITING || session->state == SESSION_WELCOMING)
		return;
	bool wanted = session->state != SESSION_FINISHING && session->state != SESSION_SETTING_UP && !blocked;

	if (!wanted || !session->conn.io.reading)
		conn_want_read(&session->conn, wanted);
}

static void flush_if_too_many(struct session *session)
{
	static const char flush[] = { 'H', 0, 0, 0, 4 };

	if (session->backend && session->backend->requests.count > SESSION_REQUESTS_MAX && !session->pass_left)
		outbox_put(&session_relay(session)->to_server, flush, sizeof(flush));
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
	outbox_begin(&relay->to_client, &session->conn);
	if (session->backend)
		session_open_outbox(session);
	retry_begin(session, bytes, size);
	struct error why;
	ssize_t used = walk(session, bytes, size, &why);

	if (used > 0)
		retry_keep(session, bytes, (size_t)used);

	flush_if_too_many(session);
	bool sent = outbox_end(&relay->to_client);
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
