#include "ask.h"

#include <stdlib.h>
#include <string.h>

#include "pgweir/loop.h"
#include "pgweir/mem.h"

struct ask {
	struct loop *loop;
	struct pgclient *client;
	bool answered, dead;
	struct error error;             /* Its text is empty where all is well. */
	struct ask_rows *rows;
};

static void changed(struct pgclient *client, const struct error *error, void *arg)
{
	struct ask *ask = arg;

	(void)client;
	ask->dead = error;
	if (error)
		ask->error = *error;
	ask->answered = true;
	loop_stop(ask->loop);
}

static void wait_for_answer(struct ask *ask)
{
	ask->answered = false;
	while (!ask->answered)
		loop_run(ask->loop);
}

struct ask *ask_open(const struct pgclient_options *options, struct error *error)
{
	struct ask *ask = NEW(struct ask);
	struct pgclient_options timed = *options;

	timed.connect_timeout_ms = timed.connect_timeout_ms ? timed.connect_timeout_ms : ASK_TIMEOUT_MS;
	ask->loop = loop_new("ask");
	ask->client = pgclient_new(ask->loop, &timed, changed, ask);
	wait_for_answer(ask);
	if (ask->dead) {
		*error = ask->error;
		ask_close(&ask);
	}
	return ask;
}

void ask_close(struct ask **ask)
{
	struct ask *gone = *ask;

	*ask = NULL;
	if (!gone)
		return;
	pgclient_free(&gone->client);
	loop_free(&gone->loop);
	mem_free(gone);
}

static void keep_rows(struct ask_rows *rows, const struct pgclient_result *result)
{
	rows->count = pgclient_rows(result);
	rows->columns = pgclient_columns(result);
	rows->values = NEW_ARRAY(char *, rows->count * rows->columns + 1);
	for (size_t i = 0; i < rows->count * rows->columns; i++)
		rows->values[i] = mem_strdup(pgclient_value(result, i / rows->columns, i % rows->columns));
}

static void answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct ask *ask = arg;

	if (error)
		ask->error = *error;
	else
		keep_rows(ask->rows, result);
	ask->answered = true;
	loop_stop(ask->loop);
}

bool ask_rows(struct ask *ask, const char *sql, struct ask_rows *rows, struct error *error)
{
	*rows = (struct ask_rows){ 0 };
	if (!ask->dead) {
		ask->error = (struct error){ 0 };
		ask->rows = rows;
		pgclient_query(ask->client, sql, NULL, 0, ASK_TIMEOUT_MS, answered, ask);
		wait_for_answer(ask);
	}
	*error = ask->error;
	return !error->text[0];
}

void ask_rows_fini(struct ask_rows *rows)
{
	for (size_t i = 0; i < rows->count * rows->columns; i++)
		mem_free(rows->values[i]);
	mem_free(rows->values);
	*rows = (struct ask_rows){ 0 };
}

const char *ask_value(const struct ask_rows *rows, size_t row, size_t column)
{
	return row < rows->count && column < rows->columns ? rows->values[row * rows->columns + column] : NULL;
}

bool ask_is_true(const struct ask_rows *rows, size_t row, size_t column)
{
	const char *value = ask_value(rows, row, column);

	return value && strcmp(value, "t") == 0;
}

long long ask_number(const struct ask_rows *rows, size_t row, size_t column)
{
	const char *value = ask_value(rows, row, column);

	return value ? strtoll(value, NULL, 10) : 0;
}
