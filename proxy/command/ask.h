/* Questions to a server, for commands: what comes back as text, number or truth. */
#ifndef PGWEIR_ASK_H
#define PGWEIR_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"
#include "pgweir/error.h"
#include "pgweir/pgclient_sync.h"

enum { ASK_TIMEOUT_MS = 10 * 1000 };

struct ask_rows {
	struct pgclient_result *result;         /* NULL: there is none. */
};

/* With ASK_TIMEOUT_MS where the options have no other time. NULL: `error` says why, with the server's SQLSTATE. */
struct pgclient_sync *ask_open(const struct pgclient_options *options, struct error *error) MUST_USE;
/* False: `error` says why. ask_rows_fini() is due in either case. */
bool ask_rows(struct pgclient_sync *client, const char *sql, struct ask_rows *rows, struct error *error) MUST_USE;
void ask_rows_fini(struct ask_rows *rows);
size_t ask_count(const struct ask_rows *rows);
const char *ask_value(const struct ask_rows *rows, size_t row, size_t column);         /* NULL: NULL, or not there. */
bool ask_is_true(const struct ask_rows *rows, size_t row, size_t column);              /* "t" */
long long ask_number(const struct ask_rows *rows, size_t row, size_t column);          /* 0 where it is none. */

#endif
