/* The messages a client may send, a row each, and what is done with each.
 *
 * Failure story: one that is malformed gets VERDICT_CLOSED, and the session ends with 08P01. */
#include "client_message.h"

#include <string.h>

#include "listen.h"
#include "lost.h"
#include "pgweir/wire.h"
#include "route_setting.h"

#define HEADER WIRE_HEADER_SIZE
#define WHOLE UINT32_MAX
#define ANY_SIZE WIRE_MESSAGE_MAX

/* A message that answers will come to. */
static void ask(struct session *session, enum request_kind kind)
{
	backend_request(session->backend, kind, 0, NULL);
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
	enum unnamed_before unnames = prepared_query(session);

	if (!session_may_run(session, &run)) {
		session_long_text_drop(session);
		return VERDICT_DROP;
	}
	if (run.effects & SCAN_STATEMENT_NAMES && session->names.size && !session->long_text
		&& query_with_names(session, text, text_size))
		*skip = size;
	ask(session, REQUEST_QUERY);
	requests_last(&session->backend->requests)->unnames = (uint8_t)unnames;
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
	return forwarded_as(prepared_bind(session, message, size, skip), skip);
}

static enum verdict handle_describe(struct session *session, const char *message, size_t size, size_t *skip)
{
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

void client_message_say_ready(struct session *session)
{
	const char ready[] = { 'Z', 0, 0, 0, 5, lost_status(session) };

	outbox_put(session_relay(session)->to_client, ready, sizeof(ready));
}

static enum verdict handle_sync(struct session *session, const char *message, size_t size, size_t *skip)
{
	(void)message, (void)size, (void)skip;
	if (!session->backend) {
		client_message_say_ready(session);
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
	else if (backend->requests.count)
		backend_request(backend, REQUEST_COPY_END, 0, NULL);
	return VERDICT_FORWARD;
}

static enum verdict handle_terminate(struct session *session, const char *message, size_t size, size_t *skip)
{
	(void)message, (void)size, (void)skip;
	session->terminated = true;
	return VERDICT_DROP;
}

/* --- The table --- */

const struct message_rule client_message_rules[256] = {
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
