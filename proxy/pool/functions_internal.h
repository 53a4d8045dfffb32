/* What the files about functions share. */
#ifndef PGWEIR_FUNCTIONS_INTERNAL_H
#define PGWEIR_FUNCTIONS_INTERNAL_H

#include "pgweir/functions.h"

enum { FUNCTIONS_REFRESH_US = 300 * 1000 * 1000, FUNCTIONS_RETRY_US = 30 * 1000 * 1000 };

/* Takes the reference. A list that failed does not replace one that is up to date. */
void functions_replace(struct functions_home *home, struct functions *functions);

#endif
