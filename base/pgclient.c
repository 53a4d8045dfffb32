/* Failure story: anything that goes wrong with the connection ends in give_up(): every query gets the error, then the
 * owner, once. What goes wrong with a query alone is that query's error, and the connection goes on. A callback may free
 * the client; `gone` tells whoever called it. */
#include "pgweir/pgclient.h"

#include <libpq-fe.h>
#include <string.h>

#include "pgclient_internal.h"
#include "pgweir/list.h"
#include "pgweir/mem.h"
#include "pgweir/resolver.h"

enum { PARAMETERS_MAX = 32 };

struct query {
	struct list link;
	char *sql;
	char *parameters[PARAMETERS_MAX];
	size_t parameter_count;
	uint64_t timeout_ms;
	pgclient_result_cb *callback;
	void *arg;
};

enum pgclient_state { STATE_RESOLVING, STATE_CONNECTING, STATE_IDLE, STATE_BUSY, STATE_DEAD };

/* What the resolver calls back with; outlives a client that is freed meanwhile. */
struct resolution {
	struct pgclient *client;
};

struct pgclient {
	enum pgclient_state state;
	struct loop *loop;
	pgclient_cb *callback;
	void *arg;
	char *host, *dbname, *user, *password, *sslmode, *ca_file, *cert_file, *key_file, *key_passphrase, *application_name;
	char *options;
	uint16_t port;
	struct resolution *resolution;
	PGconn *conn;
	struct loop_io io;
	bool watching;
	struct loop_timer timer;        /* The connect timeout, then each query's; 0 after a failure that must wait a turn. */
	struct error failure;           /* Told when the timer fires; empty: the time was up. */
	struct list queries;            /* The first one is under way while BUSY. */
	struct pgclient_result result;  /* Of the query under way, until it is complete. */
	struct error query_error;
	bool query_failed;
	bool *gone;
};

static void socket_ready(unsigned what, void *arg);
static void send_next(struct pgclient *client);

static void query_free(struct query *query)
{
	list_remove(&query->link);
	mem_secret_free(query->sql);
	for (size_t i = 0; i < query->parameter_count; i++)
		mem_secret_free(query->parameters[i]);
	mem_free(query);
}

static void watch(struct pgclient *client, bool wanted)
{
	if (client->watching)
		loop_io_fini(&client->io);
	client->watching = wanted;
	if (wanted)
		loop_io_init(&client->io, client->loop, PQsocket(client->conn), socket_ready, client);
}

static void drop_result(struct pgclient *client)
{
	PQclear(client->result.rows);
	client->result.rows = NULL;
	client->query_failed = false;
}

static void close_connection(struct pgclient *client)
{
	if (client->resolution)
		client->resolution->client = NULL;
	client->resolution = NULL;
	watch(client, false);
	drop_result(client);
	PQfinish(client->conn);
	client->conn = NULL;
}

void pgclient_free(struct pgclient **client)
{
	struct pgclient *gone = *client;

	*client = NULL;
	if (!gone)
		return;
	if (gone->gone)
		*gone->gone = true;
	loop_timer_stop(&gone->timer);
	close_connection(gone);
	while (!list_empty(&gone->queries))
		query_free(LIST_MEMBER(list_first(&gone->queries), struct query, link));
	char *const texts[] = { gone->host, gone->dbname, gone->user, gone->sslmode, gone->ca_file, gone->cert_file,
		gone->key_file, gone->application_name, gone->options };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		mem_free(texts[i]);
	mem_secret_free(gone->password);
	mem_secret_free(gone->key_passphrase);
	mem_free(gone);
}

/* --- Calling back --- */

/* False: the callback has freed the client. */
static bool finish_query(struct pgclient *client, const struct pgclient_result *result, const struct error *error)
{
	struct query *query = LIST_MEMBER(list_first(&client->queries), struct query, link);
	pgclient_result_cb *callback = query->callback;
	void *arg = query->arg;
	bool gone = false;

	query_free(query);
	client->gone = &gone;
	callback(error ? NULL : result, error, arg);
	if (!gone)
		client->gone = NULL;
	return !gone;
}

static void give_up(struct pgclient *client, const struct error *error)
{
	struct error copy = *error;

	client->state = STATE_DEAD;
	loop_timer_stop(&client->timer);
	close_connection(client);
	while (!list_empty(&client->queries))
		if (!finish_query(client, NULL, &copy))
			return;
	client->callback(client, &copy, client->arg);
}

/* libpq's texts end with a newline and may have several lines. */
void pgclient_take_text(struct error *error, const char *sqlstate, const char *text)
{
	error_set(error, sqlstate, "%s", text && text[0] ? text : "the connection was lost");
	size_t size = strlen(error->text);
	while (size && error->text[size - 1] == '\n')
		error->text[--size] = '\0';
	for (char *at = error->text; (at = strpbrk(at, "\n\t")); at++)
		*at = *at == '\n' && at[1] == '\t' ? ';' : ' ';
}

static bool is_sqlstate(const char *text)
{
	return strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && text[5] == ':' && text[6] == ' ';
}

/* A server that refuses the login says why in a code that libpq keeps to itself; but with verbose errors it stands in the
 * text, as in `FATAL:  28P01: password authentication failed…`, and the place in the server's source after it. */
void pgclient_take_sqlstate(struct error *error)
{
	for (char *at = error->text; (at = strstr(at, ":  ")); at++) {
		char *code = at + strlen(":  ");

		if (!is_sqlstate(code))
			continue;
		memcpy(error->sqlstate, code, 5);
		memmove(code, code + strlen("28P01: "), strlen(code + strlen("28P01: ")) + 1);
		char *location = strstr(code, " LOCATION:  ");

		if (location)
			*location = '\0';
		return;
	}
}

static void give_up_as_libpq_says(struct pgclient *client)
{
	struct error error;

	/* A server that wants a password where there is none is there, as one that refuses a wrong one. */
	pgclient_take_text(&error, PQconnectionNeedsPassword(client->conn) ? "28P01" : "08006", PQerrorMessage(client->conn));
	if (client->state == STATE_CONNECTING)
		pgclient_take_sqlstate(&error);
	give_up(client, &error);
}

static void timer_fired(void *arg)
{
	struct pgclient *client = arg;

	if (!client->failure.text[0] && client->state == STATE_BUSY)
		error_set(&client->failure, "57014", "the query took too long");
	else if (!client->failure.text[0])
		error_set(&client->failure, "08006", "connecting to %s:%u took too long", client->host, client->port);
	give_up(client, &client->failure);
}

/* For failures within a call of the owner: it must not be called back before it returns. */
static void fail_later(struct pgclient *client)
{
	loop_timer_start(&client->timer, 0);
}

/* --- Connecting --- */

static void ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static void start_connecting(struct pgclient *client, const struct resolver_answer *answer)
{
	const struct pgclient_options options = {
		.host = client->host, .port = client->port, .dbname = client->dbname, .user = client->user,
		.password = client->password, .sslmode = client->sslmode, .ssl_ca_file = client->ca_file,
		.ssl_cert_file = client->cert_file, .ssl_key_file = client->key_file, .ssl_key_passphrase = client->key_passphrase,
		.application_name = client->application_name, .options = client->options,
	};

	client->state = STATE_CONNECTING;
	client->conn = pgclient_start(&options, answer);
	mem_secret_free(client->password);
	mem_secret_free(client->key_passphrase);
	client->password = client->key_passphrase = NULL;
	CHECK(client->conn);
	if (PQstatus(client->conn) == CONNECTION_BAD) {
		pgclient_take_text(&client->failure, "08006", PQerrorMessage(client->conn));
		fail_later(client);
		return;
	}
	PQsetNoticeProcessor(client->conn, ignore_notice, NULL);
	PQsetErrorVerbosity(client->conn, PQERRORS_VERBOSE);
	watch(client, true);
	loop_io_write(&client->io, true);
}

static void resolved(const struct resolver_answer *answer, void *arg)
{
	struct resolution *resolution = arg;
	struct pgclient *client = resolution->client;

	mem_free(resolution);
	if (!client)
		return;
	client->resolution = NULL;
	if (answer->count) {
		start_connecting(client, answer);
		return;
	}
	error_set(&client->failure, "08006", "could not resolve \"%s\": %s", client->host, answer->error_text);
	fail_later(client);
}

struct pgclient *pgclient_new(struct loop *loop, const struct pgclient_options *options, pgclient_cb *callback, void *arg)
{
	struct pgclient *client = NEW(struct pgclient);

	*client = (struct pgclient){
		.loop = loop,
		.callback = callback,
		.arg = arg,
		.host = mem_strdup(options->host),
		.port = options->port,
		.dbname = mem_strdup(options->dbname),
		.user = mem_strdup(options->user),
		.password = mem_secret_dup(options->password),
		.sslmode = mem_strdup(options->sslmode),
		.ca_file = mem_strdup(options->ssl_ca_file),
		.cert_file = mem_strdup(options->ssl_cert_file),
		.key_file = mem_strdup(options->ssl_key_file),
		.key_passphrase = mem_secret_dup(options->ssl_key_passphrase),
		.application_name = mem_strdup(options->application_name),
		.options = mem_strdup(options->options),
	};
	list_init(&client->queries);
	loop_timer_init(&client->timer, loop, timer_fired, client);
	if (options->connect_timeout_ms)
		loop_timer_start(&client->timer, options->connect_timeout_ms);
	if (pgclient_is_path(client->host)) {
		start_connecting(client, NULL);
		return client;
	}
	client->resolution = NEW(struct resolution);
	client->resolution->client = client;
	resolver_lookup(loop, client->host, client->port, resolved, mem_free, client->resolution);
	return client;
}

static void opened(struct pgclient *client)
{
	bool gone = false;

	client->state = STATE_IDLE;
	loop_timer_stop(&client->timer);
	PQsetErrorVerbosity(client->conn, PQERRORS_DEFAULT);
	PQsetnonblocking(client->conn, 1);
	watch(client, true);
	loop_io_read(&client->io, true);
	client->gone = &gone;
	client->callback(client, NULL, client->arg);
	if (gone)
		return;
	client->gone = NULL;
	send_next(client);
}

/* libpq may open another socket in here, perhaps with the same number: the old one is let go before. */
static void connect_further(struct pgclient *client)
{
	watch(client, false);
	PostgresPollingStatusType status = PQconnectPoll(client->conn);

	if (status == PGRES_POLLING_OK) {
		opened(client);
	} else if (status == PGRES_POLLING_FAILED) {
		give_up_as_libpq_says(client);
	} else {
		watch(client, true);
		if (status == PGRES_POLLING_WRITING)
			loop_io_write(&client->io, true);
		else
			loop_io_read(&client->io, true);
	}
}

/* --- Queries --- */

static void flush(struct pgclient *client)
{
	int left = PQflush(client->conn);

	/* A failure shows when reading; what the server still said is in there. */
	loop_io_write(&client->io, left > 0);
}

static void send_next(struct pgclient *client)
{
	if (client->state != STATE_IDLE || list_empty(&client->queries))
		return;
	struct query *query = LIST_MEMBER(list_first(&client->queries), struct query, link);

	client->state = STATE_BUSY;
	if (query->timeout_ms)
		loop_timer_start(&client->timer, query->timeout_ms);
	if (!PQsendQueryParams(client->conn, query->sql, (int)query->parameter_count, NULL,
		(const char *const *)query->parameters, NULL, NULL, 0)) {
		pgclient_take_text(&client->failure, "08006", PQerrorMessage(client->conn));
		fail_later(client);
		return;
	}
	flush(client);
}

void pgclient_query(struct pgclient *client, const char *sql, const char *const *parameters, size_t parameter_count,
	uint64_t timeout_ms, pgclient_result_cb *callback, void *arg)
{
	struct query *query = NEW(struct query);

	CHECK(client->state != STATE_DEAD && parameter_count <= PARAMETERS_MAX);
	query->sql = mem_strdup(sql);
	for (size_t i = 0; i < parameter_count; i++)
		query->parameters[i] = mem_secret_dup(parameters[i]);
	query->parameter_count = parameter_count;
	query->timeout_ms = timeout_ms;
	query->callback = callback;
	query->arg = arg;
	list_push_back(&client->queries, &query->link);
	/* In a callback of a query the next one is sent when it returns. */
	if (!client->gone)
		send_next(client);
}

static void take_result(struct pgclient *client, PGresult *rows)
{
	ExecStatusType status = PQresultStatus(rows);

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
		PQclear(client->result.rows);
		client->result.rows = rows;
		return;
	}
	const char *sqlstate = PQresultErrorField(rows, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(rows, PG_DIAG_MESSAGE_PRIMARY);

	if (!client->query_failed)
		pgclient_take_text(&client->query_error, sqlstate ? sqlstate : "08006", primary ? primary : PQresultErrorMessage(rows));
	client->query_failed = true;
	PQclear(rows);
}

/* False: the client is gone or dead. */
static bool complete_query(struct pgclient *client)
{
	struct pgclient_result result = client->result;
	struct error error = client->query_error;
	bool failed = client->query_failed;

	client->result.rows = NULL;
	client->query_failed = false;
	loop_timer_stop(&client->timer);
	if (PQstatus(client->conn) == CONNECTION_BAD) {
		PQclear(result.rows);
		if (failed)
			give_up(client, &error);
		else
			give_up_as_libpq_says(client);
		return false;
	}
	client->state = STATE_IDLE;
	bool there = finish_query(client, &result, failed ? &error : NULL);
	PQclear(result.rows);
	if (there)
		send_next(client);
	return there;
}

static bool is_copy(const PGresult *rows)
{
	ExecStatusType status = PQresultStatus(rows);

	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static void read_results(struct pgclient *client)
{
	/* On a lost connection libpq stays busy for ever, but has its results ready. */
	while (client->state == STATE_BUSY && (!PQisBusy(client->conn) || PQstatus(client->conn) == CONNECTION_BAD)) {
		PGresult *rows = PQgetResult(client->conn);

		if (!rows) {
			if (!complete_query(client))
				return;
			continue;
		}
		if (is_copy(rows)) {
			struct error error;

			PQclear(rows);
			error_set(&error, "0A000", "COPY is not possible here");
			give_up(client, &error);
			return;
		}
		take_result(client, rows);
	}
}

static void drop_notifications(struct pgclient *client)
{
	PGnotify *notification;

	while ((notification = PQnotifies(client->conn)))
		PQfreemem(notification);
}

static void socket_ready(unsigned what, void *arg)
{
	struct pgclient *client = arg;

	if (client->state == STATE_CONNECTING) {
		connect_further(client);
		return;
	}
	if (what & LOOP_WRITE)
		flush(client);
	if (!(what & LOOP_READ))
		return;
	if (!PQconsumeInput(client->conn) && client->state == STATE_IDLE) {
		give_up_as_libpq_says(client);
		return;
	}
	drop_notifications(client);
	if (client->state == STATE_BUSY)
		read_results(client);
	else if (PQstatus(client->conn) == CONNECTION_BAD)
		give_up_as_libpq_says(client);
}

/* --- Looking at it --- */

bool pgclient_is_open(const struct pgclient *client)
{
	return client->state == STATE_IDLE || client->state == STATE_BUSY;
}

int pgclient_server_version(const struct pgclient *client)
{
	return client->conn ? PQserverVersion(client->conn) : 0;
}

const char *pgclient_address(const struct pgclient *client)
{
	const char *address = pgclient_is_open(client) ? PQhostaddr(client->conn) : NULL;

	return address && address[0] ? address : NULL;
}

size_t pgclient_rows(const struct pgclient_result *result)
{
	return (size_t)PQntuples(result->rows);
}

size_t pgclient_columns(const struct pgclient_result *result)
{
	return (size_t)PQnfields(result->rows);
}

const char *pgclient_value(const struct pgclient_result *result, size_t row, size_t column)
{
	if (PQgetisnull(result->rows, (int)row, (int)column))
		return NULL;
	return PQgetvalue(result->rows, (int)row, (int)column);
}

