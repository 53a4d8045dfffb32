/* What a server has reported by ParameterStatus. A handful of values per connection, found by linear search. */
#ifndef PGWEIR_PARAMETERS_H
#define PGWEIR_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/buf.h"

struct parameters {
	struct parameter { char *name, *value; } *all;
	size_t count, capacity;
	uint64_t names;                 /* A hash of which ones there are. */
};

void parameters_fini(struct parameters *parameters);
/* True if the value is a new one. */
bool parameters_set(struct parameters *parameters, const char *name, const char *value);
const struct parameter *parameters_find(const struct parameters *parameters, const char *name);  /* Without regard to case; or NULL. */
const char *parameters_get(const struct parameters *parameters, const char *name);      /* The same's value. */
void parameters_copy(struct parameters *to, const struct parameters *from);
/* Appends a ParameterStatus message for each. */
void parameters_put(const struct parameters *parameters, struct buf *out);

#endif
