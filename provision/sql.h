/* SQL put together from parts of which none may break out: names and texts are quoted by libpq. */
#ifndef PGWEIR_PROVISION_SQL_H
#define PGWEIR_PROVISION_SQL_H

#include <stdarg.h>

#include "pgweir/pgclient_sync.h"

/* Appends; %I is a name, %L a text, %s SQL of our own, %d an int. False: `error`, and `sql` is of no use. */
bool sql_append(struct pgclient_sync *client, struct buf *sql, struct error *error, const char *format, ...) MUST_USE;
bool sql_append_args(struct pgclient_sync *client, struct buf *sql, struct error *error, const char *format, va_list args)
	MUST_USE;

#endif
