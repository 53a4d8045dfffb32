/* RESET of what a client has begun with.
 *
 * The server knows nothing of a client's startup values: RESET leads to its own, and pgweir puts the client's in force again ahead
 * of the next message. By then the client must have been told, as it spells its texts by what it was told last. And of a
 * custom setting the server says '' then, as it does where '' is what was set. So the names are remembered that texts have reset.
 *
 * Failure story: a RESET that is not seen here (a function's, or by set_config with NULL) is told with the answer to the next
 * message, and leaves '' of a custom setting. */
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/scan_tokens.h"
#include "pgweir/wire.h"
#include "session_internal.h"

enum { NAME_MAX_SIZE = 128 };

static void mark(struct session *session, const char *name, bool reset)
{
	struct state_builder builder = { 0 };

	if (!state_get(session->startup, name))
		return;
	state_builder_copy(&builder, session->resets);
	if (reset)
		state_builder_set(&builder, name, "");
	else
		state_builder_unset(&builder, name);
	state_unref(&session->resets);
	session->resets = state_builder_finish(&builder);
	session->resets_undone = false;
	session->backend->interjects |= session->resets != NULL;
}

void resets_all(struct session *session)
{
	for (size_t i = 0; i < state_count(session->startup); i++)
		mark(session, state_pairs(session->startup)[i].name, true);
}

void resets_forget(struct session *session, const char *name)
{
	if (session->resets)
		mark(session, name, false);
}

/* What is longer is no name of ours. */
static void add(char *name, const char *at, const char *end)
{
	size_t size = strlen(name);

	for (; at < end && size + 1 < NAME_MAX_SIZE; at++)
		name[size++] = *at >= 'A' && *at <= 'Z' ? (char)(*at | ' ') : *at;
	name[size] = '\0';
}

static bool take_mark(struct scan_cursor *cursor, char mark)
{
	if (cursor->token.part != SCAN_PART_OTHER || *cursor->token.at != mark)
		return false;
	scan_cursor_next(cursor);
	return true;
}

static void take_name(struct scan_cursor *cursor, char name[NAME_MAX_SIZE])
{
	name[0] = '\0';
	do {
		if (cursor->token.part == SCAN_PART_WORD)
			add(name, cursor->token.at, cursor->token.end);
		else if (cursor->token.part == SCAN_PART_NAME && cursor->token.end - cursor->token.at >= 2)
			add(name, cursor->token.at + 1, cursor->token.end - 1);
		else
			return;
		scan_cursor_next(cursor);
		if (cursor->token.part == SCAN_PART_OTHER && *cursor->token.at == '.')
			add(name, ".", "." + 1);
	} while (take_mark(cursor, '.'));
}

/* What comes behind SET. */
static void judge_set(struct session *session, struct scan_cursor *cursor)
{
	char name[NAME_MAX_SIZE];

	if (scan_cursor_take(cursor, "names")) {
		bool bare = cursor->token.part == SCAN_PART_END || (cursor->token.part == SCAN_PART_OTHER && *cursor->token.at == ';');

		mark(session, "client_encoding", bare || scan_cursor_take(cursor, "default"));
		return;
	}
	if (scan_cursor_take(cursor, "time")) {
		(void)scan_cursor_take(cursor, "zone");
		mark(session, "timezone", scan_cursor_take(cursor, "default") || scan_cursor_take(cursor, "local"));
		return;
	}
	take_name(cursor, name);
	if (!take_mark(cursor, '='))
		(void)scan_cursor_take(cursor, "to");
	mark(session, name, scan_cursor_take(cursor, "default"));
}

static void judge_statement(struct session *session, struct scan_cursor *cursor)
{
	char name[NAME_MAX_SIZE];

	if (scan_cursor_take(cursor, "reset")) {
		if (scan_cursor_take(cursor, "all")) {
			resets_all(session);
			return;
		}
		if (scan_cursor_take(cursor, "time"))
			memcpy(name, "timezone", sizeof("timezone"));
		else
			take_name(cursor, name);
		mark(session, name, true);
	} else if (scan_cursor_take(cursor, "set") && !scan_cursor_take(cursor, "local")) {
		(void)scan_cursor_take(cursor, "session");
		judge_set(session, cursor);
	}
}

/* set_config('…' */
static void judge_call(struct session *session, struct scan_cursor *cursor)
{
	char name[NAME_MAX_SIZE] = "";

	if (!take_mark(cursor, '(') || cursor->token.part != SCAN_PART_STRING || cursor->token.end - cursor->token.at < 2)
		return;
	add(name, cursor->token.at + 1, cursor->token.end - 1);
	mark(session, name, false);
}

void resets_note(struct session *session, const char *text, size_t size)
{
	struct scan_cursor cursor = { .end = text + strnlen(text, size) };

	cursor.token = scan_token_next(text, cursor.end);
	judge_statement(session, &cursor);
	while (cursor.token.part != SCAN_PART_END) {
		if (scan_cursor_take(&cursor, "set_config"))
			judge_call(session, &cursor);
		else if (take_mark(&cursor, ';'))
			judge_statement(session, &cursor);
		else
			scan_cursor_next(&cursor);
	}
}

bool resets_has(const struct session *session, const char *name, const char *value)
{
	const char *before = state_get(session->settings, name);

	return !*value && state_get(session->resets, name) && !(session->resets_undone && before && !*before);
}

static void put_status(struct buf *out, const char *name, const char *value)
{
	size_t begun = wire_begin(out, 'S');

	buf_append_cstring(out, name);
	buf_append_cstring(out, value);
	wire_end(out, begun);
}

/* With the end of the transaction. */
void resets_report(struct session *session, struct buf *out)
{
	const struct parameters *parameters = &session->backend->server->parameters;

	if (session->resets_undone)
		return;
	for (size_t i = 0; i < state_count(session->resets); i++) {
		const char *name = state_pairs(session->resets)[i].name;
		const struct parameter *reported = parameters_find(parameters, name);

		if (!reported)
			continue;
		char *told = session_told_at_start(session, name);
		const char *value = told ? told : state_get(session->startup, name);

		if (strcmp(value, reported->value) != 0)
			put_status(out, reported->name, value);
		mem_free(told);
	}
}
