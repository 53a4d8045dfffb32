/* What the check against PostgreSQL's grammar makes statements from. */
#ifndef PGWEIR_GRAMMAR_TEMPLATES_H
#define PGWEIR_GRAMMAR_TEMPLATES_H

#include <stddef.h>

enum { NULL_SYMBOL = 0 };

struct grammar_symbol {
	char letter;
	const char *const *alternatives;        /* NULL ends them. */
};
extern const struct grammar_symbol grammar_symbols[];   /* NULL_SYMBOL ends them. */
extern const char *const grammar_statements[];          /* NULL ends them. */

#endif
