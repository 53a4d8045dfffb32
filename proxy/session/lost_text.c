/* Reads the first statement of a text.
 *
 * Failure story: what is not understood to its end is something else, and is refused. */
#include "lost_text.h"

#include <ctype.h>
#include <string.h>

#include "pgweir/scan_tokens.h"

static bool take_semicolons(struct scan_cursor *words)
{
	bool taken = false;

	for (; words->token.part == SCAN_PART_OTHER && *words->token.at == ';'; taken = true)
		scan_cursor_next(words);
	return taken;
}

static bool is_at_end(const struct scan_cursor *words)
{
	return words->token.part == SCAN_PART_END || (words->token.part == SCAN_PART_OTHER && *words->token.at == ';');
}

/* In lower case unless it is quoted. */
static bool take_name(struct scan_cursor *words, char *name, size_t size)
{
	const char *at = words->token.at, *end = words->token.end;
	bool quoted = words->token.part == SCAN_PART_NAME;
	size_t used = 0;

	if (!quoted && words->token.part != SCAN_PART_WORD)
		return false;
	at += quoted;
	end -= quoted;
	for (; at < end && used < size - 1; at++) {
		name[used++] = quoted ? *at : (char)tolower((unsigned char)*at);
		at += quoted && *at == '"';
	}
	name[used] = '\0';
	scan_cursor_next(words);
	return true;
}

/* SAVEPOINT may be the word, or the name. */
static bool take_savepoint(struct scan_cursor *words, struct lost_text *found)
{
	found->kind = LOST_TEXT_TO_SAVEPOINT;
	if (!take_name(words, found->savepoint, sizeof(found->savepoint)))
		return false;
	if (is_at_end(words) || strcmp(found->savepoint, "savepoint") != 0)
		return true;
	return take_name(words, found->savepoint, sizeof(found->savepoint));
}

static bool take_chain(struct scan_cursor *words, struct lost_text *found)
{
	if (!scan_cursor_take(words, "and"))
		return true;
	found->chains = !scan_cursor_take(words, "no");
	return scan_cursor_take(words, "chain");
}

static void take_work(struct scan_cursor *words)
{
	if (!scan_cursor_take(words, "work"))
		scan_cursor_take(words, "transaction");
}

static bool take_prepare(struct scan_cursor *words, struct lost_text *found)
{
	bool named = scan_cursor_take(words, "transaction")
		&& words->token.part >= SCAN_PART_STRING && words->token.part <= SCAN_PART_DOLLAR;

	found->commits = found->prepares = true;
	scan_cursor_next(words);
	return named;
}

/* Up to its semicolon, or the end. False: it is something else. */
static bool take_statement(struct scan_cursor *words, struct lost_text *found)
{
	found->kind = LOST_TEXT_ENDS;
	if (scan_cursor_take(words, "rollback")) {
		take_work(words);
		return scan_cursor_take(words, "to") ? take_savepoint(words, found) : take_chain(words, found);
	}
	if (scan_cursor_take(words, "prepare"))
		return take_prepare(words, found);
	found->commits = scan_cursor_take(words, "commit") || scan_cursor_take(words, "end");
	if (!found->commits && !scan_cursor_take(words, "abort"))
		return false;
	take_work(words);
	return take_chain(words, found);
}

struct lost_text lost_text_read(const char *text, size_t size)
{
	const char *end = text + strnlen(text, size);
	struct scan_cursor words = { .token = scan_token_next(text, end), .end = end };
	struct lost_text found = { .kind = LOST_TEXT_EMPTY }, other = { .kind = LOST_TEXT_OTHER };

	take_semicolons(&words);
	if (words.token.part == SCAN_PART_END)
		return found;
	if (!take_statement(&words, &found) || !is_at_end(&words))
		return other;
	take_semicolons(&words);
	found.more = words.token.part != SCAN_PART_END;
	return found;
}
