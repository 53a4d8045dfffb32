/* Parse: a client's statement becomes an interned one, shared with all who mean the same by the same text. */
#include <stdatomic.h>
#include <string.h>

#include "listen.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "prepared_internal.h"

static uint64_t next_token(void)
{
	static _Atomic uint64_t batches;
	static _Thread_local uint64_t next, end;

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

/* Beside the scanner's and PREPARED_EFFECTS_LISTEN. */
#define EFFECTS_KNOWN (1u << 31)

uint32_t prepared_effects_of(struct session *session, struct statement *statement)
{
	uint32_t effects = atomic_load_explicit(&statement->effects, memory_order_relaxed);

	if (!effects) {
		effects = session_text_effects(session, statement->parse, statement->parse_size) | EFFECTS_KNOWN;
		if (listen_text_mentions(statement->parse, statement->parse_size))
			effects |= PREPARED_EFFECTS_LISTEN;
		atomic_store_explicit(&statement->effects, effects, memory_order_relaxed);
	}
	return effects;
}

static void drop_unnamed(struct session *session)
{
	if (session->unnamed)
		buf_fini(session->unnamed);
	mem_free(session->unnamed);
	session->unnamed = NULL;
}

static void keep_unnamed(struct session *session, const char *rest, size_t size)
{
	if (!session->unnamed)
		session->unnamed = NEW(struct buf);
	session->unnamed->size = 0;
	buf_append(session->unnamed, rest, size);
}

/* `own`: a token, for a statement that is shared with nobody; else 0. */
static struct statement *intern_for(struct session *session, uint64_t own, const char *rest, size_t rest_size)
{
	uint64_t epoch = atomic_load_explicit(&session->share->pool->database->epoch, memory_order_relaxed);
	struct buf scope = { 0 };

	scope_put(session, epoch, own, &scope);
	struct statement *statement = statement_intern(&session->share->pool->statements, scope.bytes, scope.size, rest, rest_size);

	buf_fini(&scope);
	return statement;
}

/* If an error has the server skip the Parse at hand, what it would replace stays. Nothing is ahead of one that begins its batch. */
static struct statement_name *unnamed_before(struct session *session)
{
	const struct requests *requests = &session->backend->requests;
	const struct buf *kept = session->unnamed;

	if (!kept || !requests->count || requests_last(requests)->kind == REQUEST_SYNC)
		return NULL;
	return statement_name_new("", intern_for(session, next_token(), kept->bytes, kept->size));
}

static void parse_unnamed(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *rest = message + WIRE_HEADER_SIZE + 1;
	size_t rest_size = size - WIRE_HEADER_SIZE - 1;
	bool whole = size == wire_message_size(message) && memchr(rest, '\0', rest_size);

	enum unnamed_before unnames = prepared_unnames(session);
	struct statement_name *before = unnamed_before(session);

	drop_large_pin(session);
	session->unnamed_token = next_token();
	session->unnamed_effects = whole ? session_text_effects(session, rest, rest_size)
		: session_long_text_begin(session, rest, rest_size, size);
	if (whole) {
		keep_unnamed(session, rest, rest_size);
	} else {
		drop_unnamed(session);
		session_pin(session, PIN_LARGE_STATEMENT);
	}
	if (whole && session->unnamed_effects & SCAN_STATEMENT_NAMES && session->names.size) {
		/* What the names stand for may be prepared ahead of it, and fail. */
		if (session->backend->unnamed_token)
			prepared_close_unnamed(session);
		prepared_put_unnamed(session, false, 0);
		*skip = size;
	} else {
		session->backend->unnamed_token = session->unnamed_token;
		backend_request(session->backend, REQUEST_PARSE, REQUEST_UNNAMED, NULL);
	}
	requests_last(&session->backend->requests)->unnames = (uint8_t)unnames;
	requests_last(&session->backend->requests)->name = before;
}

void prepared_unnamed_is_kept(struct session *session, enum unnamed_before unnames)
{
	session->unnamed_token = next_token();
	if (unnames == UNNAMED_HERE)
		session->backend->unnamed_token = session->unnamed_token;
}

void prepared_unnamed_is_back(struct session *session, const struct statement_name *before, enum unnamed_before unnames)
{
	session->unnamed_token = 0;
	drop_large_pin(session);
	drop_unnamed(session);
	if (!before)
		return;
	keep_unnamed(session, before->statement->parse, before->statement->parse_size);
	session->unnamed_effects = session_text_effects(session, before->statement->parse, before->statement->parse_size);
	if (unnames != UNNAMED_NONE)
		prepared_unnamed_is_kept(session, unnames);
}

/* Settings go ahead, and what comes behind them does not run if they fail. */
static bool is_first(const struct requests *requests)
{
	for (uint32_t i = 0; i < requests_count(requests); i++)
		if (!(requests_at(requests, i)->flags & REQUEST_SETUP))
			return false;
	return true;
}

static struct statement *intern(struct session *session, const char *rest, size_t rest_size)
{
	/* What ran before in this transaction, or is still to run before this Parse, may have changed settings or tables. */
	struct backend *backend = session->backend;
	bool shared = !backend
		|| (backend->status == 'I' && is_first(&backend->requests) && !session->pins && !session->scope_unsure);
	struct statement *statement = intern_for(session, shared ? 0 : next_token(), rest, rest_size);

	/* Its text is read now, whatever is in force when it is run. */
	bool lasts = !(prepared_effects_of(session, statement) & SCAN_TIME_LITERAL);

	if (lasts || !shared)
		return statement;
	/* 'now' means the moment of the Parse. */
	statement_unref(&statement);
	return intern_for(session, next_token(), rest, rest_size);
}

static void parse_new_name(struct session *session, const char *text, const char *rest, size_t rest_size)
{
	struct backend *backend = session->backend;
	struct statement_name *name = statement_name_new(text, intern(session, rest, rest_size));

	map_put_text(&session->names, text, statement_name_ref(name));
	if (prepared_has(&backend->prepared, name->statement) && backend->status != 'E') {
		backend_request(backend, REQUEST_LOCAL_PARSE, 0, name);
	} else {
		prepared_make_room(session, 0);
		prepared_put_parse(session, name->statement->server_name, rest, rest_size);
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

	if (size == WIRE_HEADER_SIZE || !*text || !prepared_tracks(session))
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
		outbox_put(session_relay(session)->to_client, complete, sizeof(complete));
	}
	statement_unref(&statement);
	return proven;
}

bool prepared_parse_unasked(struct session *session, const char *name, const char *rest, const char *end)
{
	size_t size = (size_t)(end - rest);

	if (!*name) {
		session->unnamed_token = next_token();
		session->unnamed_effects = session_text_effects(session, rest, size);
		keep_unnamed(session, rest, size);
		return true;
	}
	if (!prepared_tracks(session) || map_get_text(&session->names, name) || state_statement(session->settings, name))
		return false;
	map_put_text(&session->names, name, statement_name_new(name, intern(session, rest, size)));
	return true;
}

/* The name is taken: the server says so in its own words, once it has the statement that the name stands for. The request says
 * which name it is, and takes nothing away when it fails. */
static void parse_again(struct session *session, struct statement_name *name, const char *rest, size_t rest_size)
{
	struct statement_name *told = statement_name_new(name->text, prepared_stand_in(session));

	prepared_materialise(session, name);
	prepared_put_parse(session, name->statement->server_name, rest, rest_size);
	backend_request(session->backend, REQUEST_PARSE, 0, told);
	statement_name_unref(&told);
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
	if (run.effects & SCAN_EXECUTES)
		leftovers_doubt_all(session);
}

bool prepared_sql_may_have_made(const struct session *session, const char *text)
{
	return session->sql_prepared || session->pins & PIN_BIT(PIN_PREPARE) || state_statement(session->settings, text);
}

bool prepared_parse(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *text = message + WIRE_HEADER_SIZE;
	const char *rest = text + strlen(text) + 1;
	size_t rest_size = (size_t)(message + size - rest);

	session->share->stats.client_parses++;
	if (!prepared_tracks_name(session, text) || (*text && size < wire_message_size(message))) {
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

	if (!known && prepared_sql_may_have_made(session, text)) {
		/* Then the server says so. If SQL's is gone by then, what runs under the name is this. */
		note_untracked(session, message, size, rest);
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

void prepared_renew(struct session *session, struct statement_name *name)
{
	struct statement *old = name->statement;

	name->statement = intern_for(session, next_token(), old->parse, old->parse_size);
	statement_unref(&old);
}

struct statement *prepared_stand_in(struct session *session)
{
	static const char no_text_no_types[3];

	return intern_for(session, next_token(), no_text_no_types, sizeof(no_text_no_types));
}
