/* What the two kinds of client, on a loop and on a thread of its own, share. */
#ifndef PGWEIR_BASE_PGCLIENT_INTERNAL_H
#define PGWEIR_BASE_PGCLIENT_INTERNAL_H

#include <libpq-fe.h>

#include "pgweir/error.h"
#include "pgweir/pgclient.h"
#include "pgweir/resolver.h"

struct pgclient_result {
	PGresult *rows;
};

/* Of a Unix socket: there is nothing to look up. */
bool pgclient_is_path(const char *host);
/* `answer`: where the host is, at least one address; NULL for a Unix socket. Without memory it is NULL. */
PGconn *pgclient_start(const struct pgclient_options *options, const struct resolver_answer *answer);
/* libpq's text in one line. */
void pgclient_take_text(struct error *error, const char *sqlstate, const char *text);
/* Out of the text of a refused login, with verbose errors. */
void pgclient_take_sqlstate(struct error *error);

#endif
