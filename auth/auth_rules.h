/* Words of a line of pg_hba.conf or pg_ident.conf: separated by blanks, comments after `#`, double quotes around what
 * has blanks or is to lose its special meaning, and lists with commas. */
#ifndef PGWEIR_AUTH_RULES_H
#define PGWEIR_AUTH_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"

enum { AUTH_RULES_FIELDS_MAX = 64, AUTH_RULES_ITEMS_MAX = 256 };

struct auth_rules_word {
	char *text;
	bool quoted;            /* From its first character on: then keywords are names. */
};

/* One item, or several where commas join them. */
struct auth_rules_field {
	struct auth_rules_word *items;
	size_t count;
};

struct auth_rules_line {
	unsigned number;
	struct auth_rules_field fields[AUTH_RULES_FIELDS_MAX];
	size_t count;
	const char *problem;    /* NULL, or why the line could not be taken apart. */
};

void auth_rules_line_fini(struct auth_rules_line *line);

/* The next line that holds anything; a backslash at the end joins lines. False at the end. `number` counts from 0. */
bool auth_rules_next(const char **at, const char *end, unsigned *number, struct auth_rules_line *line) MUST_USE;

/* An unquoted word that says `keyword`. */
bool auth_rules_is(const struct auth_rules_word *word, const char *keyword) MUST_USE;

#endif
