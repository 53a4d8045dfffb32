/* What BEGIN and its like say of a transaction. */
#include <string.h>
#include <strings.h>

#include "pgweir/check.h"
#include "pgweir/reads.h"
#include "pgweir/scan_tokens.h"

struct words {
	struct scan_token token;        /* The next one. */
	const char *end;
};

static void advance(struct words *words)
{
	words->token = scan_token_next(words->token.end, words->end);
}

static bool take(struct words *words, const char *word)
{
	size_t size = (size_t)(words->token.end - words->token.at);

	if (words->token.part != SCAN_PART_WORD || strlen(word) != size || strncasecmp(words->token.at, word, size) != 0)
		return false;
	advance(words);
	return true;
}

static bool take_char(struct words *words, char c)
{
	if (words->token.part != SCAN_PART_OTHER || *words->token.at != c)
		return false;
	advance(words);
	return true;
}

/* How the statement begins; 0: otherwise. */
static unsigned take_beginning(struct words *words)
{
	if (take(words, "begin")) {
		if (!take(words, "transaction"))
			take(words, "work");
		return READS_BEGINS;
	}
	if (take(words, "start"))
		return take(words, "transaction") ? READS_BEGINS : 0;
	if (!take(words, "set"))
		return 0;
	if (take(words, "session")) {
		bool all = take(words, "characteristics") && take(words, "as") && take(words, "transaction");

		return all ? READS_SETS_SESSION : 0;
	}
	take(words, "local");
	return take(words, "transaction") ? READS_SETS : 0;
}

enum { ACCESS = READS_READ_ONLY | READS_READ_WRITE, LEVELS = READS_SERIALIZABLE | READS_ISOLATION };

/* ISOLATION LEVEL is gone. */
static unsigned take_level(struct words *words)
{
	if (take(words, "serializable"))
		return READS_SERIALIZABLE;
	if (take(words, "repeatable"))
		return take(words, "read") ? READS_ISOLATION : 0;
	if (take(words, "read"))
		return take(words, "committed") || take(words, "uncommitted") ? READS_ISOLATION : 0;
	return 0;
}

/* Takes one mode into `modes`. False: it is none. */
static bool take_mode(struct words *words, unsigned *modes)
{
	unsigned found = 0, replaced = 0;

	if (take(words, "read")) {
		found = take(words, "only") ? READS_READ_ONLY : take(words, "write") ? READS_READ_WRITE : 0;
		replaced = ACCESS;
	} else if (take(words, "isolation")) {
		found = take(words, "level") ? take_level(words) : 0;
		replaced = LEVELS;
	} else if (take(words, "not")) {
		replaced = READS_DEFERRABLE;
		*modes &= ~replaced;
		return take(words, "deferrable");
	} else if (take(words, "deferrable")) {
		found = READS_DEFERRABLE;
	}
	*modes = (*modes & ~replaced) | found;
	return found != 0;
}

/* Modes with or without commas between. */
static bool take_modes(struct words *words, unsigned *modes)
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
	struct words words = { .token = scan_token_next(text, text + size), .end = text + size };
	unsigned modes = take_beginning(&words);

	if (!modes)
		return 0;
	if (modes == READS_SETS && take(&words, "snapshot")) {
		modes |= READS_SNAPSHOT;
		advance(&words);
	}
	return take_modes(&words, &modes) ? modes : 0;
}
