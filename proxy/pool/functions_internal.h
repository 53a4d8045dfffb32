/* What the files about functions share. */
#ifndef PGWEIR_FUNCTIONS_INTERNAL_H
#define PGWEIR_FUNCTIONS_INTERNAL_H

#include "pgweir/functions.h"

enum { FUNCTIONS_REFRESH_US = 300 * 1000 * 1000, FUNCTIONS_RETRY_US = 30 * 1000 * 1000 };

/* Takes the reference. A list that failed does not replace one that is up to date. */
void functions_replace(struct functions_home *home, struct functions *functions);

/* functions_trees.c: rows for what calls PostgreSQL's own functions; goes on with functions_build.c's question. */
const char *functions_trees_question(void);

/* functions_names.c: what is asked behind functions_build.c's question, and a row of the answer. False: it is none. */
const char *functions_names_question(void);
bool functions_names_row(struct route_names **names, const char *name, char kind, const char *list);
void functions_names_add_mark(struct route_names *names, const char *name, size_t size, uint32_t flags);

#endif
