/* What the two kinds of client, on a loop and on a thread of its own, share. */
#ifndef PGWEIR_BASE_PGCLIENT_INTERNAL_H
#define PGWEIR_BASE_PGCLIENT_INTERNAL_H

#include <libpq-fe.h>

#include "pgweir/error.h"

struct pgclient_result {
	PGresult *rows;
};

/* PQconnectStartParams(). Nothing asks at the terminal for the passphrase of a key that `sslpassword` does not open. */
PGconn *pgclient_begin(const char *const *names, const char *const *values);

/* libpq's text in one line. */
void pgclient_take_text(struct error *error, const char *sqlstate, const char *text);
/* Out of the text of a refused login, with verbose errors. */
void pgclient_take_sqlstate(struct error *error);

#endif
