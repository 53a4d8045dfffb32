/* SHOW LISTENERS: the connections that listen for clients in transaction mode. */
#include "pgweir/hub.h"
#include "show.h"

static const struct column columns[] = {
	{ "database", COLUMN_TEXT },
	{ "user", COLUMN_TEXT },
	{ "state", COLUMN_TEXT },
	{ "server_pid", COLUMN_INT8 },
	{ "channels", COLUMN_INT8 },
	{ "sessions", COLUMN_INT8 },
	{ "notifications", COLUMN_INT8 },
	{ "interruptions", COLUMN_INT8 },
};
const struct table listeners_table = TABLE(columns);

static void put(const struct hub_facts *facts, void *arg)
{
	struct result *result = arg;

	result_begin(result);
	result_text(result, facts->database);
	result_text(result, facts->user);
	result_text(result, facts->state);
	result_int(result, facts->server_pid);
	result_int(result, facts->channels);
	result_int(result, facts->sessions);
	result_int(result, (int64_t)facts->notifications);
	result_int(result, (int64_t)facts->interruptions);
	result_end(result);
}

static void visit(struct job *job, struct worker *worker)
{
	hub_worker_describe(worker, put, &job->result);
}

void show_listeners(struct job *job)
{
	job_tour(job, visit, show_done);
}
