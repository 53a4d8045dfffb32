/* Failure story: libpq is never asked to wait by itself, because nothing could end that. wait_for() waits, in slices, until
 * the socket is ready, the time is up, or the owner wants to stop; the last two give the connection up. */
#include "pgweir/pgclient_sync.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "pgclient_internal.h"
#include "pgweir/clock.h"
#include "pgweir/mem.h"

enum { SLICE_MS = 100, STATEMENT_TIMEOUT_MS = 5 * 60 * 1000 };

struct pgclient_sync {
	PGconn *conn;
	const atomic_bool *stop;
	bool lost;
};

/* False: `error`, and the connection is of no use any more. */
static bool wait_for(struct pgclient_sync *client, short what, uint64_t until_ms, struct error *error)
{
	for (;;) {
		struct pollfd waited = { .fd = PQsocket(client->conn), .events = what };
		int ready = poll(&waited, 1, SLICE_MS);

		if (ready > 0)
			return true;
		if (client->stop && atomic_load(client->stop))
			return error_set(error, "08006", "interrupted: the process is about to end");
		if (clock_now_ms() >= until_ms)
			return error_set(error, "08006", "the server did not answer in time");
		if (ready < 0 && errno != EINTR)
			return error_set(error, "08006", "cannot wait for the server");
	}
}

/* --- Connecting --- */

/* NULL: `error`. */
static PGconn *start_connection(const struct pgclient_options *options, const atomic_bool *stop, uint64_t until_ms,
	struct error *error)
{
	struct resolver_answer answer;

	if (pgclient_is_path(options->host))
		return pgclient_start(options, NULL);
	if (resolver_wait(options->host, options->port, stop, until_ms, &answer) && answer.count)
		return pgclient_start(options, &answer);
	if (stop && atomic_load(stop))
		error_set(error, "08006", "interrupted: the process is about to end");
	else if (clock_now_ms() >= until_ms)
		error_set(error, "08006", "looking up \"%s\" took too long", options->host);
	else
		error_set(error, "08006", "could not resolve \"%s\": %s", options->host, answer.error_text);
	return NULL;
}

static bool refused(struct pgclient_sync *client, struct error *error)
{
	pgclient_take_text(error, PQconnectionNeedsPassword(client->conn) ? "28P01" : "08006", PQerrorMessage(client->conn));
	pgclient_take_sqlstate(error);
	return false;
}

static bool finish_connecting(struct pgclient_sync *client, uint64_t until_ms, struct error *error)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status != PGRES_POLLING_OK) {
		if (status == PGRES_POLLING_FAILED || PQstatus(client->conn) == CONNECTION_BAD)
			return refused(client, error);
		if (!wait_for(client, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_ms, error))
			return false;
		status = PQconnectPoll(client->conn);
	}
	return true;
}

static void ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

struct pgclient_sync *pgclient_sync_open(const struct pgclient_options *options, const atomic_bool *stop,
	struct error *error)
{
	static const uint64_t longest_ms = 60 * 1000;
	uint64_t until_ms = clock_now_ms() + (options->connect_timeout_ms ? options->connect_timeout_ms : longest_ms);
	PGconn *conn = start_connection(options, stop, until_ms, error);

	if (!conn)
		return NULL;
	struct pgclient_sync *client = NEW(struct pgclient_sync);

	*client = (struct pgclient_sync){ .conn = conn, .stop = stop };
	PQsetNoticeProcessor(client->conn, ignore_notice, NULL);
	PQsetErrorVerbosity(client->conn, PQERRORS_VERBOSE);
	if (!finish_connecting(client, until_ms, error))
		pgclient_sync_close(&client);
	else
		PQsetErrorVerbosity(client->conn, PQERRORS_DEFAULT);
	return client;
}

void pgclient_sync_close(struct pgclient_sync **client)
{
	if (!*client)
		return;
	PQfinish((*client)->conn);
	mem_free(*client);
	*client = NULL;
}

int pgclient_sync_server_version(const struct pgclient_sync *client)
{
	return PQserverVersion(client->conn);
}

bool pgclient_sync_is_lost(const struct pgclient_sync *client)
{
	return client->lost || PQstatus(client->conn) == CONNECTION_BAD;
}

/* --- Statements --- */

/* The last result of the statement under way, or NULL: `error`. */
static PGresult *await_result(struct pgclient_sync *client, struct error *error)
{
	uint64_t until_ms = clock_now_ms() + STATEMENT_TIMEOUT_MS;
	PGresult *last = NULL, *next;

	for (;;) {
		while (PQisBusy(client->conn) && PQstatus(client->conn) != CONNECTION_BAD) {
			if (!wait_for(client, POLLIN, until_ms, error)) {
				PQclear(last);
				client->lost = true;
				return NULL;
			}
			/* A lost connection shows in the status, and in the result that libpq has ready then. */
			(void)PQconsumeInput(client->conn);
		}
		next = PQgetResult(client->conn);
		if (!next)
			return last;
		PQclear(last);
		last = next;
	}
}

static bool take_error(const PGresult *rows, struct error *error)
{
	const char *sqlstate = PQresultErrorField(rows, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(rows, PG_DIAG_MESSAGE_DETAIL);

	pgclient_take_text(error, sqlstate ? sqlstate : "08006", primary ? primary : PQresultErrorMessage(rows));
	if (!detail)
		return false;
	struct error more;

	pgclient_take_text(&more, NULL, detail);
	char *both = mem_printf("%s (%s)", error->text, more.text);

	snprintf(error->text, sizeof(error->text), "%s", both);
	mem_free(both);
	return false;
}

struct pgclient_result *pgclient_sync_query(struct pgclient_sync *client, const char *sql, const char *const *parameters,
	size_t parameter_count, struct error *error)
{
	if (pgclient_sync_is_lost(client)) {
		error_set(error, "08006", "the connection was lost");
		return NULL;
	}
	if (!PQsendQueryParams(client->conn, sql, (int)parameter_count, NULL, parameters, NULL, NULL, 0)) {
		pgclient_take_text(error, "08006", PQerrorMessage(client->conn));
		client->lost = true;
		return NULL;
	}
	error_set(error, "08006", "the connection was lost");
	PGresult *rows = await_result(client, error);

	if (!rows)
		return NULL;
	ExecStatusType status = PQresultStatus(rows);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
		take_error(rows, error);
		PQclear(rows);
		return NULL;
	}
	struct pgclient_result *result = NEW(struct pgclient_result);

	result->rows = rows;
	return result;
}

void pgclient_sync_result_free(struct pgclient_result **result)
{
	if (!*result)
		return;
	PQclear((*result)->rows);
	mem_free(*result);
	*result = NULL;
}

bool pgclient_sync_run(struct pgclient_sync *client, const char *sql, struct error *error)
{
	struct pgclient_result *result = pgclient_sync_query(client, sql, NULL, 0, error);

	if (!result)
		return false;
	pgclient_sync_result_free(&result);
	return true;
}

/* --- Quoting --- */

static bool append_quoted(struct pgclient_sync *client, char *quoted, struct buf *sql, struct error *error)
{
	if (!quoted) {
		pgclient_take_text(error, "22021", PQerrorMessage(client->conn));
		return false;
	}
	buf_append_text(sql, quoted);
	PQfreemem(quoted);
	return true;
}

bool pgclient_sync_identifier(struct pgclient_sync *client, const char *name, struct buf *sql, struct error *error)
{
	return append_quoted(client, PQescapeIdentifier(client->conn, name, strlen(name)), sql, error);
}

bool pgclient_sync_literal(struct pgclient_sync *client, const char *text, struct buf *sql, struct error *error)
{
	return append_quoted(client, PQescapeLiteral(client->conn, text, strlen(text)), sql, error);
}

char *pgclient_sync_verifier(struct pgclient_sync *client, const char *user, const char *password, bool scram,
	struct error *error)
{
	struct pgclient_result *shown = pgclient_sync_query(client, "SHOW password_encryption", NULL, 0, error);
	bool md5 = shown && !scram && strcmp(pgclient_value(shown, 0, 0), "md5") == 0;

	if (!shown)
		return NULL;
	pgclient_sync_result_free(&shown);
	char *made = PQencryptPasswordConn(client->conn, password, user, md5 ? "md5" : "scram-sha-256");

	if (!made) {
		pgclient_take_text(error, "XX000", PQerrorMessage(client->conn));
		return NULL;
	}
	char *verifier = mem_secret_dup(made);

	mem_wipe(made, strlen(made));
	PQfreemem(made);
	return verifier;
}
