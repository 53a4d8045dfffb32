/* Tokens that lie in one piece, one after the other: the way that nearly all bytes take.
 *
 * One switch over classes of bytes does all the work. Words and quoted names are used where they lie, and spelled a block
 * at a time. What may be cut by a piece's end is a state of `enum lexer`; lexer.h says which file goes on with it. */
#include "lexer.h"
#include "lexer_blocks.h"

const uint8_t lexer_classes[256] = {
	['\0'] = BLANK, [' '] = BLANK, ['\t'] = BLANK, ['\f'] = BLANK, ['\v'] = BLANK, ['\n'] = NEWLINE, ['\r'] = NEWLINE,
	['a' ... 'z'] = LETTER, ['A' ... 'Z'] = LETTER, ['_'] = LETTER, [0x80 ... 0xff] = LETTER, ['0' ... '9'] = DIGIT,
	['$'] = DOLLAR, ['\''] = QUOTE, ['"'] = DOUBLE_QUOTE, ['-'] = DASH, ['/'] = SLASH, ['('] = OPEN, [')'] = CLOSE,
	[';'] = SEMICOLON, ['.'] = DOT, ['='] = EQUALS, ['*'] = STAR, [']'] = BRACKET_CLOSE, [','] = COMMA, [':'] = COLON,
};

/* As a spelling has it. */
static const char pg_temp_prefix[8] = { 'p', 'g', '_' | ' ', 't', 'e', 'm', 'p', '_' | ' ' };

/* A word or a quoted name is complete: scan->word_at, word_size and quoted say which. */
static inline void name(struct scan *scan, struct scan_spelling spelling)
{
	const struct scan_word *word = scan_word_find(spelling, scan->word_at, scan->word_size);
	bool part = scan->previous == TOKEN_DOT;
	uint8_t kind = scan->quoted ? TOKEN_QUOTED : TOKEN_NAME;

	scan->word = word;
	scan->foreign = part && !scan->catalog;
	scan->naming = scan->naming == 1 ? 2 : 0;
	if (scan->filter && scan_filter_has(scan->filter, spelling, scan->word_size))
		scan_names_mention(scan);
	if (!word) {
		if (scan->word_size > SCAN_WORD_MAX)
			scan->facts |= SCAN_LONG_NAMES;
		if (memcmp(&spelling, pg_temp_prefix, sizeof(pg_temp_prefix)) == 0)
			scan->effects |= SCAN_TEMPORARY;
		lexer_token(scan, kind);
		return;
	}
	scan->effects |= word->effects;
	/* In quotes and behind a dot no word is a keyword. */
	if (!scan->quoted && !part) {
		kind = word->kind;
		if (word->known & (KNOWN_NAMING | KNOWN_NOTED))
			scan_statement_note(scan, kind);
		if (word->known & KNOWN_NAMING)
			scan->naming = 1;
	} else if (word->kind == TOKEN_NAME && word->known & KNOWN_NOTED) {
		scan_statement_note(scan, TOKEN_NAME);
	}
	lexer_token(scan, kind);
}

static inline bool word_ends(struct scan *scan, const char *text, size_t size, char next, struct scan_spelling spelling)
{
	/* In this order, since the next byte is easier to guess than the size. */
	if ((next == '\'' || next == '&') && size == 1) {
		if (next == '\'' && lexer_string_prefixed(scan, text[0]))
			return true;
		if (next == '&' && (text[0] | ' ') == 'u') {
			scan->kept[0] = text[0];
			scan->lexer = LEX_WORD_AMPERSAND;
			return true;
		}
	}
	scan->lexer = LEX_BETWEEN;
	scan->word_at = text;
	scan->word_size = (uint32_t)size;
	scan->quoted = false;
	name(scan, spelling);
	return false;
}

bool lexer_word_ends(struct scan *scan, const char *text, size_t size, char next, struct scan_spelling spelling)
{
	return word_ends(scan, text, size, next, spelling);
}

static inline const char *word(struct scan *scan, const char *from, const char *end)
{
	const char *at = from;

#ifdef __SSE2__
	if (end - from >= 16) {
		struct scan_spelling spelling;
		unsigned size = lexer_block_word(from, &spelling);

		if (size < 16)
			return from + size + word_ends(scan, from, size, from[size], spelling);
		at = from + 16;
	}
#endif
	while (at < end && lexer_goes_on_word(*at))
		at++;
	if (at == end)
		return lexer_word_is_cut(scan, from, end);
	size_t size = (size_t)(at - from);

	return at + word_ends(scan, from, size, *at, scan_word_spell(from, size));
}

static inline void quoted_spelled(struct scan *scan, const char *text, size_t size, struct scan_spelling spelling)
{
	scan->lexer = LEX_BETWEEN;
	scan->word_at = text;
	scan->word_size = (uint32_t)size;
	scan->quoted = true;
	name(scan, spelling);
}

void lexer_quoted_ends(struct scan *scan, const char *text, size_t size)
{
	quoted_spelled(scan, text, size, scan_word_spell(text, size < SCAN_WORD_MAX ? size : SCAN_WORD_MAX));
}

/* Behind the opening quote. Most names end in their piece, with no quote in them. */
static inline const char *quoted(struct scan *scan, const char *at, const char *end)
{
	const char *from = at;

#ifdef __SSE2__
	if (end - at > 16) {
		struct scan_spelling spelling;
		unsigned size = lexer_block_quoted(at, &spelling);

		if (size < 16 && at[size + 1] != '"') {
			quoted_spelled(scan, at, size, spelling);
			return at + size + 1;
		}
	}
#endif
	while (at < end && *at != '"')
		at++;
	if (end - at >= 2 && at[1] != '"') {
		lexer_quoted_ends(scan, from, (size_t)(at - from));
		return at + 1;
	}
	scan->lexer = LEX_QUOTED;
	scan->word_size = 0;
	return from;
}

const char *lexer_number(struct scan *scan, const char *at, const char *end)
{
	/* The dot of `1.` is its own; a parameter has none. */
	while (at < end && (lexer_class_of(*at) == DIGIT || (*at == '.' && scan->lexer == LEX_NUMBER)))
		at++;
	if (at < end)
		scan->lexer = LEX_BETWEEN;
	return at;
}

static void open(struct scan *scan)
{
	scan_calls_open(scan);
	lexer_punctuation(scan, TOKEN_OPEN);
	scan->depth++;
}

static void close(struct scan *scan)
{
	scan->depth -= scan->depth > 0;
	lexer_punctuation(scan, TOKEN_CLOSE);
}

static void semicolon(struct scan *scan)
{
	scan->naming = 0;
	scan_settings_call_ends(scan);
	if (scan->depth == 0)
		scan_statement_end(scan);
	scan->before = scan->previous;
	scan->previous = TOKEN_END;
}

/* long: one row for each class of bytes. */
const char *lexer_between(struct scan *scan, const char *at, const char *end)
{
	while (at < end && scan->lexer == LEX_BETWEEN) {
		/* Half of all tokens have one in front. */
		if (*at == ' ' && ++at == end)
			break;
		/* By itself, since it is easier to guess than the switch. */
		if (lexer_class_of(*at) == LETTER) {
			at = word(scan, at, end);
			continue;
		}
		switch (lexer_class_of(*at)) {
		case NEWLINE:
			scan->newline = true;
			at++;
			break;
		case BLANK:
			at++;
			break;
		case LETTER:            /* Above. */
			break;
		case DIGIT:
			lexer_value(scan, LEX_NUMBER);
			at = lexer_number(scan, at + 1, end);
			break;
		case DOLLAR:
			at++;
			scan->lexer = LEX_DOLLAR;
			break;
		case QUOTE:
			at++;
			lexer_string_begins(scan, lexer_string_plain(scan));
			break;
		case DOUBLE_QUOTE:
			at = quoted(scan, at + 1, end);
			break;
		case DASH:
			at++;
			scan->lexer = LEX_DASH;
			break;
		case SLASH:
			at++;
			scan->lexer = LEX_SLASH;
			break;
		case OPEN:
			at++;
			open(scan);
			break;
		case CLOSE:
			at++;
			close(scan);
			break;
		case SEMICOLON:
			at++;
			semicolon(scan);
			break;
		case DOT:
			at++;
			lexer_punctuation(scan, TOKEN_DOT);
			break;
		case EQUALS:
			at++;
			lexer_punctuation(scan, TOKEN_EQUALS);
			break;
		case COMMA:
			at++;
			lexer_punctuation(scan, TOKEN_COMMA);
			break;
		case COLON:
			at++;
			lexer_punctuation(scan, TOKEN_COLON);
			break;
		case STAR:
			at++;
			lexer_punctuation(scan, TOKEN_STAR);
			break;
		case BRACKET_CLOSE:
			at++;
			lexer_punctuation(scan, TOKEN_VALUE);
			break;
		case OTHER:
			at++;
			lexer_punctuation(scan, TOKEN_OPERATOR);
			break;
		}
	}
	return at;
}
