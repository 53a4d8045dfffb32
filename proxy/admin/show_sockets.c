/* SHOW CLIENTS, SERVERS, SOCKETS, ACTIVE_SOCKETS: one row for each connection, written on the worker that has it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"
#include "pgweir/clock.h"
#include "pgweir/session.h"
#include "pgweir/socket.h"
#include "pgweir/tls.h"
#include "show.h"

#define SOCKET_COLUMNS \
	{ "type", COLUMN_TEXT }, \
	{ "user", COLUMN_TEXT }, \
	{ "database", COLUMN_TEXT }, \
	{ "state", COLUMN_TEXT }, \
	{ "addr", COLUMN_TEXT }, \
	{ "port", COLUMN_INT8 }, \
	{ "local_addr", COLUMN_TEXT }, \
	{ "local_port", COLUMN_INT8 }, \
	{ "connect_time", COLUMN_TEXT }, \
	{ "request_time", COLUMN_TEXT }, \
	{ "wait", COLUMN_INT8 }, \
	{ "wait_us", COLUMN_INT8 }, \
	{ "close_needed", COLUMN_INT8 }, \
	{ "ptr", COLUMN_TEXT }, \
	{ "link", COLUMN_TEXT }, \
	{ "remote_pid", COLUMN_INT8 }, \
	{ "tls", COLUMN_TEXT }, \
	{ "application_name", COLUMN_TEXT }, \
	{ "prepared_statements", COLUMN_INT8 }

static const struct column client_columns[] = {
	SOCKET_COLUMNS,
	{ "id", COLUMN_INT8 },
	{ "replication", COLUMN_TEXT },
	{ "pin", COLUMN_TEXT },
	{ "worker", COLUMN_INT8 },
};
const struct table clients_table = TABLE(client_columns);

static const struct column server_columns[] = {
	SOCKET_COLUMNS,
	{ "id", COLUMN_INT8 },
	{ "host", COLUMN_TEXT },
	{ "transaction", COLUMN_TEXT },
	{ "worker", COLUMN_INT8 },
};
const struct table servers_table = TABLE(server_columns);

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

/* --- The columns they share --- */

struct socket_row {
	const char *type, *user, *database, *state, *application_name;
	const struct conn *conn;
	const struct sockaddr_storage *address;
	uint64_t now_us, connected_us, request_us;
	uint64_t waiting_since_us;      /* 0: does not wait. */
	bool close_needed;
	uint64_t id, link;              /* 0: none. */
	uint32_t remote_pid;
	size_t prepared;
};

static void put_address(struct result *result, const struct sockaddr_storage *address)
{
	char text[SOCKET_ADDRESS_MAX];

	socket_host_text(address, text, sizeof(text));
	result_text(result, text);
	result_int(result, socket_port(address));
}

static void put_local_address(struct result *result, const struct conn *conn)
{
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);

	if (getsockname(conn->fd, (struct sockaddr *)&address, &size) != 0)
		address.ss_family = AF_UNIX;
	put_address(result, &address);
}

static void put_ptr(struct result *result, uint64_t id)
{
	if (id)
		result_printf(result, "0x%" PRIx64, id);
	else
		result_text(result, "");
}

static void put_tls(struct result *result, const struct conn *conn)
{
	if (conn->ssl)
		result_printf(result, "%s/%s", tls_version(conn), tls_cipher(conn));
	else
		result_text(result, "");
}

static void put_socket(struct result *result, const struct socket_row *row)
{
	uint64_t waiting_us = row->waiting_since_us ? row->now_us - row->waiting_since_us : 0;

	result_text(result, row->type);
	result_text(result, row->user);
	result_text(result, row->database);
	result_text(result, row->state);
	put_address(result, row->address);
	put_local_address(result, row->conn);
	show_time(result, row->now_us, row->connected_us);
	show_time(result, row->now_us, row->request_us ? row->request_us : row->connected_us);
	result_int(result, (int64_t)(waiting_us / 1000000));
	result_int(result, (int64_t)(waiting_us % 1000000));
	result_int(result, row->close_needed);
	put_ptr(result, row->id);
	put_ptr(result, row->link);
	result_int(result, row->remote_pid);
	put_tls(result, row->conn);
	result_text(result, row->application_name ? row->application_name : "");
	result_int(result, (int64_t)row->prepared);
}

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

/* --- Clients --- */

static const char *const session_states[] = {
	[SESSION_WELCOMING] = "waiting",
	[SESSION_IDLE] = "idle",
	[SESSION_WAITING] = "waiting",
	[SESSION_SETTING_UP] = "active",
	[SESSION_LINKED] = "active",
	[SESSION_FINISHING] = "active",
	[SESSION_CLOSED] = "closed",
};

static const char *setting_of(const struct session *session, const char *name)
{
	const char *value = state_get(session->settings, name);

	return value ? value : state_get(session->login_settings, name);
}

static struct socket_row session_row(const struct session *session, struct sockaddr_storage *address)
{
	*address = (struct sockaddr_storage){ 0 };
	memcpy(address, &session->address, sizeof(session->address));
	return (struct socket_row){
		.type = "C",
		.user = session->guest->name,
		.database = session->share->database_name,
		.state = session_states[session->state],
		.application_name = setting_of(session, "application_name"),
		.conn = &session->conn,
		.address = address,
		.now_us = session->worker->now_us,
		.connected_us = session->connected_us,
		.request_us = session->request_us,
		.waiting_since_us = session->waiter.since_us,
		.id = session->id,
		.link = session->backend ? session->backend->id : 0,
		.prepared = session->names.size,
	};
}

/* "listen,cursor" */
static void put_pins(struct result *result, uint32_t pins)
{
	struct buf text = { 0 };

	for (unsigned pin = 0; pin < PIN_COUNT; pin++) {
		if (!(pins & PIN_BIT(pin)))
			continue;
		if (text.size)
			buf_append_char(&text, ',');
		buf_append_text(&text, session_pin_name((enum session_pin)pin));
	}
	buf_append_char(&text, '\0');
	result_text(result, text.bytes);
	buf_fini(&text);
}

static void put_session(struct job *job, const struct session *session)
{
	struct result *result = &job->result;
	struct sockaddr_storage address;
	struct socket_row row = session_row(session, &address);

	result_begin(result);
	put_socket(result, &row);
	result_int(result, (int64_t)session->id);
	result_text(result, session->replication ? session->replication : "none");
	put_pins(result, session->pins);
	result_int(result, session->worker->index);
	result_end(result);
}

static struct socket_row console_row(const struct client *client)
{
	return (struct socket_row){
		.type = "C",
		.user = client->user,
		.database = client->database_name,
		.state = "active",
		.application_name = client->application_name,
		.conn = &client->conn,
		.address = &client->address,
		.now_us = clock_now_us(),
		.connected_us = client->connected_us,
		.request_us = client->request_us,
		.id = client->id,
		.prepared = client->statements.size,
	};
}

static void put_console(struct job *job, const struct client *client)
{
	struct result *result = &job->result;
	struct socket_row row = console_row(client);

	result_begin(result);
	put_socket(result, &row);
	result_int(result, (int64_t)client->id);
	result_text(result, "none");
	result_text(result, "");
	result_null(result);
	result_end(result);
}

static void visit_client(struct list *link, void *arg)
{
	put_session(arg, LIST_MEMBER(link, struct session, link));
}

void show_clients(struct job *job)
{
	static const struct worker_walk walk = { .session = visit_client };

	LIST_FOREACH(link, next, admin_clients())
		put_console(job, LIST_MEMBER(link, struct client, link));
	job_walk(job, &walk, show_done);
}

/* --- Servers --- */

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

static struct socket_row backend_row(const struct backend *backend)
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
	struct socket_row row = backend_row(backend);

	result_begin(result);
	put_socket(result, &row);
	result_int(result, (int64_t)backend->id);
	result_printf(result, "%s:%u", host->host, host->port);
	result_text(result, transaction_of(backend));
	result_int(result, backend->worker->index);
	result_end(result);
}

typedef void backend_cb(struct job *job, const struct backend *backend);

static void each_backend(struct job *job, struct pool_share *share, backend_cb *put)
{
	struct list *const lists[] = { &share->lent, &share->idle, &share->cleaning };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		LIST_FOREACH(member, following, lists[i])
			put(job, LIST_MEMBER(member, struct backend, link));
	}
}

static void visit_servers(struct pool_share *share, void *arg)
{
	each_backend(arg, share, put_backend);
}

void show_servers(struct job *job)
{
	static const struct worker_walk walk = { .share = visit_servers };

	job_walk(job, &walk, show_done);
}

/* --- Both --- */

static void put_any(struct job *job, const struct socket_row *row)
{
	result_begin(&job->result);
	put_socket(&job->result, row);
	put_buffers(&job->result, row->conn);
	result_end(&job->result);
}

static bool is_at_work(const struct socket_row *row)
{
	return strcmp(row->state, "idle") != 0;
}

static void put_backend_socket(struct job *job, const struct backend *backend)
{
	struct socket_row row = backend_row(backend);

	if (job->result.table == &sockets_table || is_at_work(&row))
		put_any(job, &row);
}

static void visit_client_socket(struct list *link, void *arg)
{
	struct job *job = arg;
	struct sockaddr_storage address;
	struct socket_row row = session_row(LIST_MEMBER(link, struct session, link), &address);

	if (job->result.table == &sockets_table || is_at_work(&row))
		put_any(job, &row);
}

static void visit_server_sockets(struct pool_share *share, void *arg)
{
	each_backend(arg, share, put_backend_socket);
}

void show_sockets(struct job *job)
{
	static const struct worker_walk walk = { .session = visit_client_socket, .share = visit_server_sockets };

	LIST_FOREACH(link, next, admin_clients()) {
		struct socket_row row = console_row(LIST_MEMBER(link, struct client, link));

		put_any(job, &row);
	}
	job_walk(job, &walk, show_done);
}

void show_active_sockets(struct job *job)
{
	show_sockets(job);
}
