/* Problems of the files that belong to authentication, collected like those of pgweir.ini. */
#ifndef PGWEIR_AUTH_FILES_H
#define PGWEIR_AUTH_FILES_H

#include "pgweir/buf.h"
#include "pgweir/check.h"
#include "pgweir/config.h"

/* "path:line: …"; line 0 is left out. */
void files_problem(struct config_problems *problems, const char *path, unsigned line, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* The whole of a file of at most FILE_MAX_BYTES; a problem and false if it cannot be read, or if everybody may write
 * to it. `secret`: warns if everybody may read it. */
bool files_read(struct config_problems *problems, const char *path, bool secret, struct buf *text) MUST_USE;

#endif
