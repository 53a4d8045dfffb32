/* What a text does, as PostgreSQL's own parse tree tells. */
#ifndef PGWEIR_GRAMMAR_EXPECTED_H
#define PGWEIR_GRAMMAR_EXPECTED_H

#include <jansson.h>

#include "pgweir/scan.h"

enum { EXPECTED_NAMES_MAX = 64 };

struct expected_name {
	uint32_t effect;
	const char *text;               /* Lives in the tree; NULL is all. For SCAN_CALLS a function. */
	unsigned parameter;             /* n of $n, instead of a text. */
};

struct expected {
	uint32_t effects, statements;
	bool sets_somehow;              /* SCAN_SETS or SCAN_SETS_LOCAL. */
	bool loses;                     /* There is a name that the scanner does not look for. */
	struct expected_name names[EXPECTED_NAMES_MAX];
	size_t names_count;
};

void expected_from_tree(struct expected *expected, json_t *tree);

#endif
