#include "bench_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE_BYTES 16384

static enum conn_outcome tls_outcome(struct conn *conn, int result)
{
	switch (SSL_get_error(conn->tls, result)) {
	case SSL_ERROR_WANT_READ:
		return CONN_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return CONN_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return CONN_ENDED;
	default:
		ERR_clear_error();
		return CONN_BROKEN;
	}
}

static enum conn_outcome receive_tls(struct conn *conn, struct bytes *in)
{
	/* What the library has decrypted no longer makes the socket readable: take all of it. */
	for (;;) {
		int received = SSL_read(conn->tls, bytes_room(in, RECEIVE_BYTES), RECEIVE_BYTES);

		if (received <= 0)
			return tls_outcome(conn, received);
		bytes_produced(in, (size_t)received);
		if (SSL_pending(conn->tls) == 0)
			return CONN_OK;
	}
}

enum conn_outcome conn_receive(struct conn *conn, struct bytes *in)
{
	ssize_t received;

	if (conn->tls)
		return receive_tls(conn, in);
	received = recv(conn->fd, bytes_room(in, RECEIVE_BYTES), RECEIVE_BYTES, 0);
	if (received == 0)
		return CONN_ENDED;
	if (received < 0)
		return errno == EAGAIN || errno == EINTR ? CONN_WANTS_READ : CONN_BROKEN;
	bytes_produced(in, (size_t)received);
	return CONN_OK;
}

static enum conn_outcome send_some(struct conn *conn, struct bytes *out)
{
	ssize_t sent;

	if (conn->tls) {
		sent = SSL_write(conn->tls, bytes_data(out), (int)bytes_length(out));
		if (sent <= 0)
			return tls_outcome(conn, (int)sent);
	} else {
		sent = send(conn->fd, bytes_data(out), bytes_length(out), MSG_NOSIGNAL);
		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? CONN_WANTS_WRITE : CONN_BROKEN;
	}
	bytes_consume(out, (size_t)sent);
	return CONN_OK;
}

enum conn_outcome conn_send(struct conn *conn, struct bytes *out)
{
	while (bytes_length(out) > 0) {
		enum conn_outcome outcome = send_some(conn, out);

		if (outcome != CONN_OK)
			return outcome;
	}
	return CONN_OK;
}

bool conn_start_tls(struct conn *conn, SSL_CTX *context)
{
	conn->tls = SSL_new(context);
	if (!conn->tls)
		return false;
	/* The queue may move between two tries of one write. */
	SSL_set_mode(conn->tls, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
	return SSL_set_fd(conn->tls, conn->fd) == 1;
}

enum conn_outcome conn_handshake(struct conn *conn, bool as_server)
{
	int result = as_server ? SSL_accept(conn->tls) : SSL_connect(conn->tls);

	return result == 1 ? CONN_OK : tls_outcome(conn, result);
}

void conn_close(struct conn *conn)
{
	SSL_free(conn->tls);
	conn->tls = NULL;
	if (conn->fd >= 0)
		close(conn->fd);
	conn->fd = -1;
}

static struct sockaddr_in address_of(const char *host, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
		fprintf(stderr, "%s: not an IPv4 address\n", host);
		exit(2);
	}
	return address;
}

int conn_listen(const char *host, uint16_t port)
{
	struct sockaddr_in address = address_of(host, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

uint16_t conn_local_port(int fd)
{
	struct sockaddr_in address;
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
		return 0;
	return ntohs(address.sin_port);
}

int conn_connect(const char *host, uint16_t port)
{
	struct sockaddr_in address = address_of(host, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	conn_set_options(fd);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

void conn_set_options(int fd)
{
	int on = 1;

	/* A failure costs speed, not correctness, and shows in the figures. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

void conn_raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

uint64_t conn_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
