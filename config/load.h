/* Loading with keys of [pgweir] replaced, for the console's SET. */
#ifndef PGWEIR_LOAD_H
#define PGWEIR_LOAD_H

#include "snapshot.h"

struct config *load_with_overrides(const char *path, const struct override *overrides, size_t count,
	struct config_problems *problems) MUST_USE;

#endif
