/* The lexer's parts: lexer.c takes tokens that lie in one piece, the others what a piece's end may cut.
 *
 * Each function gets a piece's bytes from `at` to `end` (or one byte, if it needs no more) and returns where it stopped:
 * it takes one byte at least, or leaves the lexer in a state that does. */
#ifndef PGWEIR_LEXER_H
#define PGWEIR_LEXER_H

#include "scan_internal.h"

enum class {
	OTHER, BLANK, NEWLINE, LETTER, DIGIT, DOLLAR, QUOTE, DOUBLE_QUOTE, DASH, SLASH, OPEN, CLOSE, SEMICOLON, DOT, EQUALS, STAR,
	BRACKET_CLOSE, COMMA, COLON,
};

extern const uint8_t lexer_classes[256];

static inline enum class lexer_class_of(char byte)
{
	return (enum class)lexer_classes[(uint8_t)byte];
}

static inline bool lexer_goes_on_word(char byte)
{
	enum class class = lexer_class_of(byte);

	return class == LETTER || class == DIGIT || class == DOLLAR;
}

/* A token is complete. */
static inline void lexer_token(struct scan *scan, uint8_t kind)
{
	if (scan->step != STEP_NONE)
		scan_statement_step(scan, kind);
	scan->before = scan->previous;
	scan->previous = kind;
}

static inline void lexer_punctuation(struct scan *scan, uint8_t kind)
{
	scan->naming = scan->naming == 2 && kind == TOKEN_DOT;
	scan->catalog = scan->previous == WORD_PG_CATALOG;
	lexer_token(scan, kind);
}

static inline void lexer_value(struct scan *scan, uint8_t lexer)
{
	scan->lexer = lexer;
	scan->naming = 0;
	lexer_token(scan, TOKEN_VALUE);
}

/* lexer.c */
const char *lexer_between(struct scan *scan, const char *at, const char *end);
const char *lexer_number(struct scan *scan, const char *at, const char *end);
/* The word ends before `next`. Tells whether `next` belongs to what it begins. */
bool lexer_word_ends(struct scan *scan, const char *text, size_t size, char next, struct scan_spelling spelling);
void lexer_quoted_ends(struct scan *scan, const char *text, size_t size);

/* lexer_words.c */
void lexer_keep(struct scan *scan, const char *text, size_t size);      /* Appends to `kept`. */
const char *lexer_word_is_cut(struct scan *scan, const char *at, const char *end);
const char *lexer_word_goes_on(struct scan *scan, const char *at, const char *end);
void lexer_word_is_over(struct scan *scan);                             /* At the text's end. */
const char *lexer_word_ampersand(struct scan *scan, const char *at);
void lexer_word_ampersand_is_operator(struct scan *scan);
const char *lexer_quoted_goes_on(struct scan *scan, const char *at, const char *end);
const char *lexer_quoted_quote(struct scan *scan, const char *at);

/* lexer_strings.c. How a string's end is found: */
enum { STRING_PLAIN, STRING_ESCAPES };

static inline uint8_t lexer_string_plain(const struct scan *scan)
{
	return scan->flags & SCAN_BACKSLASH_STRINGS ? STRING_ESCAPES : STRING_PLAIN;
}

void lexer_string_begins(struct scan *scan, uint8_t string);
bool lexer_string_prefixed(struct scan *scan, char letter);             /* False: the letter is no prefix. */
const char *lexer_string_goes_on(struct scan *scan, const char *at, const char *end);
const char *lexer_string_quote(struct scan *scan, const char *at);
const char *lexer_string_escape(struct scan *scan, const char *at);
/* What set_config is given, which scan_settings.c wants to know. */
const char *lexer_argument(struct scan *scan, const char *at, const char *end);
const char *lexer_argument_quote(struct scan *scan, const char *at);
const char *lexer_argument_number(struct scan *scan, const char *at, const char *end);

/* lexer_dollars.c */
const char *lexer_dollar(struct scan *scan, const char *at);
const char *lexer_dollar_tag(struct scan *scan, const char *at, const char *end);
const char *lexer_dollar_string(struct scan *scan, const char *at, const char *end);
const char *lexer_dollar_string_end(struct scan *scan, const char *at);

/* lexer_comments.c */
const char *lexer_comment_begins(struct scan *scan, const char *at);
const char *lexer_comment_line(struct scan *scan, const char *at, const char *end);
const char *lexer_comment(struct scan *scan, const char *at, const char *end);
const char *lexer_comment_turn(struct scan *scan, const char *at);

#endif
