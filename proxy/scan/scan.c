/* Cuts text into tokens as PostgreSQL's lexer (scan.l) does, from wherever the last piece ended.
 *
 * Where that is, is a state of `enum lexer`; a function for each (lexer.h) takes what comes next.
 *
 * Failure story: what is not whole at the end of the text, PostgreSQL would refuse; the answer is SCAN_UNKNOWN. */
#include "lexer.h"

/* Each takes one byte at least, or leads to a state that does. */
static const char *step(struct scan *scan, const char *at, const char *end)
{
	switch ((enum lexer)scan->lexer) {
	case LEX_BETWEEN:
		return lexer_between(scan, at, end);
	case LEX_WORD:
		return lexer_word_goes_on(scan, at, end);
	case LEX_WORD_AMPERSAND:
		return lexer_word_ampersand(scan, at);
	case LEX_NUMBER:
	case LEX_PARAMETER:
		return lexer_number(scan, at, end);
	case LEX_DASH:
	case LEX_SLASH:
		return lexer_comment_begins(scan, at);
	case LEX_LINE_COMMENT:
		return lexer_comment_line(scan, at, end);
	case LEX_COMMENT:
		return lexer_comment(scan, at, end);
	case LEX_COMMENT_STAR:
	case LEX_COMMENT_SLASH:
		return lexer_comment_turn(scan, at);
	case LEX_STRING:
		return lexer_string_goes_on(scan, at, end);
	case LEX_STRING_QUOTE:
		return lexer_string_quote(scan, at);
	case LEX_STRING_ESCAPE:
		return lexer_string_escape(scan, at);
	case LEX_ARGUMENT:
		return lexer_argument(scan, at, end);
	case LEX_ARGUMENT_QUOTE:
		return lexer_argument_quote(scan, at);
	case LEX_ARGUMENT_NUMBER:
		return lexer_argument_number(scan, at, end);
	case LEX_QUOTED:
		return lexer_quoted_goes_on(scan, at, end);
	case LEX_QUOTED_QUOTE:
		return lexer_quoted_quote(scan, at);
	case LEX_DOLLAR:
		return lexer_dollar(scan, at);
	case LEX_TAG:
		return lexer_dollar_tag(scan, at, end);
	case LEX_DOLLAR_STRING:
		return lexer_dollar_string(scan, at, end);
	case LEX_DOLLAR_STRING_END:
		return lexer_dollar_string_end(scan, at);
	case LEX_LOST:
		return end;
	}
	return end;
}

/* A word whose parenthesis may be in the next piece. */
static void keep_last_word(struct scan *scan)
{
	if (scan->previous < TOKEN_NAME || scan->word_at == scan->kept)
		return;
	/* In these states `kept` is taken, and the word before is no longer of interest: no parenthesis comes. */
	bool taken = scan->lexer == LEX_WORD || scan->lexer == LEX_WORD_AMPERSAND || scan->lexer == LEX_QUOTED
		|| scan->lexer == LEX_QUOTED_QUOTE || scan->lexer == LEX_TAG;

	if (!taken)
		memcpy(scan->kept, scan->word_at, scan->word_size < SCAN_WORD_MAX ? scan->word_size : SCAN_WORD_MAX);
	/* The piece is about to go. */
	scan->word_at = scan->kept;
}

static size_t ascii_size(const char *bytes, size_t size)
{
	size_t at = 0;

	while (at < size && (uint8_t)bytes[at] < 0x80)
		at++;
	return at;
}

void scan_begin(struct scan *scan, unsigned flags)
{
	memset(scan, 0, offsetof(struct scan, kept));
	scan->flags = (uint8_t)flags;
	scan->step = STEP_START;
	scan->word_at = scan->kept;
}

void scan_feed(struct scan *scan, const char *bytes, size_t size)
{
	bool ambiguous = false;

	if (scan->flags & SCAN_AMBIGUOUS_BYTES) {
		size_t ascii = ascii_size(bytes, size);

		ambiguous = ascii < size;
		size = ascii;
	}
	for (const char *at = bytes, *end = bytes + size; at < end;)
		at = step(scan, at, end);
	keep_last_word(scan);
	if (ambiguous) {
		scan->effects |= SCAN_UNKNOWN;
		scan->lexer = LEX_LOST;
	}
}

static void finish_lexer(struct scan *scan)
{
	switch ((enum lexer)scan->lexer) {
	case LEX_WORD:
		lexer_word_is_over(scan);
		break;
	case LEX_WORD_AMPERSAND:
		lexer_word_ampersand_is_operator(scan);
		break;
	case LEX_QUOTED_QUOTE:
		lexer_quoted_ends(scan, scan->kept, scan->word_size);
		break;
	case LEX_COMMENT:
	case LEX_COMMENT_STAR:
	case LEX_COMMENT_SLASH:
	case LEX_STRING:
	case LEX_STRING_ESCAPE:
	case LEX_ARGUMENT:
	case LEX_QUOTED:
	case LEX_DOLLAR:
	case LEX_TAG:
	case LEX_DOLLAR_STRING:
	case LEX_DOLLAR_STRING_END:
		scan->effects |= SCAN_UNKNOWN;
		break;
	case LEX_BETWEEN:
	case LEX_NUMBER:
	case LEX_PARAMETER:
	case LEX_DASH:
	case LEX_SLASH:
	case LEX_LINE_COMMENT:
	case LEX_STRING_QUOTE:
	case LEX_ARGUMENT_QUOTE:
	case LEX_ARGUMENT_NUMBER:
	case LEX_LOST:
		break;
	}
}

static void finish_open(struct scan *scan)
{
	scan_settings_call_ends(scan);
	if (scan->depth > 0 || scan->step >= STEP_BODY_START)
		scan->effects |= SCAN_UNKNOWN;
}

uint32_t scan_end(struct scan *scan)
{
	finish_lexer(scan);
	if (scan->depth > 0 || scan->step >= STEP_BODY_START)
		finish_open(scan);
	scan_statement_end(scan);
	scan->lexer = LEX_LOST;
	return scan->effects;
}

uint32_t scan_text(const char *bytes, size_t size, unsigned flags, struct scan_names *names)
{
	struct scan scan;

	scan_begin(&scan, flags);
	scan.names = names;
	if (names)
		names->count = names->lost = 0;
	scan_feed(&scan, bytes, size);
	return scan_end(&scan);
}
