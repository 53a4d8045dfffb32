/* What drivers say without being asked: transactions around commands that know none, settings of a session that has
 * none, and a few questions. */
#include <stdlib.h>
#include <string.h>

#include "act.h"
#include "client.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "show.h"

#define ONE_COLUMN(table_, name_, type_) \
	static const struct column table_##_columns[] = { { (name_), (type_) } }; \
	const struct table table_##_table = TABLE(table_##_columns)

ONE_COLUMN(select_one, "?column?", COLUMN_INT8);
ONE_COLUMN(select_version, "version", COLUMN_TEXT);
ONE_COLUMN(select_unlock, "pg_advisory_unlock_all", COLUMN_TEXT);
ONE_COLUMN(select_user, "current_user", COLUMN_TEXT);
ONE_COLUMN(show_isolation, "transaction_isolation", COLUMN_TEXT);
ONE_COLUMN(show_read_only, "transaction_read_only", COLUMN_TEXT);
ONE_COLUMN(show_server_version, "server_version", COLUMN_TEXT);
ONE_COLUMN(show_encoding, "client_encoding", COLUMN_TEXT);
ONE_COLUMN(show_strings, "standard_conforming_strings", COLUMN_TEXT);
ONE_COLUMN(show_application_name, "application_name", COLUMN_TEXT);

void chatter_accept(struct job *job)
{
	job_done(job, job->call.command->value);
}

void chatter_begin(struct job *job)
{
	job->client->status = 'T';
	chatter_accept(job);
}

void chatter_end(struct job *job)
{
	job->client->status = 'I';
	chatter_accept(job);
}

void chatter_forget_statements(struct job *job)
{
	client_close_statements(job->client);
	chatter_accept(job);
}

static void put_only_row(struct job *job, const char *value)
{
	struct result *result = &job->result;

	result_begin(result);
	if (result->table->columns[0].type == COLUMN_INT8)
		result_int(result, strtoll(value, NULL, 10));
	else
		result_text(result, value);
	result_end(result);
	job_done(job, strncmp(job->call.command->words, "SHOW", 4) == 0 ? "SHOW" : "SELECT 1");
}

void chatter_value(struct job *job) { put_only_row(job, job->call.command->value); }
void chatter_user(struct job *job) { put_only_row(job, job->client->user); }
void chatter_application_name(struct job *job) { put_only_row(job, job->client->application_name); }

/* SET application_name = 'x', or TO. */
void chatter_set_application_name(struct job *job)
{
	struct client *client = job->client;
	const char *value = call_argument(&job->call, 1);

	if (value) {
		mem_free(client->application_name);
		client->application_name = mem_strdup(value);
		wire_put_parameter_status(&client->out, "application_name", value);
	}
	chatter_accept(job);
}
