/* What BEGIN and its like say of a transaction. */
#include <string.h>

#include "pgweir/check.h"
#include "pgweir/reads.h"
#include "pgweir/scan_tokens.h"

static bool take_char(struct scan_cursor *words, char c)
{
	if (words->token.part != SCAN_PART_OTHER || *words->token.at != c)
		return false;
	scan_cursor_next(words);
	return true;
}

/* How the statement begins; 0: otherwise. */
static unsigned take_beginning(struct scan_cursor *words)
{
	if (scan_cursor_take(words, "begin")) {
		if (!scan_cursor_take(words, "transaction"))
			scan_cursor_take(words, "work");
		return READS_BEGINS;
	}
	if (scan_cursor_take(words, "start"))
		return scan_cursor_take(words, "transaction") ? READS_BEGINS : 0;
	if (!scan_cursor_take(words, "set"))
		return 0;
	if (scan_cursor_take(words, "session")) {
		bool all = scan_cursor_take(words, "characteristics") && scan_cursor_take(words, "as") && scan_cursor_take(words, "transaction");

		return all ? READS_SETS_SESSION : 0;
	}
	scan_cursor_take(words, "local");
	return scan_cursor_take(words, "transaction") ? READS_SETS : 0;
}

enum { ACCESS = READS_READ_ONLY | READS_READ_WRITE, LEVELS = READS_SERIALIZABLE | READS_ISOLATION };

/* ISOLATION LEVEL is gone. */
static unsigned take_level(struct scan_cursor *words)
{
	if (scan_cursor_take(words, "serializable"))
		return READS_SERIALIZABLE;
	if (scan_cursor_take(words, "repeatable"))
		return scan_cursor_take(words, "read") ? READS_ISOLATION : 0;
	if (scan_cursor_take(words, "read"))
		return scan_cursor_take(words, "committed") || scan_cursor_take(words, "uncommitted") ? READS_ISOLATION : 0;
	return 0;
}

/* Takes one mode into `modes`. False: it is none. */
static bool take_mode(struct scan_cursor *words, unsigned *modes)
{
	unsigned found = 0, replaced = 0;

	if (scan_cursor_take(words, "read")) {
		found = scan_cursor_take(words, "only") ? READS_READ_ONLY : scan_cursor_take(words, "write") ? READS_READ_WRITE : 0;
		replaced = ACCESS;
	} else if (scan_cursor_take(words, "isolation")) {
		found = scan_cursor_take(words, "level") ? take_level(words) : 0;
		replaced = LEVELS;
	} else if (scan_cursor_take(words, "not")) {
		replaced = READS_DEFERRABLE;
		*modes &= ~replaced;
		return scan_cursor_take(words, "deferrable");
	} else if (scan_cursor_take(words, "deferrable")) {
		found = READS_DEFERRABLE;
	}
	*modes = (*modes & ~replaced) | found;
	return found != 0;
}

/* Modes with or without commas between. */
static bool take_modes(struct scan_cursor *words, unsigned *modes)
{
	while (words->token.part != SCAN_PART_END && !take_char(words, ';')) {
		if (!take_mode(words, modes))
			return false;
		if (take_char(words, ',') && words->token.part == SCAN_PART_END)
			return false;
	}
	while (take_char(words, ';'))
		continue;
	return words->token.part == SCAN_PART_END;
}

unsigned reads_transaction(const char *text, size_t size)
{
	struct scan_cursor words = { .token = scan_token_next(text, text + size), .end = text + size };
	unsigned modes = take_beginning(&words);

	if (!modes)
		return 0;
	if (modes == READS_SETS && scan_cursor_take(&words, "snapshot")) {
		modes |= READS_SNAPSHOT;
		scan_cursor_next(&words);
	}
	return take_modes(&words, &modes) ? modes : 0;
}
