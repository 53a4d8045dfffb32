/* Failure story: a client that is slow, or leaves, is dropped without a word once its time is up; one that says what
 * cannot be understood gets a status and is dropped. Connections beyond the limit are closed at once: health checks try
 * again, and whoever holds the others is timed out soon. */
#include "http_server.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pgweir/mem.h"

enum { READ_STEP = 2048, ACCEPTS_PER_TURN = 16, BACKLOG = 64, LARGE_BODY = 262144 };

static void connection_close(struct http_connection *connection)
{
	loop_timer_stop(&connection->timer);
	list_remove(&connection->waiting);
	list_remove(&connection->link);
	connection->server->connection_count--;
	conn_close(&connection->conn);
	/* It may hold a password. */
	buf_fini_secret(&connection->in);
	mem_free(connection);
}

static void time_is_up(void *arg)
{
	connection_close(arg);
}

/* --- The answer --- */

static const char *reason_of(int status)
{
	static const struct { int status; const char *text; } reasons[] = {
		{ 200, "OK" }, { 400, "Bad Request" }, { 401, "Unauthorized" }, { 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 431, "Request Header Fields Too Large" }, { 503, "Service Unavailable" }, { 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Unknown";
}

static void put_head(struct buf *out, const struct http_reply *reply, size_t size)
{
	buf_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", reply->status, reason_of(reply->status),
		reply->type ? reply->type : "text/plain; charset=utf-8", size);
	buf_printf(out, "Content-Security-Policy: %s\r\n", reply->policy ? reply->policy
		: "default-src 'none'; frame-ancestors 'none'");
	buf_append_text(out, "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
		"Cross-Origin-Resource-Policy: same-origin\r\nCache-Control: no-store\r\nConnection: close\r\n");
	if (reply->header)
		buf_append_text(out, reply->header);
	buf_append_text(out, "\r\n");
}

static void linger(struct http_connection *connection)
{
	connection->state = HTTP_LINGERING;
	conn_shutdown(&connection->conn);
	loop_timer_start(&connection->timer, HTTP_LINGER_MS);
	conn_want_read(&connection->conn, true);
}

/* A small body goes out with its head in one segment; a large one is not copied. */
static bool send_reply(struct http_connection *connection, const struct buf *head, struct buf *body)
{
	const struct iovec pieces[] = { { head->bytes, head->size }, { body->bytes, body->size } };

	if (connection->request.head || !body->size)
		return conn_sendv(&connection->conn, pieces, 1);
	if (body->size < LARGE_BODY)
		return conn_sendv(&connection->conn, pieces, 2);
	return conn_sendv(&connection->conn, pieces, 1) && conn_send_buf(&connection->conn, body);
}

void http_reply(struct http_connection *connection, const struct http_reply *reply, struct buf *body)
{
	struct buf head = { 0 };

	CHECK(connection->state == HTTP_READING || connection->state == HTTP_ANSWERING);
	put_head(&head, reply, body->size);
	connection->state = HTTP_WRITING;
	bool sent = send_reply(connection, &head, body);

	buf_fini(&head);
	buf_fini(body);
	if (!sent) {
		connection_close(connection);
		return;
	}
	loop_timer_start(&connection->timer, HTTP_ANSWER_MS);
	if (conn_blocked(&connection->conn))
		conn_want_read(&connection->conn, false);
	else
		linger(connection);
}

void http_reply_text(struct http_connection *connection, int status, const char *text)
{
	struct buf body = { 0 };

	buf_append_text(&body, text);
	buf_append_char(&body, '\n');
	http_reply(connection, &(struct http_reply){ .status = status, .header = status == 405 ? "Allow: GET, HEAD\r\n" : NULL }, &body);
}

void http_wait(struct http_connection *connection, struct list *list, http_answer_cb *go_on)
{
	connection->state = HTTP_ANSWERING;
	connection->go_on = go_on;
	list_push_back(list, &connection->waiting);
	loop_timer_start(&connection->timer, HTTP_ANSWER_MS);
	/* Whoever has closed its sending side may still read. */
	conn_want_read(&connection->conn, false);
}

/* --- The request --- */

static void head_is_there(struct http_connection *connection, size_t size)
{
	int status = http_request_parse(&connection->request, connection->in.bytes, size);

	if (status)
		http_reply_text(connection, status, reason_of(status));
	else
		connection->server->answer(connection);
}

static void read_request(struct http_connection *connection)
{
	struct buf *in = &connection->in;

	/* Not more than fits, so that it never moves, which would leave a copy of a password behind. */
	if (!in->bytes)
		buf_reserve(in, HTTP_HEAD_MAX);
	for (;;) {
		size_t room = HTTP_HEAD_MAX - in->size;
		ssize_t got = conn_recv(&connection->conn, in->bytes + in->size, room < READ_STEP ? room : READ_STEP);

		if (got == CONN_AGAIN)
			return;
		if (got <= 0) {
			connection_close(connection);
			return;
		}
		in->size += (size_t)got;
		size_t size = http_request_size(in->bytes, in->size);

		if (size) {
			head_is_there(connection, size);
			return;
		}
		if (in->size == HTTP_HEAD_MAX) {
			http_reply_text(connection, 431, reason_of(431));
			return;
		}
	}
}

static void drop_rest(struct http_connection *connection)
{
	char dropped[READ_STEP];
	ssize_t got = conn_recv(&connection->conn, dropped, sizeof(dropped));

	if (got != CONN_AGAIN && got <= 0)
		connection_close(connection);
}

static void connection_event(unsigned what, void *arg)
{
	struct http_connection *connection = arg;

	switch (connection->state) {
	case HTTP_READING:
		read_request(connection);
		break;
	case HTTP_ANSWERING:
		break;
	case HTTP_WRITING:
		if (!(what & LOOP_WRITE) || !conn_flush(&connection->conn))
			connection_close(connection);
		else if (!conn_blocked(&connection->conn))
			linger(connection);
		break;
	case HTTP_LINGERING:
		drop_rest(connection);
		break;
	}
}

/* --- Listening --- */

static void accepted(struct http_server *server, int fd)
{
	if (server->connection_count == HTTP_CONNECTIONS_MAX) {
		close(fd);
		return;
	}
	struct http_connection *connection = NEW(struct http_connection);

	connection->server = server;
	list_init(&connection->waiting);
	list_push_back(&server->connections, &connection->link);
	server->connection_count++;
	loop_timer_init(&connection->timer, server->loop, time_is_up, connection);
	loop_timer_start(&connection->timer, HTTP_REQUEST_MS);
	conn_init(&connection->conn, fd);
	conn_attach(&connection->conn, server->loop, connection_event, connection);
}

static void socket_ready(unsigned what, void *arg)
{
	struct http_socket *from = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(from->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		accepted(from->server, fd);
	}
}

static bool open_one(struct http_server *server, const struct addrinfo *at, const char *address, struct error *error)
{
	int one = 1, fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(error, "58000", "cannot open a socket for %s: %s", address, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
		int failed = errno;

		close(fd);
		return error_set(error, "58000", "cannot listen on %s: %s", address, strerror(failed));
	}
	struct http_socket *added = &server->sockets[server->socket_count++];

	*added = (struct http_socket){ .server = server, .fd = fd };
	loop_io_init(&added->io, server->loop, fd, socket_ready, added);
	loop_io_read(&added->io, true);
	return true;
}

/* "host:port", with brackets around an address of IPv6. The settings' parser has seen to its form. */
static void split(const char *address, char **host, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t size = (size_t)(colon - address);
	bool bracketed = size >= 2 && address[0] == '[' && colon[-1] == ']';

	*host = bracketed ? mem_strndup(address + 1, size - 2) : mem_strndup(address, size);
	*port = colon + 1;
}

bool http_server_open(struct http_server *server, struct loop *loop, const char *address, http_answer_cb *answer,
	struct error *error)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found = NULL;
	const char *port;
	char *host;

	*server = (struct http_server){ .loop = loop, .answer = answer };
	list_init(&server->connections);
	split(address, &host, &port);
	int failed = getaddrinfo(*host && strcmp(host, "*") != 0 ? host : NULL, port, &hints, &found);
	bool good = failed == 0 || error_set(error, "58000", "%s: %s", address, gai_strerror(failed));

	mem_free(host);
	for (const struct addrinfo *at = found; at && good && server->socket_count < HTTP_SOCKETS_MAX; at = at->ai_next)
		good = open_one(server, at, address, error);
	if (found)
		freeaddrinfo(found);
	if (!good)
		http_server_close(server);
	return good;
}

void http_server_close(struct http_server *server)
{
	for (size_t i = 0; i < server->socket_count; i++) {
		loop_io_fini(&server->sockets[i].io);
		close(server->sockets[i].fd);
	}
	server->socket_count = 0;
	if (!server->loop)
		return;
	LIST_FOREACH(link, next, &server->connections)
		connection_close(LIST_MEMBER(link, struct http_connection, link));
}
