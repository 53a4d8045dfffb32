/* Queries, on a loop: one is under way, the others wait for their turn. */
#include <libpq-fe.h>

#include "pgclient_loop.h"
#include "pgweir/mem.h"

struct query {
	struct list link;
	char *sql;
	char *parameters[PGCLIENT_PARAMETERS_MAX];
	size_t parameter_count;
	uint64_t timeout_ms;
	pgclient_result_cb *callback;
	void *arg;
};

static void query_free(struct query *query)
{
	list_remove(&query->link);
	mem_secret_free(query->sql);
	for (size_t i = 0; i < query->parameter_count; i++)
		mem_secret_free(query->parameters[i]);
	mem_free(query);
}

void pgclient_drop_query(struct pgclient *client)
{
	query_free(LIST_MEMBER(list_first(&client->queries), struct query, link));
}

void pgclient_drop_result(struct pgclient *client)
{
	PQclear(client->result.rows);
	client->result.rows = NULL;
	client->query_failed = false;
}

bool pgclient_finish_query(struct pgclient *client, const struct pgclient_result *result, const struct error *error)
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

void pgclient_flush(struct pgclient *client)
{
	int left = PQflush(client->conn);

	/* A failure shows when reading; what the server still said is in there. */
	loop_io_write(&client->io, left > 0);
}

void pgclient_send_next(struct pgclient *client)
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
		pgclient_fail_later(client);
		return;
	}
	pgclient_flush(client);
}

void pgclient_query(struct pgclient *client, const char *sql, const char *const *parameters, size_t parameter_count,
	uint64_t timeout_ms, pgclient_result_cb *callback, void *arg)
{
	struct query *query = NEW(struct query);

	CHECK(client->state != STATE_DEAD && parameter_count <= PGCLIENT_PARAMETERS_MAX);
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
		pgclient_send_next(client);
}

/* --- Answers --- */

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
			pgclient_give_up(client, &error);
		else
			pgclient_give_up_as_libpq_says(client);
		return false;
	}
	client->state = STATE_IDLE;
	bool there = pgclient_finish_query(client, &result, failed ? &error : NULL);
	PQclear(result.rows);
	if (there)
		pgclient_send_next(client);
	return there;
}

static bool is_copy(const PGresult *rows)
{
	ExecStatusType status = PQresultStatus(rows);

	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

void pgclient_read_results(struct pgclient *client)
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
			pgclient_give_up(client, &error);
			return;
		}
		take_result(client, rows);
	}
}
