/* Failure story: every error of the kernel or of TLS ends in CONN_FAILED or false; the owner then closes the
 * connection with a reason of its own. Nothing is retried here. */
#include "pgweir/conn.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pgweir/descriptors.h"
#include "pgweir/mem.h"

static void init(struct conn *conn, int fd, bool client)
{
	*conn = (struct conn){ .fd = fd, .client = client };
	if (fd >= 0)
		descriptors_count(client, 1);
}

void conn_init(struct conn *conn, int fd)
{
	init(conn, fd, false);
}

void conn_init_client(struct conn *conn, int fd)
{
	init(conn, fd, true);
}

void conn_attach(struct conn *conn, struct loop *loop, loop_io_cb *callback, void *arg)
{
	CHECK(!conn->attached && conn->fd >= 0);
	loop_io_init(&conn->io, loop, conn->fd, callback, arg);
	loop_io_watch_closed(&conn->io);
	conn->attached = true;
	loop_io_write(&conn->io, conn_blocked(conn));
	conn_want_read(conn, true);
}

void conn_detach(struct conn *conn)
{
	if (!conn->attached)
		return;
	loop_io_fini(&conn->io);
	conn->attached = false;
}

void conn_move(struct conn *to, struct conn *from)
{
	CHECK(!from->attached);
	*to = *from;
	conn_init(from, -1);
}

void conn_close(struct conn *conn)
{
	conn_detach(conn);
	if (conn->ssl) {
		/* Says goodbye if the kernel takes it; waits for nothing. */
		if (SSL_is_init_finished(conn->ssl))
			SSL_shutdown(conn->ssl);
		SSL_free(conn->ssl);
		ERR_clear_error();
	}
	if (conn->fd >= 0) {
		close(conn->fd);
		descriptors_count(conn->client, -1);
	}
	buf_fini(&conn->out);
	conn_init(conn, -1);
}

void conn_shutdown(struct conn *conn)
{
	if (conn->ssl && SSL_is_init_finished(conn->ssl)) {
		SSL_shutdown(conn->ssl);
		ERR_clear_error();
	}
	shutdown(conn->fd, SHUT_WR);
}

void conn_cut(struct conn *conn)
{
	shutdown(conn->fd, SHUT_RDWR);
}

bool conn_has_pending(const struct conn *conn)
{
	return conn->ssl && (SSL_has_pending(conn->ssl) || SSL_get_shutdown(conn->ssl) & SSL_RECEIVED_SHUTDOWN);
}

void conn_want_read(struct conn *conn, bool wanted)
{
	loop_io_read(&conn->io, wanted);
	if (wanted && conn_has_pending(conn))
		loop_io_kick(&conn->io);
}

void conn_watch_end(struct conn *conn)
{
	loop_io_closed_only(&conn->io);
}

/* recv() and send() of a program with threads are cancellation points, at the price of two atomic operations each.
 * Nobody is ever cancelled here. */
static ssize_t plain_recv_once(int fd, char *bytes, size_t size)
{
	return syscall(SYS_recvfrom, fd, bytes, size, 0, NULL, NULL);
}

static ssize_t plain_send_once(int fd, const void *bytes, size_t size)
{
	return syscall(SYS_sendto, fd, bytes, size, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t plain_recv(struct conn *conn, char *bytes, size_t size)
{
	ssize_t got;

	do
		got = plain_recv_once(conn->fd, bytes, size);
	while (got < 0 && errno == EINTR);
	if (got >= 0)
		return got;
	return errno == EAGAIN || errno == EWOULDBLOCK ? CONN_AGAIN : CONN_FAILED;
}

/* What a call into the TLS library that did not succeed means. */
static ssize_t tls_outcome(struct conn *conn, int result)
{
	int error = SSL_get_error(conn->ssl, result);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return CONN_AGAIN;
	ERR_clear_error();
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	/* An end of the stream without a goodbye: for PostgreSQL's protocol, which frames its messages, an end it is. */
	if (error == SSL_ERROR_SYSCALL && errno == 0)
		return 0;
	return CONN_FAILED;
}

static ssize_t tls_recv(struct conn *conn, char *bytes, size_t size)
{
	size_t total = 0;

	while (total < size) {
		errno = 0;
		int got = SSL_read(conn->ssl, bytes + total, (int)(size - total));

		if (got <= 0) {
			ssize_t outcome = tls_outcome(conn, got);

			/* The next call tells of the end, and nothing more may come that asks for one. */
			if (total && outcome != CONN_AGAIN && conn->attached)
				loop_io_kick(&conn->io);
			return total ? (ssize_t)total : outcome;
		}
		total += (size_t)got;
		if (!SSL_has_pending(conn->ssl))
			break;
	}
	return (ssize_t)total;
}

ssize_t conn_recv(struct conn *conn, char *bytes, size_t size)
{
	return conn->ssl ? tls_recv(conn, bytes, size) : plain_recv(conn, bytes, size);
}

static void keep(struct conn *conn, const void *bytes, size_t size)
{
	buf_append(&conn->out, bytes, size);
	if (conn->attached)
		loop_io_write(&conn->io, true);
}

/* Keeps what is left of `pieces` after the first `sent` bytes. */
static COLD void keep_rest(struct conn *conn, const struct iovec *pieces, int count, size_t sent)
{
	for (int i = 0; i < count; i++) {
		if (sent >= pieces[i].iov_len) {
			sent -= pieces[i].iov_len;
			continue;
		}
		keep(conn, (const char *)pieces[i].iov_base + sent, pieces[i].iov_len - sent);
		sent = 0;
	}
}

static COLD ssize_t plain_send_pieces(int fd, const struct iovec *pieces, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = (size_t)count };

	return sendmsg(fd, &message, MSG_NOSIGNAL);
}

static bool plain_sendv(struct conn *conn, const struct iovec *pieces, int count)
{
	ssize_t sent;

	do
		sent = count == 1 ? plain_send_once(conn->fd, pieces[0].iov_base, pieces[0].iov_len)
			: plain_send_pieces(conn->fd, pieces, count);
	while (sent < 0 && errno == EINTR);
	if (count == 1 && sent >= 0 && (size_t)sent == pieces[0].iov_len)
		return true;
	if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	keep_rest(conn, pieces, count, sent < 0 ? 0 : (size_t)sent);
	return true;
}

static bool tls_send(struct conn *conn, const char *bytes, size_t size)
{
	while (size) {
		errno = 0;
		int sent = SSL_write(conn->ssl, bytes, size > (1 << 30) ? 1 << 30 : (int)size);

		if (sent <= 0) {
			if (tls_outcome(conn, sent) != CONN_AGAIN)
				return false;
			keep(conn, bytes, size);
			return true;
		}
		bytes += sent;
		size -= (size_t)sent;
	}
	return true;
}

bool conn_send(struct conn *conn, const void *bytes, size_t size)
{
	struct iovec piece = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };

	return conn_sendv(conn, &piece, 1);
}

bool conn_sendv(struct conn *conn, const struct iovec *pieces, int count)
{
	if (conn_blocked(conn)) {
		keep_rest(conn, pieces, count, 0);
		return true;
	}
	if (!conn->ssl)
		return plain_sendv(conn, pieces, count);
	if (count == 1)
		return tls_send(conn, pieces[0].iov_base, pieces[0].iov_len);
	/* One record for all pieces. */
	keep_rest(conn, pieces, count, 0);
	return conn_flush(conn);
}

bool conn_flush(struct conn *conn)
{
	struct buf *out = &conn->out;

	while (conn->out_sent < out->size) {
		const char *at = out->bytes + conn->out_sent;
		size_t left = out->size - conn->out_sent;
		ssize_t sent;

		errno = 0;
		if (conn->ssl) {
			int written = SSL_write(conn->ssl, at, left > (1 << 30) ? 1 << 30 : (int)left);

			if (written <= 0)
				return tls_outcome(conn, written) == CONN_AGAIN;
			sent = written;
		} else {
			sent = send(conn->fd, at, left, MSG_NOSIGNAL);
			if (sent < 0)
				return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		}
		conn->out_sent += (size_t)sent;
	}
	conn->out_sent = 0;
	out->size = 0;
	if (out->capacity)
		buf_fini(out);
	if (conn->attached)
		loop_io_write(&conn->io, false);
	return true;
}

bool conn_send_buf(struct conn *conn, struct buf *bytes)
{
	if (conn_blocked(conn)) {
		keep(conn, bytes->bytes, bytes->size);
		buf_fini(bytes);
		return true;
	}
	conn->out = *bytes;
	*bytes = (struct buf){ 0 };
	if (!conn_flush(conn))
		return false;
	if (conn_blocked(conn) && conn->attached)
		loop_io_write(&conn->io, true);
	return true;
}
