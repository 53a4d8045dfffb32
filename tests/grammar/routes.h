/* What a replica may serve: reads_judge() against PostgreSQL's own parse tree. */
#ifndef PGWEIR_GRAMMAR_ROUTES_H
#define PGWEIR_GRAMMAR_ROUTES_H

#include "expected.h"

void routes_start(void);
/* False: the text was called a read, and is none. */
bool routes_check(const char *text, const struct expected *expected, json_t *tree);
void routes_report(void);
void routes_end(void);

#endif
