/* A connection to PostgreSQL for work that goes step by step: each call waits for its answer.
 *
 * For commands and for threads that may wait, never for a loop that serves others. No call waits for ever: connecting ends
 * after the options' connect_timeout_ms, a statement after its time, and both soon after `stop` becomes true. After such an
 * end, or when the connection is lost, every further call fails with 08006. */
#ifndef PGWEIR_PGCLIENT_SYNC_H
#define PGWEIR_PGCLIENT_SYNC_H

#include <stdatomic.h>

#include "pgweir/buf.h"
#include "pgweir/pgclient.h"

struct pgclient_sync;

/* NULL: `error`, with the SQLSTATE of a server that refused the login, else 08006. `stop` may be NULL. */
struct pgclient_sync *pgclient_sync_open(const struct pgclient_options *options, const atomic_bool *stop,
	struct error *error) MUST_USE;
void pgclient_sync_close(struct pgclient_sync **client);        /* NULL is fine. */
int pgclient_sync_server_version(const struct pgclient_sync *client);
bool pgclient_sync_is_lost(const struct pgclient_sync *client);

/* One statement with its parameters as text. NULL: `error`, as the server says it. */
struct pgclient_result *pgclient_sync_query(struct pgclient_sync *client, const char *sql, const char *const *parameters,
	size_t parameter_count, struct error *error) MUST_USE;
void pgclient_sync_result_free(struct pgclient_result **result);        /* NULL is fine. */
/* The same where no rows are wanted. */
bool pgclient_sync_run(struct pgclient_sync *client, const char *sql, struct error *error) MUST_USE;

/* Appended to `sql` so that the server takes them for exactly this name or text. Names and texts are UTF-8; what is no
 * valid UTF-8 is an error. */
bool pgclient_sync_identifier(struct pgclient_sync *client, const char *name, struct buf *sql, struct error *error) MUST_USE;
bool pgclient_sync_literal(struct pgclient_sync *client, const char *text, struct buf *sql, struct error *error) MUST_USE;
/* What ALTER ROLE … PASSWORD takes instead of the password: a SCRAM verifier, or, unless `scram`, md5 where the server is set
 * to that. Freed with mem_secret_free(); NULL: `error`. */
char *pgclient_sync_verifier(struct pgclient_sync *client, const char *user, const char *password, bool scram,
	struct error *error) MUST_USE;

#endif
