/* RESET of custom settings that a client has begun with.
 *
 * The server knows of no startup value of theirs. After a RESET it answers '', as it does where '' is what was set: only the
 * text tells which, and so the names are remembered that it has reset last.
 *
 * Failure story: a RESET that is not seen here (a function's, or by set_config with NULL) leaves ''. */
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/scan_tokens.h"
#include "session_internal.h"

enum { NAME_MAX_SIZE = 128 };

static void mark(struct session *session, const char *name, bool reset)
{
	struct state_builder builder = { 0 };

	if (!strchr(name, '.') || !state_get(session->startup, name))
		return;
	state_builder_copy(&builder, session->custom_resets);
	if (reset)
		state_builder_set(&builder, name, "");
	else
		state_builder_unset(&builder, name);
	state_unref(&session->custom_resets);
	session->custom_resets = state_builder_finish(&builder);
}

void custom_resets_all(struct session *session)
{
	for (size_t i = 0; i < state_count(session->startup); i++)
		mark(session, state_pairs(session->startup)[i].name, true);
}

void custom_resets_forget(struct session *session, const char *name)
{
	if (session->custom_resets)
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

static void judge_statement(struct session *session, struct scan_cursor *cursor)
{
	char name[NAME_MAX_SIZE];

	if (scan_cursor_take(cursor, "reset")) {
		if (scan_cursor_take(cursor, "all")) {
			custom_resets_all(session);
			return;
		}
		take_name(cursor, name);
		mark(session, name, true);
	} else if (scan_cursor_take(cursor, "set") && !scan_cursor_take(cursor, "local")) {
		(void)scan_cursor_take(cursor, "session");
		take_name(cursor, name);
		if (!take_mark(cursor, '='))
			(void)scan_cursor_take(cursor, "to");
		mark(session, name, scan_cursor_take(cursor, "default"));
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

void custom_resets_note(struct session *session, const char *text, size_t size)
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

bool custom_resets_has(const struct session *session, const char *name, const char *value)
{
	return !*value && state_get(session->custom_resets, name);
}
