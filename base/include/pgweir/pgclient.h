/* A connection to PostgreSQL as a client: libpq, asynchronously, on a loop. libpq's only home.
 *
 * For the control plane and the bench; pooled connections are not made of these. One connection, one query at a time,
 * the others queued in order. There is no reconnecting: when a connection is lost, its owner frees it and opens another
 * when that makes sense. Everything happens on the loop's own thread; names are resolved elsewhere. */
#ifndef PGWEIR_PGCLIENT_H
#define PGWEIR_PGCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct pgclient;
struct pgclient_result;

/* Each but host, port, dbname and user may be NULL. All copied. */
struct pgclient_options {
	const char *host;                       /* A name, an address, or the directory of a Unix socket. */
	uint16_t port;
	const char *dbname, *user, *password;
	const char *sslmode;                    /* libpq's words. NULL: libpq's default. */
	const char *ssl_ca_file, *ssl_cert_file, *ssl_key_file;
	const char *ssl_key_passphrase;
	const char *application_name;
	const char *options;                    /* "-c name=value …" for the session. */
	uint64_t connect_timeout_ms;            /* 0: as long as the kernel takes. */
};

/* Called once when the connection is open (`error` NULL) or could not be opened, and once when an open one is lost. With
 * an error the client is dead: all that is left to do is to free it. The error carries the SQLSTATE of a server that
 * refused the login, else 08006. Never from within a call; not after pgclient_free(), which is allowed in here. */
typedef void pgclient_cb(struct pgclient *client, const struct error *error, void *arg);

/* Called once per query with either; `result` lives only during the call. The error carries the server's SQLSTATE, or
 * 08006 when the connection was lost, or 57014 when the time was up. Same rules as above. */
typedef void pgclient_result_cb(const struct pgclient_result *result, const struct error *error, void *arg);

struct pgclient *pgclient_new(struct loop *loop, const struct pgclient_options *options, pgclient_cb *callback,
	void *arg) MUST_USE;
void pgclient_free(struct pgclient **client);           /* NULL is fine. Queries under way are not heard of any more. */
bool pgclient_is_open(const struct pgclient *client) MUST_USE;
/* "14.2" is 140002, as libpq has it; 0 before the connection is open. */
int pgclient_server_version(const struct pgclient *client) MUST_USE;

/* The server's address as text; NULL before the connection is open, and for a Unix socket. */
const char *pgclient_address(const struct pgclient *client);

/* One statement with its parameters as text (NULL is NULL), at most PGCLIENT_PARAMETERS_MAX, copied. May be called before
 * the connection is open. When `timeout_ms` passes from the moment it is sent, the connection is given up; 0: never. Not on
 * a dead client. */
enum { PGCLIENT_PARAMETERS_MAX = 32 };
void pgclient_query(struct pgclient *client, const char *sql, const char *const *parameters, size_t parameter_count,
	uint64_t timeout_ms, pgclient_result_cb *callback, void *arg);

/* Values live as long as the result. */
size_t pgclient_rows(const struct pgclient_result *result);
size_t pgclient_columns(const struct pgclient_result *result);
const char *pgclient_value(const struct pgclient_result *result, size_t row, size_t column);    /* NULL is NULL. */

#endif
