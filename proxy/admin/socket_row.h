/* The columns that SHOW CLIENTS, SERVERS, SOCKETS and ACTIVE_SOCKETS share. A row is written on the worker that has the connection. */
#ifndef PGWEIR_ADMIN_SOCKET_ROW_H
#define PGWEIR_ADMIN_SOCKET_ROW_H

#include "client.h"
#include "job.h"
#include "pgweir/session.h"

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

/* Fills in those columns. */
void socket_row_put(struct result *result, const struct socket_row *row);

/* Of clients and consoles (show_clients.c), and of servers (show_servers.c). `address` is where the row's will be. */
struct socket_row socket_row_of_session(const struct session *session, struct sockaddr_storage *address);
struct socket_row socket_row_of_console(const struct client *client);
struct socket_row socket_row_of_backend(const struct backend *backend);

typedef void backend_cb(struct job *job, const struct backend *backend);

void socket_row_each_backend(struct job *job, struct pool_share *share, backend_cb *put);

#endif
