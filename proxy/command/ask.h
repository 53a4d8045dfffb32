/* One server that is asked things, and waited for: for commands, which have nothing else to do meanwhile. */
#ifndef PGWEIR_ASK_H
#define PGWEIR_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"
#include "pgweir/error.h"
#include "pgweir/pgclient.h"

enum { ASK_TIMEOUT_MS = 10 * 1000 };

struct ask;

/* What came back, as text. */
struct ask_rows {
	char **values;                  /* Row by row; NULL is NULL. */
	size_t count, columns;
};

/* NULL: `error` says why, with the server's SQLSTATE. */
struct ask *ask_open(const struct pgclient_options *options, struct error *error) MUST_USE;
void ask_close(struct ask **ask);                       /* NULL is fine. */

/* False: `error` says why. ask_rows_fini() is due in either case. */
bool ask_rows(struct ask *ask, const char *sql, struct ask_rows *rows, struct error *error) MUST_USE;
void ask_rows_fini(struct ask_rows *rows);
const char *ask_value(const struct ask_rows *rows, size_t row, size_t column);         /* NULL: NULL, or not there. */
bool ask_is_true(const struct ask_rows *rows, size_t row, size_t column);              /* "t" */
long long ask_number(const struct ask_rows *rows, size_t row, size_t column);          /* 0 where it is none. */

#endif
