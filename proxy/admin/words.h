/* A statement of the console as words: comments gone, quotes undone. */
#ifndef PGWEIR_ADMIN_WORDS_H
#define PGWEIR_ADMIN_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"
#include "pgweir/error.h"

enum { WORDS_MAX = 16 };

enum word_kind {
	WORD_PLAIN,             /* A keyword, a name or a number; as it was written. */
	WORD_QUOTED,            /* "a name" */
	WORD_STRING,            /* 'a string' */
	WORD_SYMBOL,            /* One character of its own: = ( ) , */
};

struct word {
	const char *text;
	enum word_kind kind;
};

struct words {
	char *storage;
	struct word all[WORDS_MAX];
	size_t count;
	bool cut;               /* There were more than WORDS_MAX. */
};

/* Reads one statement, up to a semicolon or the end. `*used` says how much of `sql` that was, semicolon included; no
 * words at all is an empty statement. False: a quote or a comment does not end. */
bool words_parse(struct words *words, const char *sql, size_t *used, struct error *error) MUST_USE;
/* Reads its first words only, `count` of them if it has as many; `*used` ends behind the last. */
bool words_parse_front(struct words *words, const char *sql, size_t count, size_t *used, struct error *error) MUST_USE;
void words_fini(struct words *words);

/* Plain words match without regard to case; quoted ones are never keywords. */
bool word_is(const struct word *word, const char *keyword, size_t keyword_size);

#endif
