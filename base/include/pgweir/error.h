/* Errors that an outside party caused, on their way up.
 *
 * A function that may fail takes a `struct error *` and returns false. Callers prepend what they were doing,
 * so that the text reads from the outside in: "pgweir.ini:12: listen_port: 99999 is above 65535". */
#ifndef PGWEIR_ERROR_H
#define PGWEIR_ERROR_H

#include <stdbool.h>

#include "pgweir/check.h"

struct error {
	char sqlstate[6];      /* PostgreSQL's five characters, or "" where there is none. */
	char text[506];        /* Longer ones are cut. */
	const char *hint;      /* Constant; NULL where there is none, as error_set() leaves it. */
};

/* Both return false, so that `return error_set(…)` reads well. `sqlstate` may be NULL. */
bool error_set(struct error *error, const char *sqlstate, const char *format, ...) PRINTF_LIKE(3, 4);
bool error_prepend(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
