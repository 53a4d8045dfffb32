/* SHOW SOCKETS and ACTIVE_SOCKETS: both kinds of connections, with PgBouncer's view of buffers. */
#include <string.h>

#include "show.h"
#include "socket_row.h"

static const struct column socket_columns[] = {
	SOCKET_COLUMNS,
	{ "recv_pos", COLUMN_INT8 },
	{ "pkt_pos", COLUMN_INT8 },
	{ "pkt_remain", COLUMN_INT8 },
	{ "send_pos", COLUMN_INT8 },
	{ "send_remain", COLUMN_INT8 },
	{ "pkt_avail", COLUMN_INT8 },
	{ "send_avail", COLUMN_INT8 },
};
const struct table sockets_table = TABLE(socket_columns);
const struct table active_sockets_table = TABLE(socket_columns);

/* Of PgBouncer's view of its buffers, what there is here: bytes not yet sent. */
static void put_buffers(struct result *result, const struct conn *conn)
{
	int64_t left = (int64_t)(conn->out.size - conn->out_sent);

	for (int i = 0; i < 4; i++)
		result_int(result, 0);
	result_int(result, left);
	result_int(result, 0);
	result_int(result, left);
}

static void put_any(struct job *job, const struct socket_row *row)
{
	result_begin(&job->result);
	socket_row_put(&job->result, row);
	put_buffers(&job->result, row->conn);
	result_end(&job->result);
}

static bool is_at_work(const struct socket_row *row)
{
	return strcmp(row->state, "idle") != 0;
}

static void put_backend_socket(struct job *job, const struct backend *backend)
{
	struct socket_row row = socket_row_of_backend(backend);

	if (job->result.table == &sockets_table || is_at_work(&row))
		put_any(job, &row);
}

static void visit_client_socket(struct list *link, void *arg)
{
	struct job *job = arg;
	struct sockaddr_storage address;
	struct socket_row row = socket_row_of_session(LIST_MEMBER(link, struct session, link), &address);

	if (job->result.table == &sockets_table || is_at_work(&row))
		put_any(job, &row);
}

static void visit_server_sockets(struct pool_share *share, void *arg)
{
	socket_row_each_backend(arg, share, put_backend_socket);
}

void show_sockets(struct job *job)
{
	static const struct worker_walk walk = { .session = visit_client_socket, .share = visit_server_sockets };

	LIST_FOREACH(link, next, admin_clients()) {
		struct socket_row row = socket_row_of_console(LIST_MEMBER(link, struct client, link));

		put_any(job, &row);
	}
	job_walk(job, &walk, show_done);
}

void show_active_sockets(struct job *job)
{
	show_sockets(job);
}
