/* Calls of functions: words before a parenthesis. */
#include "scan_internal.h"

/* What an operator may follow. */
static bool is_operand(uint8_t kind)
{
	return kind == TOKEN_NAME || kind == TOKEN_QUOTED || kind == TOKEN_CLOSE || kind == TOKEN_STRING || kind == TOKEN_VALUE;
}

/* Two words in a row of which the second may be a function's name elsewhere. */
static bool is_phrase(const struct scan *scan)
{
	switch (scan->previous) {
	case WORD_BY:
		return scan->before == WORD_GROUP || scan->before == WORD_ORDER || scan->before == WORD_PARTITION;
	case WORD_SETS:
		return scan->before == WORD_GROUPING;
	case WORD_KEY:
		return scan->before == WORD_PRIMARY || scan->before == WORD_FOREIGN;
	case WORD_CONFLICT:             /* JOIN t ON conflict(…) */
		return scan->before == WORD_ON && !scan->joined;
	case WORD_OVER:                 /* SELECT DISTINCT ON (a) over(…), a OPERATOR(+) over(…) */
	case WORD_FILTER:
		return scan->before == TOKEN_CLOSE && !scan->call_behind_close;
	default:
		return false;
	}
}

/* FROM f() t(a, b) */
static bool is_alias(const struct scan *scan)
{
	return scan->before == TOKEN_CLOSE && !scan->call_behind_close && !scan->word;
}

/* The name is one that we know, spelled as PostgreSQL's own. */
static bool is_known(const struct scan *scan)
{
	const struct scan_word *word = scan->word;

	if (!word || scan->foreign || !(word->effects || (word->known & KNOWN_HARMLESS)))
		return false;
	return !scan->quoted || memcmp(scan->word_at, word->text, word->size) == 0;
}

bool scan_knows_function(const char *name, size_t size)
{
	const struct scan_word *word = scan_word_find(scan_word_spell(name, size), name, size);

	return word && (word->effects || (word->known & KNOWN_HARMLESS)) && memcmp(name, word->text, size) == 0;
}

/* What the word before the name says already. A statement begins with no call. */
static bool is_named_only(const struct scan *scan)
{
	return scan->naming == 2 || scan->before == WORD_AS || scan->before == WORD_DO || scan->before == TOKEN_END
		|| scan->before == TOKEN_NONE;
}

static bool is_call(const struct scan *scan)
{
	const struct scan_word *word = scan->word;

	if (scan->previous < TOKEN_NAME || is_named_only(scan))
		return false;
	/* As a column's or a schema's part, and in quotes, keywords are names: their kind tells. */
	if (word && scan->previous >= TOKEN_KEYWORD) {
		if ((word->known & KNOWN_KEYWORD) || is_phrase(scan))
			return false;
		if ((word->known & KNOWN_INFIX) && is_operand(scan->before) && !(scan->before == TOKEN_CLOSE && scan->call_behind_close))
			return false;
	}
	return !is_alias(scan) && !is_known(scan);
}

/* At a parenthesis that opens. */
void scan_calls_open(struct scan *scan)
{
	scan->call_behind_close |= scan->previous == WORD_OPERATOR;
	if (!is_call(scan))
		return;
	scan->effects |= SCAN_CALLS;
	if (scan->called) {
		char folded[SCAN_WORD_MAX + 1];
		size_t size = scan_names_fold(scan, folded);

		scan->called(folded, size, scan->called_arg);
	}
}
