/* What is wrong with a configuration, gathered from all stages and told in the order of the file. */
#ifndef PGWEIR_PROBLEMS_H
#define PGWEIR_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"
#include "pgweir/config.h"

/* A line. `order` counts lines over all files in the order in which they are read. */
struct place {
	const char *file;
	unsigned line;                 /* 0: the file as a whole. */
	unsigned order;
};

struct problem {
	unsigned order;
	bool warning;
	char *text;
};

struct problems {
	struct problem *list;
	size_t count, error_count;
};

void problems_error(struct problems *problems, const struct place *place, const char *format, ...) PRINTF_LIKE(3, 4);
void problems_warn(struct problems *problems, const struct place *place, const char *format, ...) PRINTF_LIKE(3, 4);
/* Hands everything over, sorted; `problems` is empty after. */
void problems_finish(struct problems *problems, struct config_problems *out);

#endif
