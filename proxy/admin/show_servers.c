/* SHOW SERVERS */
#include "show.h"
#include "socket_row.h"

static const struct column server_columns[] = {
	SOCKET_COLUMNS,
	{ "id", COLUMN_INT8 },
	{ "host", COLUMN_TEXT },
	{ "transaction", COLUMN_TEXT },
	{ "worker", COLUMN_INT8 },
};
const struct table servers_table = TABLE(server_columns);

static const char *state_of(const struct backend *backend)
{
	if (!list_empty((struct list *)(uintptr_t)&backend->cancel_tickets))
		return backend->state == BACKEND_LENT ? "active_cancel" : "being_canceled";
	if (backend->state == BACKEND_CLEANING)
		return "tested";
	return backend->state == BACKEND_LENT ? "active" : "idle";
}

static const char *transaction_of(const struct backend *backend)
{
	if (backend->status == 'T')
		return "open";
	return backend->status == 'E' ? "failed" : "none";
}

struct socket_row socket_row_of_backend(const struct backend *backend)
{
	const struct server *server = backend->server;
	const struct session *session = backend->state == BACKEND_LENT ? backend->owner : NULL;

	return (struct socket_row){
		.type = "S",
		.user = backend->share->user_name,
		.database = backend->share->database_name,
		.state = state_of(backend),
		.application_name = parameters_get(&server->parameters, "application_name"),
		.conn = &server->conn,
		.address = &server->address,
		.now_us = backend->worker->now_us,
		.connected_us = server->opened_us,
		.request_us = backend->lent_since_us,
		.close_needed = pool_outdated(backend),
		.id = backend->id,
		.link = session ? session->id : 0,
		.remote_pid = server->pid,
		.prepared = prepared_count(&backend->prepared),
	};
}

static void put_backend(struct job *job, const struct backend *backend)
{
	const struct config_host *host = backend->server->target->host;
	struct result *result = &job->result;
	struct socket_row row = socket_row_of_backend(backend);

	result_begin(result);
	socket_row_put(result, &row);
	result_int(result, (int64_t)backend->id);
	result_printf(result, "%s:%u", host->host, host->port);
	result_text(result, transaction_of(backend));
	result_int(result, backend->worker->index);
	result_end(result);
}

void socket_row_each_backend(struct job *job, struct pool_share *share, backend_cb *put)
{
	struct list *const lists[] = { &share->lent, &share->idle, &share->cleaning };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		LIST_FOREACH(member, following, lists[i])
			put(job, LIST_MEMBER(member, struct backend, link));
	}
}

static void visit_servers(struct pool_share *share, void *arg)
{
	socket_row_each_backend(arg, share, put_backend);
}

void show_servers(struct job *job)
{
	static const struct worker_walk walk = { .share = visit_servers };

	job_walk(job, &walk, show_done);
}
