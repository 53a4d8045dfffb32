/* Cuts text into tokens as PostgreSQL's lexer (scan.l) does, from wherever the last piece ended.
 *
 * Between tokens one switch over classes of bytes does all the work; what may be cut by a piece's end is a state of `lexer`.
 * Words and quoted names that lie in one piece are used where they lie.
 *
 * Failure story: what is not whole at the end of the text, PostgreSQL would refuse; the answer is SCAN_UNKNOWN. */
#include "scan_internal.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* How a string's end is found. */
enum { STRING_PLAIN, STRING_ESCAPES };

enum class {
	OTHER, BLANK, NEWLINE, LETTER, DIGIT, DOLLAR, QUOTE, DOUBLE_QUOTE, DASH, SLASH, OPEN, CLOSE, SEMICOLON, DOT, EQUALS, STAR,
	BRACKET_CLOSE, COMMA, COLON,
};

static const uint8_t classes[256] = {
	['\0'] = BLANK, [' '] = BLANK, ['\t'] = BLANK, ['\f'] = BLANK, ['\v'] = BLANK, ['\n'] = NEWLINE, ['\r'] = NEWLINE,
	['a' ... 'z'] = LETTER, ['A' ... 'Z'] = LETTER, ['_'] = LETTER, [0x80 ... 0xff] = LETTER, ['0' ... '9'] = DIGIT,
	['$'] = DOLLAR, ['\''] = QUOTE, ['"'] = DOUBLE_QUOTE, ['-'] = DASH, ['/'] = SLASH, ['('] = OPEN, [')'] = CLOSE,
	[';'] = SEMICOLON, ['.'] = DOT, ['='] = EQUALS, ['*'] = STAR, [']'] = BRACKET_CLOSE, [','] = COMMA, [':'] = COLON,
};

static enum class class_of(char byte)
{
	return (enum class)classes[(uint8_t)byte];
}

static bool goes_on_word(char byte)
{
	enum class class = class_of(byte);

	return class == LETTER || class == DIGIT || class == DOLLAR;
}

static inline void token(struct scan *scan, uint8_t kind)
{
	if (scan->step != STEP_NONE)
		scan_statement_step(scan, kind);
	scan->before = scan->previous;
	scan->previous = kind;
}

static void punctuation(struct scan *scan, uint8_t kind)
{
	scan->naming = scan->naming == 2 && kind == TOKEN_DOT;
	scan->catalog = scan->previous == WORD_PG_CATALOG;
	token(scan, kind);
}

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
		token(scan, kind);
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
	} else if (word->effects & SCAN_CALLS_SET_CONFIG) {
		scan_settings_call(scan);
	}
	token(scan, kind);
}

static void string_begins(struct scan *scan, uint8_t string)
{
	/* Behind a newline a quote goes on with the string before. */
	bool goes_on = scan->previous == TOKEN_STRING && scan->newline;

	scan->lexer = LEX_STRING;
	if (goes_on) {
		scan_settings_spoil(scan);
		return;
	}
	scan->string = string;
	scan->window = 0;
	scan->naming = 0;
	token(scan, TOKEN_STRING);
}

static uint8_t plain_string(const struct scan *scan)
{
	return scan->flags & SCAN_BACKSLASH_STRINGS ? STRING_ESCAPES : STRING_PLAIN;
}

/* One letter before a quote says which string it is. */
static bool prefixed_string(struct scan *scan, char letter)
{
	switch (letter | ' ') {
	case 'e':
		scan->previous = TOKEN_NONE;
		string_begins(scan, STRING_ESCAPES);
		return true;
	case 'n':
		scan->previous = TOKEN_NONE;
		string_begins(scan, plain_string(scan));
		return true;
	case 'b':
	case 'x':
		scan->previous = TOKEN_NONE;
		string_begins(scan, STRING_PLAIN);
		return true;
	default:
		return false;
	}
}

/* The word ends before `next`. Tells whether `next` belongs to what it begins. */
static inline bool word_ends(struct scan *scan, const char *text, size_t size, char next, struct scan_spelling spelling)
{
	/* In this order, since the next byte is easier to guess than the size. */
	if ((next == '\'' || next == '&') && size == 1) {
		if (next == '\'' && prefixed_string(scan, text[0]))
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

/* What does not fit is counted only. */
static void keep(struct scan *scan, const char *text, size_t size)
{
	size_t room = scan->word_size < SCAN_WORD_MAX ? SCAN_WORD_MAX - scan->word_size : 0;

	if (room > 0)
		memcpy(scan->kept + scan->word_size, text, size < room ? size : room);
	scan->word_size = scan->word_size > UINT32_MAX / 2 ? scan->word_size : scan->word_size + (uint32_t)size;
}

static struct scan_spelling spelling_of_kept(const struct scan *scan)
{
	/* One that is longer is none that we know; its size keeps it from being found. */
	return scan_word_spell(scan->kept, scan->word_size < SCAN_WORD_MAX ? scan->word_size : SCAN_WORD_MAX);
}

static const char *word_goes_on(struct scan *scan, const char *at, const char *end)
{
	const char *from = at;

	while (at < end && goes_on_word(*at))
		at++;
	keep(scan, from, (size_t)(at - from));
	if (at == end)
		return at;
	return at + word_ends(scan, scan->kept, scan->word_size, *at, spelling_of_kept(scan));
}

static const char *word_is_cut(struct scan *scan, const char *from, const char *end)
{
	scan->lexer = LEX_WORD;
	scan->word_size = 0;
	keep(scan, from, (size_t)(end - from));
	return end;
}

#ifdef __SSE2__
static const uint8_t first_bytes[32] = { [0 ... 15] = 0xff };

static inline __m128i between_bytes(__m128i block, char least, char most)
{
	__m128i high_enough = _mm_cmpgt_epi8(block, _mm_set1_epi8((char)(least - 1)));

	return _mm_and_si128(high_enough, _mm_cmplt_epi8(block, _mm_set1_epi8((char)(most + 1))));
}

/* The bytes of the block before the first of which `good` has no sign bit: how many, and as a spelling. */
static inline unsigned spell_block(__m128i lower, __m128i good, struct scan_spelling *spelling)
{
	unsigned size = (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(good));
	__m128i spelled = _mm_and_si128(lower, _mm_loadu_si128((const void *)(first_bytes + 16 - size)));

	spelling->low = (uint64_t)_mm_cvtsi128_si64(spelled);
	spelling->high = (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(spelled, spelled));
	return size;
}

/* 16 if the block has no quote. */
static inline unsigned quoted_in_block(const char *at, struct scan_spelling *spelling)
{
	__m128i block = _mm_loadu_si128((const void *)at);
	__m128i quotes = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));

	return spell_block(_mm_or_si128(block, _mm_set1_epi8(' ')), _mm_andnot_si128(quotes, _mm_set1_epi8(-1)), spelling);
}

/* 16 if all bytes of the block belong to a word. */
static inline unsigned word_in_block(const char *at, struct scan_spelling *spelling)
{
	__m128i block = _mm_loadu_si128((const void *)at);
	__m128i lower = _mm_or_si128(block, _mm_set1_epi8(' '));
	__m128i letters = between_bytes(lower, 'a', 'z'), digits = between_bytes(block, '0', '9');
	__m128i others = _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8('_')), _mm_cmpeq_epi8(block, _mm_set1_epi8('$')));
	__m128i good = _mm_or_si128(_mm_or_si128(letters, digits), _mm_or_si128(others, block));        /* The sign bit counts. */
	return spell_block(lower, good, spelling);
}
#endif

static inline const char *word(struct scan *scan, const char *from, const char *end)
{
	const char *at = from;

#ifdef __SSE2__
	if (end - from >= 16) {
		struct scan_spelling spelling;
		unsigned size = word_in_block(from, &spelling);

		if (size < 16)
			return from + size + word_ends(scan, from, size, from[size], spelling);
		at = from + 16;
	}
#endif
	while (at < end && goes_on_word(*at))
		at++;
	if (at == end)
		return word_is_cut(scan, from, end);
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

static void quoted_ends(struct scan *scan, const char *text, size_t size)
{
	quoted_spelled(scan, text, size, scan_word_spell(text, size < SCAN_WORD_MAX ? size : SCAN_WORD_MAX));
}

static const char *quoted_goes_on(struct scan *scan, const char *at, const char *end)
{
	const char *quote = memchr(at, '"', (size_t)(end - at));
	const char *to = quote ? quote : end;

	keep(scan, at, (size_t)(to - at));
	if (quote)
		scan->lexer = LEX_QUOTED_QUOTE;
	return quote ? quote + 1 : end;
}

/* Behind the opening quote. Most names end in their piece, with no quote in them. */
static inline const char *quoted(struct scan *scan, const char *at, const char *end)
{
	const char *from = at;

#ifdef __SSE2__
	if (end - at > 16) {
		struct scan_spelling spelling;
		unsigned size = quoted_in_block(at, &spelling);

		if (size < 16 && at[size + 1] != '"') {
			quoted_spelled(scan, at, size, spelling);
			return at + size + 1;
		}
	}
#endif
	while (at < end && *at != '"')
		at++;
	if (end - at >= 2 && at[1] != '"') {
		quoted_ends(scan, from, (size_t)(at - from));
		return at + 1;
	}
	scan->lexer = LEX_QUOTED;
	scan->word_size = 0;
	return from;
}

static const char *quoted_quote(struct scan *scan, const char *at)
{
	if (*at != '"') {
		quoted_ends(scan, scan->kept, scan->word_size);
		return at;
	}
	keep(scan, at, 1);
	scan->lexer = LEX_QUOTED;
	return at + 1;
}

/* A column u and an operator. */
static void ampersand_is_operator(struct scan *scan)
{
	word_ends(scan, scan->kept, 1, ' ', scan_word_spell(scan->kept, 1));
	punctuation(scan, TOKEN_OPERATOR);
}

/* Behind U& */
static const char *word_ampersand(struct scan *scan, const char *at)
{
	if (*at == '\'') {
		scan->previous = TOKEN_NONE;
		string_begins(scan, plain_string(scan));
		scan->effects |= SCAN_TIME_LITERAL;
		return at + 1;
	}
	if (*at == '"') {
		scan->effects |= SCAN_UNKNOWN;
		scan->lexer = LEX_QUOTED;
		scan->word_size = 0;
		return at + 1;
	}
	ampersand_is_operator(scan);
	return at;
}

static const char *string_goes_on(struct scan *scan, const char *at, const char *end)
{
	at = scan_literals_skip(scan, at, end, '\'', scan->string == STRING_ESCAPES ? '\\' : '\'');
	if (at == end)
		return end;
	scan->lexer = *at == '\'' ? LEX_STRING_QUOTE : LEX_STRING_ESCAPE;
	return at + 1;
}

static const char *string_quote(struct scan *scan, const char *at)
{
	if (*at == '\'') {
		scan_literals_take(scan, '\'');
		scan->lexer = LEX_STRING;
		return at + 1;
	}
	scan->newline = false;
	scan->lexer = LEX_BETWEEN;
	return at;
}

static const char *string_escape(struct scan *scan, const char *at)
{
	char byte = *at;

	if (byte == 'x' || byte == 'u' || byte == 'U' || (byte >= '0' && byte <= '7'))
		scan->effects |= SCAN_TIME_LITERAL;     /* It may spell any letter. */
	if (byte == 'b' || byte == 'f' || byte == 'n' || byte == 'r' || byte == 't' || byte == 'v')
		byte = ' ';
	scan_literals_take(scan, byte);
	scan->lexer = LEX_STRING;
	return at + 1;
}

/* A string that scan_settings.c wants to know. */
static const char *argument(struct scan *scan, const char *at, const char *end)
{
	for (; at < end && scan->lexer == LEX_ARGUMENT; at++) {
		if (*at == '\\') {
			scan_settings_spoil(scan);
			scan->lexer = LEX_STRING;
			return at;
		}
		if (*at == '\'') {
			scan->lexer = LEX_ARGUMENT_QUOTE;
			return at + 1;
		}
		scan_literals_take(scan, *at);
		scan_settings_take(scan, *at);
	}
	return at;
}

static const char *argument_quote(struct scan *scan, const char *at)
{
	if (*at == '\'')
		scan_settings_spoil(scan);
	return string_quote(scan, at);
}

static void value(struct scan *scan, uint8_t lexer)
{
	scan->lexer = lexer;
	scan->naming = 0;
	token(scan, TOKEN_VALUE);
}

/* A dollar quote's tag is in `kept`, with its dollars: as PostgreSQL does, matching begins again at a dollar only. */
static void dollar_begins(struct scan *scan)
{
	scan->naming = 0;
	scan->window = 0;
	scan->tag_matched = 0;
	scan->lexer = LEX_DOLLAR_STRING;
	token(scan, TOKEN_STRING);
	scan->previous = TOKEN_VALUE;   /* No string goes on with it. */
}

/* A dollar by itself, which PostgreSQL takes nowhere. */
static void no_dollar_quote(struct scan *scan)
{
	scan->effects |= SCAN_UNKNOWN;
	scan->lexer = LEX_BETWEEN;
	punctuation(scan, TOKEN_OPERATOR);
}

static const char *dollar(struct scan *scan, const char *at)
{
	if (class_of(*at) == DIGIT) {
		value(scan, LEX_PARAMETER);
		return at;
	}
	scan->kept[0] = '$';
	scan->word_size = 1;
	scan->lexer = LEX_TAG;
	if (*at == '$' || class_of(*at) == LETTER)
		return at;
	no_dollar_quote(scan);
	return at;
}

static const char *tag(struct scan *scan, const char *at, const char *end)
{
	for (; at < end && scan->lexer == LEX_TAG; at++) {
		if (!goes_on_word(*at) || scan->word_size == SCAN_WORD_MAX) {
			bool too_long = scan->word_size == SCAN_WORD_MAX;

			no_dollar_quote(scan);
			if (too_long)
				scan->lexer = LEX_LOST;
			return at;
		}
		keep(scan, at, 1);
		if (*at == '$')
			dollar_begins(scan);
	}
	return at;
}

static const char *dollar_string(struct scan *scan, const char *at, const char *end)
{
	at = scan_literals_skip(scan, at, end, '$', '$');
	if (at == end)
		return end;
	scan->tag_matched = 1;
	scan->lexer = LEX_DOLLAR_STRING_END;
	scan_literals_take(scan, '$');
	return at + 1;
}

static const char *dollar_string_end(struct scan *scan, const char *at)
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

static const char *line_comment(struct scan *scan, const char *at, const char *end)
{
	while (at < end && class_of(*at) != NEWLINE)
		at++;
	if (at < end)
		scan->lexer = LEX_BETWEEN;
	return at;
}

static const char *comment(struct scan *scan, const char *at, const char *end)
{
	while (at < end && *at != '*' && *at != '/')
		at++;
	if (at == end)
		return end;
	scan->lexer = *at == '*' ? LEX_COMMENT_STAR : LEX_COMMENT_SLASH;
	return at + 1;
}

/* Behind a star or a slash in a comment. */
static const char *comment_turn(struct scan *scan, const char *at)
{
	bool star = scan->lexer == LEX_COMMENT_STAR;

	scan->lexer = LEX_COMMENT;
	if (*at != (star ? '/' : '*'))
		return at;
	scan->comment_depth += star ? -1u : 1u;
	if (scan->comment_depth == 0)
		scan->lexer = LEX_BETWEEN;
	return at + 1;
}

/* Behind a dash or a slash outside comments. */
static const char *comment_begins(struct scan *scan, const char *at)
{
	if (!scan->comment && *at == (scan->lexer == LEX_DASH ? '-' : '*'))
		scan->comment = at + 1;
	if (scan->lexer == LEX_DASH && *at == '-') {
		scan->lexer = LEX_LINE_COMMENT;
		return at + 1;
	}
	if (scan->lexer == LEX_SLASH && *at == '*') {
		scan->lexer = LEX_COMMENT;
		scan->comment_depth = 1;
		return at + 1;
	}
	scan->lexer = LEX_BETWEEN;
	punctuation(scan, TOKEN_OPERATOR);
	return at;
}

static const char *number(struct scan *scan, const char *at, const char *end)
{
	/* The dot of `1.` is its own; a parameter has none. */
	while (at < end && (class_of(*at) == DIGIT || (*at == '.' && scan->lexer == LEX_NUMBER)))
		at++;
	if (at < end)
		scan->lexer = LEX_BETWEEN;
	return at;
}

static const char *argument_number(struct scan *scan, const char *at, const char *end)
{
	for (; at < end && class_of(*at) == DIGIT; at++)
		scan_settings_take_digit(scan, *at);
	if (at < end)
		scan->lexer = LEX_BETWEEN;
	return at;
}

static void open(struct scan *scan)
{
	scan_calls_open(scan);
	punctuation(scan, TOKEN_OPEN);
	scan->depth++;
}

static void close(struct scan *scan)
{
	scan->depth -= scan->depth > 0;
	punctuation(scan, TOKEN_CLOSE);
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
static const char *between(struct scan *scan, const char *at, const char *end)
{
	while (at < end && scan->lexer == LEX_BETWEEN) {
		/* Half of all tokens have one in front. */
		if (*at == ' ' && ++at == end)
			break;
		/* By itself, since it is easier to guess than the switch. */
		if (class_of(*at) == LETTER) {
			at = word(scan, at, end);
			continue;
		}
		switch (class_of(*at)) {
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
			value(scan, LEX_NUMBER);
			at = number(scan, at + 1, end);
			break;
		case DOLLAR:
			at++;
			scan->lexer = LEX_DOLLAR;
			break;
		case QUOTE:
			at++;
			string_begins(scan, plain_string(scan));
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
			punctuation(scan, TOKEN_DOT);
			break;
		case EQUALS:
			at++;
			punctuation(scan, TOKEN_EQUALS);
			break;
		case COMMA:
			at++;
			punctuation(scan, TOKEN_COMMA);
			break;
		case COLON:
			at++;
			punctuation(scan, TOKEN_COLON);
			break;
		case STAR:
			at++;
			punctuation(scan, TOKEN_STAR);
			break;
		case BRACKET_CLOSE:
			at++;
			punctuation(scan, TOKEN_VALUE);
			break;
		case OTHER:
			at++;
			punctuation(scan, TOKEN_OPERATOR);
			break;
		}
	}
	return at;
}

/* Each takes one byte at least, or leads to a state that does. */
static const char *step(struct scan *scan, const char *at, const char *end)
{
	switch ((enum lexer)scan->lexer) {
	case LEX_BETWEEN:
		return between(scan, at, end);
	case LEX_WORD:
		return word_goes_on(scan, at, end);
	case LEX_WORD_AMPERSAND:
		return word_ampersand(scan, at);
	case LEX_NUMBER:
	case LEX_PARAMETER:
		return number(scan, at, end);
	case LEX_DASH:
	case LEX_SLASH:
		return comment_begins(scan, at);
	case LEX_LINE_COMMENT:
		return line_comment(scan, at, end);
	case LEX_COMMENT:
		return comment(scan, at, end);
	case LEX_COMMENT_STAR:
	case LEX_COMMENT_SLASH:
		return comment_turn(scan, at);
	case LEX_STRING:
		return string_goes_on(scan, at, end);
	case LEX_STRING_QUOTE:
		return string_quote(scan, at);
	case LEX_STRING_ESCAPE:
		return string_escape(scan, at);
	case LEX_ARGUMENT:
		return argument(scan, at, end);
	case LEX_ARGUMENT_QUOTE:
		return argument_quote(scan, at);
	case LEX_ARGUMENT_NUMBER:
		return argument_number(scan, at, end);
	case LEX_QUOTED:
		return quoted_goes_on(scan, at, end);
	case LEX_QUOTED_QUOTE:
		return quoted_quote(scan, at);
	case LEX_DOLLAR:
		return dollar(scan, at);
	case LEX_TAG:
		return tag(scan, at, end);
	case LEX_DOLLAR_STRING:
		return dollar_string(scan, at, end);
	case LEX_DOLLAR_STRING_END:
		return dollar_string_end(scan, at);
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
		word_ends(scan, scan->kept, scan->word_size, ' ', spelling_of_kept(scan));
		break;
	case LEX_WORD_AMPERSAND:
		ampersand_is_operator(scan);
		break;
	case LEX_QUOTED_QUOTE:
		quoted_ends(scan, scan->kept, scan->word_size);
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
