/* What a text says, by its words alone: told quickly, of few texts wrongly, and then for a reason to look closer. */
#include <string.h>
#include <strings.h>

#include "pgweir/scan_tokens.h"
#include "text.h"

static bool is_in_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c & 0x80;
}

/* The first one from `at` on that is no part of another; NULL: there is none. */
static const char *find_word(const char *text, const char *at, const char *end, const char *word)
{
	size_t length = strlen(word);

	for (; (size_t)(end - at) >= length; at++)
		if ((*at | ' ') == *word && strncasecmp(at, word, length) == 0 && (at == text || !is_in_word(at[-1]))
			&& (at + length == end || !is_in_word(at[length])))
			return at;
	return NULL;
}

bool text_may_need_idle_database(const char *text, size_t size)
{
	const char *at = text, *end = text + strnlen(text, size);

	while (at < end && strchr(" \t\r\n\f;", *at))
		at++;
	return at < end && strchr("DdAaCc/-", *at) && find_word(text, at, end, "database");
}

/* INTO of what is neither INSERT nor MERGE. */
static bool selects_into(const char *text, const char *end)
{
	for (const char *at = text; (at = find_word(text, at, end, "into")); at++) {
		const char *before = at;

		while (before > text && strchr(" \t\r\n", before[-1]))
			before--;
		if (!(before - text >= 6 && strncasecmp(before - 6, "insert", 6) == 0)
			&& !(before - text >= 5 && strncasecmp(before - 5, "merge", 5) == 0))
			return true;
	}
	return false;
}

/* Of CREATE, SELECT, WITH, DO, CALL, EXPLAIN the first two letters, or a comment or the like. */
static bool may_begin_definition(const char *text, const char *end)
{
	static const char begins[] = "crsewidocaex";

	if (end - text < 2 || !is_in_word(*text))
		return true;
	for (const char *each = begins; *each; each += 2)
		if ((text[0] | ' ') == each[0] && (text[1] | ' ') == each[1])
			return true;
	return false;
}

bool text_may_define(const struct sql_run *run)
{
	const char *text = run->text, *end = text + strnlen(text, run->size);

	while (text < end && (*text == ' ' || *text == '\n' || *text == '\t' || *text == '\r'))
		text++;
	if (!may_begin_definition(text, end)) {
		const char *semicolon = memchr(text, ';', (size_t)(end - text));

		if (!semicolon || semicolon + 1 == end)
			return false;
	}
	if (find_word(text, text, end, "create") || selects_into(text, end))
		return true;
	return run->effects & SCAN_RUNS_CODE && (find_word(text, text, end, "alter") || find_word(text, text, end, "drop"));
}

bool text_mentions(const char *text, size_t size, const char *word)
{
	size_t length = strlen(word);

	size = strnlen(text, size);
	for (size_t at = 0; at + length <= size; at++)
		if (strncasecmp(text + at, word, length) == 0)
			return true;
	return false;
}

bool text_drops_on_commit(const char *text, size_t size)
{
	struct scan_cursor cursor = { .end = text + strnlen(text, size) };
	bool drops = false;

	for (cursor.token = scan_token_next(text, cursor.end); cursor.token.part != SCAN_PART_END && !drops;)
		if (scan_cursor_take(&cursor, "on"))
			drops = scan_cursor_take(&cursor, "commit") && scan_cursor_take(&cursor, "drop");
		else
			scan_cursor_next(&cursor);
	return drops;
}
