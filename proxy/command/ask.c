#include "ask.h"

#include <stdlib.h>
#include <string.h>

struct pgclient_sync *ask_open(const struct pgclient_options *options, struct error *error)
{
	struct pgclient_options timed = *options;

	timed.connect_timeout_ms = timed.connect_timeout_ms ? timed.connect_timeout_ms : ASK_TIMEOUT_MS;
	return pgclient_sync_open(&timed, NULL, error);
}

bool ask_rows(struct pgclient_sync *client, const char *sql, struct ask_rows *rows, struct error *error)
{
	rows->result = pgclient_sync_query(client, sql, NULL, 0, error);
	return rows->result;
}

void ask_rows_fini(struct ask_rows *rows)
{
	pgclient_sync_result_free(&rows->result);
}

size_t ask_count(const struct ask_rows *rows)
{
	return rows->result ? pgclient_rows(rows->result) : 0;
}

const char *ask_value(const struct ask_rows *rows, size_t row, size_t column)
{
	return row < ask_count(rows) && column < pgclient_columns(rows->result) ? pgclient_value(rows->result, row, column) : NULL;
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
