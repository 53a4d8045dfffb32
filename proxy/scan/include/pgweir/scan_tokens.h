/* Tokens of SQL and of PL/pgSQL, in a text that is at hand whole. The lexer (lexer.h) takes pieces. */
#ifndef PGWEIR_SCAN_TOKENS_H
#define PGWEIR_SCAN_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

enum scan_part {
	SCAN_PART_END,
	SCAN_PART_WORD,
	SCAN_PART_NAME,              /* In quotes. */
	SCAN_PART_STRING, SCAN_PART_ESCAPED, SCAN_PART_DOLLAR,
	SCAN_PART_OTHER,             /* One character, or << and >>. */
};

struct scan_token {
	enum scan_part part;
	const char *at, *end;
};

/* Behind blanks and comments. */
struct scan_token scan_token_next(const char *from, const char *end);
/* The size of what is before a string's first byte, and of what is behind its last one. */
void scan_token_quotes(const struct scan_token *token, size_t *before, size_t *behind);

/* A text token by token: words are taken where they are the next one, their case ignored. */
struct scan_cursor {
	struct scan_token token;        /* The next one. */
	const char *end;
};
void scan_cursor_next(struct scan_cursor *cursor);
bool scan_cursor_take(struct scan_cursor *cursor, const char *word);

#endif
