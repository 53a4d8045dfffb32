#include "socket_row.h"

#include <inttypes.h>
#include <sys/socket.h>

#include "pgweir/socket.h"
#include "pgweir/tls.h"
#include "show.h"

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

void socket_row_put(struct result *result, const struct socket_row *row)
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
