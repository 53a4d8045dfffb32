/* What begins with a dollar: parameters, and strings in dollar quotes. */
#include "lexer.h"

/* A dollar quote's tag is in `kept`, with its dollars: as PostgreSQL does, matching begins again at a dollar only. */
static void dollar_begins(struct scan *scan)
{
	scan->naming = 0;
	scan->window = 0;
	scan->tag_matched = 0;
	scan->lexer = LEX_DOLLAR_STRING;
	lexer_token(scan, TOKEN_STRING);
	scan->previous = TOKEN_VALUE;   /* No string goes on with it. */
}

/* A dollar by itself, which PostgreSQL takes nowhere. */
static void no_dollar_quote(struct scan *scan)
{
	scan->effects |= SCAN_UNKNOWN;
	scan->lexer = LEX_BETWEEN;
	lexer_punctuation(scan, TOKEN_OPERATOR);
}

const char *lexer_dollar(struct scan *scan, const char *at)
{
	if (lexer_class_of(*at) == DIGIT) {
		lexer_value(scan, LEX_PARAMETER);
		return at;
	}
	scan->kept[0] = '$';
	scan->word_size = 1;
	scan->lexer = LEX_TAG;
	if (*at == '$' || lexer_class_of(*at) == LETTER)
		return at;
	no_dollar_quote(scan);
	return at;
}

const char *lexer_dollar_tag(struct scan *scan, const char *at, const char *end)
{
	for (; at < end && scan->lexer == LEX_TAG; at++) {
		if (!lexer_goes_on_word(*at) || scan->word_size == SCAN_WORD_MAX) {
			bool too_long = scan->word_size == SCAN_WORD_MAX;

			no_dollar_quote(scan);
			if (too_long)
				scan->lexer = LEX_LOST;
			return at;
		}
		lexer_keep(scan, at, 1);
		if (*at == '$')
			dollar_begins(scan);
	}
	return at;
}

const char *lexer_dollar_string(struct scan *scan, const char *at, const char *end)
{
	at = scan_literals_skip(scan, at, end, '$', '$');
	if (at == end)
		return end;
	scan->tag_matched = 1;
	scan->lexer = LEX_DOLLAR_STRING_END;
	scan_literals_take(scan, '$');
	return at + 1;
}

const char *lexer_dollar_string_end(struct scan *scan, const char *at)
{
	if (*at != scan->kept[scan->tag_matched]) {
		/* A dollar may begin the tag; else the byte is the string's. */
		scan->lexer = LEX_DOLLAR_STRING;
		return at;
	}
	scan_literals_take(scan, *at);
	if (++scan->tag_matched == scan->word_size)
		scan->lexer = LEX_BETWEEN;
	return at + 1;
}
