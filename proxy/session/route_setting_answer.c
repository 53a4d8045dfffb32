/* Answers to what is about pgweir's own settings, in either protocol.
 *
 * In the extended protocol a batch is answered as a whole, up to its Sync or Flush: it is about these settings only, or it is
 * refused. Prepared statements of this kind live here, by the client's names.
 *
 * Failure story: an error inside a transaction is made by the server (refuse.c), so that the transaction fails there too. */
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "route.h"
#include "route_setting.h"
#include "session_internal.h"

enum { OID_OF_TEXT = 25, STATEMENTS_MAX = 64 };

static void put_description(struct buf *out, const struct own_statement *statement)
{
	if (statement->command != OWN_SHOW) {
		wire_end(out, wire_begin(out, 'n'));
		return;
	}
	size_t begun = wire_begin(out, 'T');

	buf_append_u16(out, 1);
	buf_append_cstring(out, route_setting_name(statement->setting));
	buf_append_u32(out, 0);         /* Of no table, */
	buf_append_u16(out, 0);         /* and no column of one. */
	buf_append_u32(out, OID_OF_TEXT);
	buf_append_u16(out, UINT16_MAX);
	buf_append_u32(out, UINT32_MAX);
	buf_append_u16(out, 0);
	wire_end(out, begun);
}

static void run(struct session *session, const struct own_statement *statement, struct buf *out)
{
	static const char *const tags[] = { [OWN_SHOW] = "SHOW", [OWN_SET] = "SET", [OWN_RESET] = "RESET" };

	route_setting_apply(session, statement);
	if (statement->command == OWN_SHOW) {
		char *value = route_setting_value(session, statement->setting);
		size_t begun = wire_begin(out, 'D');

		buf_append_u16(out, 1);
		buf_append_u32(out, (uint32_t)strlen(value));
		buf_append(out, value, strlen(value));
		wire_end(out, begun);
		mem_free(value);
	}
	size_t begun = wire_begin(out, 'C');

	buf_append_cstring(out, tags[statement->command]);
	wire_end(out, begun);
}

static void put_ready(const struct session *session, struct buf *out)
{
	wire_put_ready_for_query(out, session->backend ? session->backend->status : 'I');
}

static void say(struct session *session, struct buf *out)
{
	outbox_put(session_relay(session)->to_client, out->bytes, out->size);
	buf_fini(out);
}

/* --- Simple queries --- */

static ssize_t answer_query(struct session *session, const struct own_statement *statement, size_t whole)
{
	struct buf out = { 0 };

	if (statement->refusal && session->backend)
		return 0;
	if (statement->refusal) {
		session_append_refusal(statement->refusal, &out);
	} else {
		if (statement->command == OWN_SHOW)
			put_description(&out, statement);
		run(session, statement, &out);
	}
	put_ready(session, &out);
	say(session, &out);
	return (ssize_t)whole;
}

/* --- Batches --- */

struct batch {
	struct session *session;
	struct buf out;
	struct own_statement portal;
	bool foreign;                   /* There is something else in it. */
	enum refusal refusal;
};

static void forget(struct session *session, const char *name)
{
	mem_free(map_take_text(&session->route->own, name));
	session->own_statements = session->route->own.size > 0;
}

static void parse_one(struct batch *batch, const char *body, const char *end)
{
	struct session *session = batch->session;
	const char *text = memchr(body, '\0', (size_t)(end - body));
	struct own_statement statement = text ? route_setting_parse(text + 1, (size_t)(end - text - 1)) : (struct own_statement){ 0 };

	if (statement.command == OWN_NONE) {
		batch->foreign = true;
		return;
	}
	batch->refusal = statement.refusal;
	if (statement.refusal)
		return;
	route_prepare(session);
	forget(session, body);
	if (session->route->own.size >= STATEMENTS_MAX)
		batch->refusal = REFUSAL_OWN_ALONE;
	else
		map_put_text(&session->route->own, body, mem_dup(&statement, sizeof(statement)));
	session->own_statements = true;
	wire_end(&batch->out, wire_begin(&batch->out, '1'));
}

static const struct own_statement *find(const struct batch *batch, const char *name, const char *end)
{
	const struct session_route *route = batch->session->route;

	return route && name && name < end && memchr(name, '\0', (size_t)(end - name)) ? map_get_text(&route->own, name) : NULL;
}

static void bind_one(struct batch *batch, const char *body, const char *end)
{
	const char *name = memchr(body, '\0', (size_t)(end - body));
	const struct own_statement *statement = find(batch, name ? name + 1 : NULL, end);

	batch->foreign = !statement;
	if (!statement)
		return;
	batch->portal = *statement;
	wire_end(&batch->out, wire_begin(&batch->out, '2'));
}

static void describe_one(struct batch *batch, const char *body, const char *end)
{
	bool portal = body < end && *body == 'P';
	const struct own_statement *statement = portal ? &batch->portal : find(batch, body + 1, end);

	batch->foreign = !statement || statement->command == OWN_NONE;
	if (batch->foreign)
		return;
	if (!portal) {
		size_t begun = wire_begin(&batch->out, 't');

		buf_append_u16(&batch->out, 0);
		wire_end(&batch->out, begun);
	}
	put_description(&batch->out, statement);
}

static void execute_one(struct batch *batch, const char *body, const char *end)
{
	(void)body, (void)end;
	batch->foreign = batch->portal.command == OWN_NONE;
	if (!batch->foreign)
		run(batch->session, &batch->portal, &batch->out);
}

static void close_one(struct batch *batch, const char *body, const char *end)
{
	bool statement = body < end && *body == 'S';

	batch->foreign = statement && !find(batch, body + 1, end);
	if (batch->foreign)
		return;
	if (statement)
		forget(batch->session, body + 1);
	wire_end(&batch->out, wire_begin(&batch->out, '3'));
}

static void (*const handlers[256])(struct batch *batch, const char *body, const char *end) = {
	['P'] = parse_one, ['B'] = bind_one, ['D'] = describe_one, ['E'] = execute_one, ['C'] = close_one,
};

/* How long the batch is; 0: its end is not here yet. */
static size_t batch_size(const char *bytes, size_t size)
{
	for (size_t at = 0; size - at >= WIRE_HEADER_SIZE;) {
		size_t whole = wire_message_size(bytes + at);

		if (whole < WIRE_HEADER_SIZE || whole > size - at)
			return 0;
		char type = bytes[at];

		at += whole;
		if (type == 'S' || type == 'H' || !handlers[(unsigned char)type])
			return at;
	}
	return 0;
}

static ssize_t refuse(struct batch *batch, size_t used)
{
	struct session *session = batch->session;

	session_append_refusal(batch->refusal ? batch->refusal : REFUSAL_OWN_ALONE, &batch->out);
	say(session, &batch->out);
	session->skipping = SESSION_SKIP_TO_SYNC;
	return (ssize_t)used;
}

static ssize_t answer_batch(struct session *session, const char *bytes, size_t size)
{
	struct batch batch = { .session = session };
	size_t end = batch_size(bytes, size), at = 0;

	if (!end)
		return size > SESSION_STATEMENT_MAX ? 0 : -1;
	while (at < end) {
		const char *message = bytes + at;
		size_t whole = wire_message_size(message);

		if (message[0] == 'S')
			put_ready(session, &batch.out);
		else if (handlers[(unsigned char)message[0]])
			handlers[(unsigned char)message[0]](&batch, message + WIRE_HEADER_SIZE, message + whole);
		else
			batch.foreign = message[0] != 'H';
		if ((batch.foreign || batch.refusal) && session->backend) {
			buf_fini(&batch.out);
			return 0;
		}
		if (batch.foreign || batch.refusal)
			return refuse(&batch, at + (batch.foreign ? 0 : whole));
		at += whole;
	}
	say(session, &batch.out);
	return (ssize_t)end;
}

/* --- Both --- */

/* A Parse of one of these, or a Bind or Describe of one that was parsed before. */
static bool begins_batch(const struct session *session, const char *bytes, size_t size)
{
	const char *body = bytes + WIRE_HEADER_SIZE, *end = bytes + size;
	const char *name = bytes[0] == 'D' || bytes[0] == 'C' ? body + 1 : body;
	const struct batch batch = { .session = (struct session *)(uintptr_t)session };

	if (bytes[0] == 'C' && (body == end || *body != 'S'))
		return false;
	if (bytes[0] == 'B') {
		name = memchr(body, '\0', (size_t)(end - body));
		name = name ? name + 1 : NULL;
	}
	return find(&batch, name, end) != NULL;
}

static bool is_ours(struct session *session, const char *bytes, size_t size, struct own_statement *statement)
{
	const char *text = bytes + WIRE_HEADER_SIZE, *end = bytes + size;

	if (bytes[0] == 'P') {
		const char *nul = memchr(text, '\0', (size_t)(end - text));

		if (session->own_statements && nul)
			forget(session, text);
		text = nul ? nul + 1 : end;
	} else if (bytes[0] != 'Q') {
		return session->own_statements && begins_batch(session, bytes, size);
	}
	if (text < end && route_setting_may_be(text, (size_t)(end - text)))
		*statement = route_setting_parse(text, (size_t)(end - text));
	return statement->command != OWN_NONE;
}

ssize_t route_setting_answer(struct session *session, const char *bytes, size_t size)
{
	size_t whole = wire_message_size(bytes);
	size_t there = whole < size ? whole : size;
	struct own_statement statement = { 0 };
	const struct backend *backend = session->backend;

	if (session->skipping || session->lost || !is_ours(session, bytes, there, &statement) || (backend && backend->unsynced))
		return 0;
	if (whole > size || session->state == SESSION_SETTING_UP)
		return -1;
	/* In its turn, and in the transaction as it is then. */
	if (backend)
		backend_settle(session->backend);
	if (backend && requests_count(&backend->requests)) {
		session->state = SESSION_SETTING_UP;
		return -1;
	}
	if (backend && backend->status == 'E')
		return 0;
	return bytes[0] == 'Q' ? answer_query(session, &statement, whole) : answer_batch(session, bytes, size);
}
