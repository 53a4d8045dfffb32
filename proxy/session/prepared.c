/* Prepared statements of the extended protocol, in transaction mode.
 *
 * A client's name stands for an interned statement, which is prepared under the statement's own name on whichever server
 * connection the client has when it needs it. The unnamed statement keeps what its Parse said, and is prepared again
 * where somebody else's has taken its place.
 *
 * Failure story: whatever the client is told about a statement comes from the server, but for what cannot fail: the
 * Parse of a statement that is there already, and Close. When an error makes the server skip messages,
 * prepared_undone() takes back what they would have changed. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "listen.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "session_internal.h"

static bool tracks(const struct session *session)
{
	return session->mode != POOL_MODE_SESSION && session->share->settings.max_prepared_statements > 0;
}

static struct outbox *to_server(struct session *session)
{
	return &session_relay(session)->to_server;
}

static void put_header(struct session *session, char type, size_t size)
{
	char header[WIRE_HEADER_SIZE] = { type };

	wire_put_u32(header + 1, (uint32_t)(size - 1));
	outbox_put(to_server(session), header, sizeof(header));
}

/* --- The server's side --- */

static void put_close(struct session *session, const char *name)
{
	size_t name_size = strlen(name) + 1;

	put_header(session, 'C', WIRE_HEADER_SIZE + 1 + name_size);
	outbox_put(to_server(session), "S", 1);
	outbox_put(to_server(session), name, name_size);
}

static void put_parse(struct session *session, const char *name, const char *rest, size_t rest_size)
{
	size_t name_size = strlen(name) + 1;

	put_header(session, 'P', WIRE_HEADER_SIZE + name_size + rest_size);
	outbox_put(to_server(session), name, name_size);
	outbox_put(to_server(session), rest, rest_size);
}

/* The statement used longest ago makes room. If the server skips our Close after an error, the request's name brings
 * the statement back into the set. */
static void make_room(struct session *session)
{
	struct backend *backend = session->backend;

	while (prepared_count(&backend->prepared) >= (size_t)session->share->settings.max_prepared_statements) {
		struct statement *oldest = statement_ref(prepared_oldest(&backend->prepared));
		struct statement_name *name = statement_name_new("", oldest);

		put_close(session, oldest->server_name);
		backend_request(backend, REQUEST_CLOSE, REQUEST_INJECTED, name);
		prepared_remove(&backend->prepared, oldest);
		statement_name_unref(&name);
	}
}

static void materialise_as(struct session *session, struct statement_name *name, uint8_t flags)
{
	struct backend *backend = session->backend;

	if (prepared_has(&backend->prepared, name->statement))
		return;
	if (!scope_fits(session, name->statement))
		prepared_renew(session, name);
	struct statement *statement = name->statement;

	make_room(session);
	put_parse(session, statement->server_name, statement->parse, statement->parse_size);
	backend_request(backend, REQUEST_PARSE, REQUEST_INJECTED | flags, name);
	prepared_add(&backend->prepared, statement);
	session->share->stats.server_parses++;
}

static void materialise(struct session *session, struct statement_name *name)
{
	materialise_as(session, name, 0);
}

/* If it cannot be prepared any more, the query does not find it. */
void prepared_materialise_alone(struct session *session, struct statement_name *name)
{
	static const char sync[] = { 'S', 0, 0, 0, 4 };

	if (prepared_has(&session->backend->prepared, name->statement))
		return;
	materialise_as(session, name, REQUEST_TRY);
	backend_request(session->backend, REQUEST_SYNC, REQUEST_INJECTED, NULL);
	outbox_put(to_server(session), sync, sizeof(sync));
}

/* What the client has kept, under the names of now. */
static void put_unnamed(struct session *session, bool runs, uint8_t flags)
{
	const struct buf *kept = session->unnamed;
	size_t text_size = strlen(kept->bytes) + 1;
	struct buf rewritten = { 0 };

	if (session->unnamed_effects & SCAN_STATEMENT_NAMES && session->names.size
		&& sql_names_rewrite(session, kept->bytes, text_size, &rewritten, runs, materialise)) {
		buf_append(&rewritten, kept->bytes + text_size, kept->size - text_size);
		kept = &rewritten;
	}
	put_parse(session, "", kept->bytes, kept->size);
	backend_request(session->backend, REQUEST_PARSE, flags | REQUEST_UNNAMED, NULL);
	session->backend->unnamed_token = session->unnamed_token;
	buf_fini(&rewritten);
}

/* Sees to it that the server connection's unnamed statement is this client's, or that there is none. */
static void materialise_unnamed(struct session *session)
{
	struct backend *backend = session->backend;

	if (backend->unnamed_token == session->unnamed_token)
		return;
	if (session->unnamed_token) {
		put_unnamed(session, false, REQUEST_INJECTED);
		return;
	}
	put_close(session, "");
	backend_request(backend, REQUEST_CLOSE, REQUEST_INJECTED | REQUEST_UNNAMED, NULL);
	backend->unnamed_token = 0;
}

/* The names that it mentions may stand for other statements than when it was parsed, or be on another connection. */
static void unnamed_runs(struct session *session)
{
	if (session->unnamed_token && session->unnamed_effects & SCAN_STATEMENT_NAMES && session->names.size
		&& !(session->pins & PIN_BIT(PIN_LARGE_STATEMENT)))
		put_unnamed(session, true, REQUEST_INJECTED);
	else
		materialise_unnamed(session);
}

/* --- Parse --- */

static uint64_t next_token(struct session *session)
{
	static _Atomic uint64_t batches;
	static _Thread_local uint64_t next, end;

	(void)session;
	/* Unique among all workers, at the price of one shared addition every so often. */
	if (next == end) {
		next = (atomic_fetch_add(&batches, 1) << 20) + 1;
		end = next + (1 << 20) - 1;
	}
	return next++;
}

static void drop_large_pin(struct session *session)
{
	session->pins &= ~PIN_BIT(PIN_LARGE_STATEMENT);
}

static void keep_unnamed(struct session *session, const char *rest, size_t size)
{
	if (!session->unnamed)
		session->unnamed = NEW(struct buf);
	session->unnamed->size = 0;
	buf_append(session->unnamed, rest, size);
}

static void parse_unnamed(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *rest = message + WIRE_HEADER_SIZE + 1;
	size_t rest_size = size - WIRE_HEADER_SIZE - 1;
	bool whole = size == wire_message_size(message) && memchr(rest, '\0', rest_size);

	drop_large_pin(session);
	session->unnamed_token = next_token(session);
	session->unnamed_effects = whole ? session_text_effects(session, rest, rest_size)
		: session_long_text_begin(session, rest, rest_size, size);
	if (whole)
		keep_unnamed(session, rest, rest_size);
	else
		session_pin(session, PIN_LARGE_STATEMENT);
	if (whole && session->unnamed_effects & SCAN_STATEMENT_NAMES && session->names.size) {
		put_unnamed(session, false, 0);
		*skip = size;
		return;
	}
	session->backend->unnamed_token = session->unnamed_token;
	backend_request(session->backend, REQUEST_PARSE, REQUEST_UNNAMED, NULL);
}

/* Beyond those of the scanner. */
#define EFFECTS_KNOWN (1u << 31)
#define EFFECTS_LISTEN (1u << 30)

static uint32_t effects_of(struct session *session, struct statement *statement)
{
	uint32_t effects = atomic_load_explicit(&statement->effects, memory_order_relaxed);

	if (!effects) {
		effects = session_text_effects(session, statement->parse, statement->parse_size) | EFFECTS_KNOWN;
		if (listen_text_mentions(statement->parse, statement->parse_size))
			effects |= EFFECTS_LISTEN;
		atomic_store_explicit(&statement->effects, effects, memory_order_relaxed);
	}
	return effects;
}

static struct statement *intern_for(struct session *session, uint64_t own, const char *rest, size_t rest_size)
{
	uint64_t epoch = atomic_load_explicit(&session->share->pool->database->epoch, memory_order_relaxed);
	struct buf scope = { 0 };

	scope_put(session, epoch, own, &scope);
	struct statement *statement = statement_intern(&session->share->pool->statements, scope.bytes, scope.size, rest, rest_size);

	buf_fini(&scope);
	return statement;
}

static struct statement *intern(struct session *session, const char *rest, size_t rest_size)
{
	/* What ran before in this transaction, or is still to run before this Parse, may have changed settings or tables. */
	struct backend *backend = session->backend;
	bool shared = !backend
		|| (backend->status == 'I' && backend->requests.count == 0 && !session->pins && !session->scope_unsure);
	struct statement *statement = intern_for(session, shared ? 0 : next_token(session), rest, rest_size);

	if (!shared || !(effects_of(session, statement) & SCAN_TIME_LITERAL))
		return statement;
	/* 'now' means the moment of the Parse. */
	statement_unref(&statement);
	return intern_for(session, next_token(session), rest, rest_size);
}

static void parse_new_name(struct session *session, const char *text, const char *rest, size_t rest_size)
{
	struct backend *backend = session->backend;
	struct statement_name *name = statement_name_new(text, intern(session, rest, rest_size));

	map_put_text(&session->names, text, statement_name_ref(name));
	if (prepared_has(&backend->prepared, name->statement) && backend->status != 'E') {
		backend_request(backend, REQUEST_LOCAL_PARSE, 0, name);
	} else {
		make_room(session);
		put_parse(session, name->statement->server_name, rest, rest_size);
		prepared_add(&backend->prepared, name->statement);
		backend_request(backend, REQUEST_PARSE, 0, name);
		session->share->stats.server_parses++;
	}
	statement_name_unref(&name);
}

/* What a server has taken once, with the same meaning, needs no server to be taken again: a client that only prepares
 * does not queue behind those that work. */
bool prepared_parse_alone(struct session *session, const char *message, size_t size)
{
	static const char complete[] = { '1', 0, 0, 0, 4 };
	const char *text = message + WIRE_HEADER_SIZE;

	if (size == WIRE_HEADER_SIZE || !*text || !tracks(session))
		return false;
	size_t name_size = strnlen(text, size - WIRE_HEADER_SIZE) + 1;

	if (size < wire_message_size(message) || name_size > size - WIRE_HEADER_SIZE
		|| map_get_text(&session->names, text) || state_statement(session->settings, text))
		return false;
	struct statement *statement = intern(session, text + name_size, size - WIRE_HEADER_SIZE - name_size);
	bool proven = atomic_load_explicit(&statement->proven, memory_order_relaxed);

	if (proven) {
		map_put_text(&session->names, text, statement_name_new(text, statement_ref(statement)));
		session->share->stats.client_parses++;
		outbox_put(&session_relay(session)->to_client, complete, sizeof(complete));
	}
	statement_unref(&statement);
	return proven;
}

bool prepared_parse_unasked(struct session *session, const char *name, const char *rest, const char *end)
{
	size_t size = (size_t)(end - rest);

	if (!*name) {
		session->unnamed_token = next_token(session);
		session->unnamed_effects = session_text_effects(session, rest, size);
		keep_unnamed(session, rest, size);
		return true;
	}
	if (!tracks(session) || map_get_text(&session->names, name) || state_statement(session->settings, name))
		return false;
	map_put_text(&session->names, name, statement_name_new(name, intern(session, rest, size)));
	return true;
}

/* The name is taken: the server says so in its own words, once it has the statement that the name stands for. */
static void parse_again(struct session *session, struct statement_name *name, const char *rest, size_t rest_size)
{
	materialise(session, name);
	put_parse(session, name->statement->server_name, rest, rest_size);
	backend_request(session->backend, REQUEST_PARSE, 0, NULL);
}

/* Nobody will know later what its Bind runs. */
static void note_untracked(struct session *session, const char *message, size_t size, const char *rest)
{
	struct sql_run run = { .type = 'P', .text = rest, .size = (size_t)(message + size - rest) };

	if (session->mode == POOL_MODE_SESSION)
		return;
	if (size < wire_message_size(message)) {
		session_long_text_begin(session, run.text, run.size, size);
		return;
	}
	run.effects = session_text_effects(session, run.text, run.size);
	session->may_write = true;
	session->sent_effects |= run.effects;
	session_note_run(session, &run);
}

/* A statement of that name which is not one of the protocol's. */
static bool sql_may_have_made(const struct session *session, const char *text)
{
	return session->sql_prepared || session->pins & PIN_BIT(PIN_PREPARE) || state_statement(session->settings, text);
}

bool prepared_parse(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *text = message + WIRE_HEADER_SIZE;
	const char *rest = text + strlen(text) + 1;
	size_t rest_size = (size_t)(message + size - rest);

	session->share->stats.client_parses++;
	if (!tracks(session) || (*text && size < wire_message_size(message))) {
		if (session->mode != POOL_MODE_SESSION && *text)
			session_pin(session, PIN_UNTRACKED_STATEMENT);
		note_untracked(session, message, size, rest);
		backend_request(session->backend, REQUEST_PARSE, 0, NULL);
		return true;
	}
	if (!*text) {
		parse_unnamed(session, message, size, skip);
		return true;
	}
	struct statement_name *known = map_get_text(&session->names, text);

	if (!known && sql_may_have_made(session, text)) {
		/* Then the server says so. */
		leftovers_doubt(session, LEFTOVER_STATEMENTS);
		backend_request(session->backend, REQUEST_PARSE, 0, NULL);
		return true;
	}
	if (known)
		parse_again(session, known, rest, rest_size);
	else
		parse_new_name(session, text, rest, rest_size);
	*skip = size;
	return true;
}

/* --- Bind, Describe, Close --- */

/* A name the client has not prepared. Ours are not for it to guess. */
static const char *unknown_name(const char *text)
{
	return strncmp(text, "pgweir_", 7) == 0 ? "pgweir_" : text;
}

static const char *server_name_for(struct session *session, struct statement_name *name, const char *text)
{
	if (!name)
		return unknown_name(text);
	if (session->listen && effects_of(session, name->statement) & EFFECTS_LISTEN)
		listen_restore(session);
	materialise(session, name);
	return name->statement->server_name;
}

static bool may_run(struct session *session, const struct statement_name *name, bool unnamed, const char *values, const char *end)
{
	const struct buf *kept = session->unnamed;
	struct sql_run run = { .type = 'B', .values = values, .values_end = end };

	if (unnamed && session->listen && kept && listen_text_mentions(kept->bytes, kept->size))
		listen_restore(session);
	if (unnamed) {
		run.effects = session->unnamed_effects;
		run.text = kept ? kept->bytes : "";
		run.size = kept ? kept->size : 0;
	} else if (name) {
		run.statement = name->statement;
		run.effects = effects_of(session, name->statement);
		run.text = name->statement->parse;
		run.size = name->statement->parse_size;
	}
	return session_may_run(session, &run);
}

bool prepared_bind(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *end = message + size;
	const char *portal = message + WIRE_HEADER_SIZE;
	const char *portal_end = memchr(portal, '\0', (size_t)(end - portal));
	const char *text = portal_end ? portal_end + 1 : end;
	const char *text_end = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	if (!text_end)
		return false;
	session->share->stats.binds++;
	struct statement_name *known = tracks(session) && *text ? map_get_text(&session->names, text) : NULL;

	if (tracks(session) && !may_run(session, known, *text == '\0', text_end + 1, end)) {
		*skip = PREPARED_REFUSED;
		return true;
	}
	if (tracks(session) && *text) {
		const char *name = server_name_for(session, known, text);
		size_t name_size = strlen(name) + 1;

		put_header(session, 'B', wire_message_size(message) - (size_t)(text_end + 1 - text) + name_size);
		outbox_put(to_server(session), portal, (size_t)(text - portal));
		outbox_put(to_server(session), name, name_size);
		*skip = (size_t)(text_end + 1 - message);
	} else if (tracks(session)) {
		unnamed_runs(session);
	} else {
		session->sent_effects |= SCAN_UNKNOWN;
		session->may_commit = session->may_write = true;
	}
	session->batch_named |= known != NULL;
	backend_request(session->backend, REQUEST_BIND, 0, known);
	return true;
}

bool prepared_describe(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *text = message + WIRE_HEADER_SIZE + 1;

	if (size < WIRE_HEADER_SIZE + 2 || message[size - 1] != '\0')
		return false;
	bool tracked = message[WIRE_HEADER_SIZE] == 'S' && tracks(session);
	struct statement_name *known = tracked && *text ? map_get_text(&session->names, text) : NULL;

	if (tracked) {
		if (*text) {
			const char *name = server_name_for(session, known, text);

			put_header(session, 'D', WIRE_HEADER_SIZE + 1 + strlen(name) + 1);
			outbox_put(to_server(session), "S", 1);
			outbox_put(to_server(session), name, strlen(name) + 1);
			*skip = size;
		} else {
			materialise_unnamed(session);
		}
	}
	session->batch_named |= known != NULL;
	backend_request(session->backend, REQUEST_DESCRIBE, 0, known);
	return true;
}

static void answer_close(struct session *session)
{
	static const char complete[] = { '3', 0, 0, 0, 4 };

	outbox_put(&session_relay(session)->to_client, complete, sizeof(complete));
}

/* One that SQL has made: the next server connection is told. */
static void forget_sql_statement(struct session *session, const char *text)
{
	struct state_builder builder = { 0 };

	if (!state_statement(session->settings, text))
		return;
	state_builder_copy(&builder, session->settings);
	state_builder_deallocate(&builder, text);
	state_unref(&session->settings);
	session->settings = state_builder_finish(&builder);
	session->waiter.settings = session->settings;
}

/* Without a server connection there is nothing to close but the name. */
static void close_alone(struct session *session, char kind, const char *text)
{
	if (kind == 'S' && !*text)
		session->unnamed_token = 0;
	if (kind == 'S' && *text) {
		struct statement_name *name = map_take_text(&session->names, text);

		statement_name_unref(&name);
		forget_sql_statement(session, text);
	}
	answer_close(session);
}

bool prepared_close(struct session *session, const char *message, size_t size, size_t *skip)
{
	char kind = message[WIRE_HEADER_SIZE];
	const char *text = message + WIRE_HEADER_SIZE + 1;

	if (!session->backend) {
		close_alone(session, kind, text);
		*skip = size;
		return true;
	}
	bool ours = kind == 'S' && *text && tracks(session);

	if (ours && (map_get_text(&session->names, text) || !sql_may_have_made(session, text))) {
		struct statement_name *name = map_take_text(&session->names, text);

		backend_request(session->backend, REQUEST_LOCAL_CLOSE, 0, name);
		statement_name_unref(&name);
		*skip = size;
		return true;
	}
	bool unnamed = kind == 'S' && !*text;

	if (ours)
		leftovers_doubt(session, LEFTOVER_STATEMENTS);
	if (unnamed)
		session->unnamed_token = session->backend->unnamed_token = 0;
	backend_request(session->backend, REQUEST_CLOSE, unnamed ? REQUEST_UNNAMED : 0, NULL);
	return true;
}

void prepared_query(struct session *session)
{
	drop_large_pin(session);
	session->unnamed_token = 0;
	session->backend->unnamed_token = 0;
}

void prepared_renew(struct session *session, struct statement_name *name)
{
	struct statement *old = name->statement;

	name->statement = intern_for(session, next_token(session), old->parse, old->parse_size);
	statement_unref(&old);
}

/* --- What errors undo --- */

static void forget_name(struct session *session, const struct statement_name *name)
{
	struct statement_name *known = map_get_text(&session->names, name->text);

	if (known != name)
		return;
	known = map_take_text(&session->names, name->text);
	statement_name_unref(&known);
}

/* Deallocated behind the protocol's back: the server connection does not have it either. */
void prepared_forget(struct session *session, struct statement_name *name)
{
	forget_name(session, name);
	prepared_remove(&session->backend->prepared, name->statement);
}

static void bring_name_back(struct session *session, struct statement_name *name)
{
	struct statement_name *replaced = map_put_text(&session->names, name->text, statement_name_ref(name));

	statement_name_unref(&replaced);
}

void prepared_undone(struct session *session, const struct request *request)
{
	bool injected = request->flags & REQUEST_INJECTED;

	switch (request->kind) {
	case REQUEST_PARSE:
		if (request->flags & REQUEST_UNNAMED)
			session->backend->unnamed_token = 0;
		if (request->flags & REQUEST_UNNAMED && !injected)
			session->unnamed_token = 0;
		if (request->name && !injected)
			forget_name(session, request->name);
		break;
	case REQUEST_LOCAL_PARSE:
		forget_name(session, request->name);
		break;
	case REQUEST_LOCAL_CLOSE:
		if (request->name)
			bring_name_back(session, request->name);
		break;
	default:
		break;
	}
}

static bool forget_entry(const void *key, size_t size, void *value, void *arg)
{
	struct statement_name *name = value;

	(void)key, (void)size, (void)arg;
	statement_name_unref(&name);
	return true;
}

void prepared_forget_all(struct session *session)
{
	map_foreach(&session->names, forget_entry, NULL);
	map_fini(&session->names);
}

/* --- Names in error messages --- */

struct found_name {
	const char *server_name;
	const char *text;
};

static bool match_name(const void *key, size_t size, void *value, void *arg)
{
	const struct statement_name *name = value;
	struct found_name *found = arg;

	(void)key, (void)size;
	if (strcmp(name->statement->server_name, found->server_name) != 0)
		return true;
	found->text = name->text;
	return false;
}

static const char *client_name_for(struct session *session, const char *server_name)
{
	struct found_name found = { server_name, NULL };

	map_foreach(&session->names, match_name, &found);
	return found.text;
}

/* Replaces `"pgweir_<id>"` by the client's own name. True if something was replaced. */
bool prepared_error(struct session *session, const char *body, size_t size, struct buf *rewritten)
{
	static const char mark[] = "\"pgweir_";
	const char *at = tracks(session) ? memmem(body, size, mark, sizeof(mark) - 1) : NULL;
	const char *stop = at ? memchr(at + 1, '"', (size_t)(body + size - at - 1)) : NULL;
	char server_name[32];

	if (!stop || (size_t)(stop - at - 1) >= sizeof(server_name))
		return false;
	memcpy(server_name, at + 1, (size_t)(stop - at - 1));
	server_name[stop - at - 1] = '\0';
	const char *text = client_name_for(session, server_name);

	if (!text)
		return false;
	size_t begun = wire_begin(rewritten, 'E');

	buf_append(rewritten, body, (size_t)(at + 1 - body));
	buf_append_text(rewritten, text);
	buf_append(rewritten, stop, (size_t)(body + size - stop));
	wire_end(rewritten, begun);
	return true;
}
