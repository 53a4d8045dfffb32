/* One connection, plain or TLS, on one loop at a time.
 *
 * Bytes go out at once; what the kernel does not take is kept here and sent when there is room, and the owner stops
 * reading from the other side meanwhile (conn_blocked()). A connection that is not blocked owns no buffer. */
#ifndef PGWEIR_CONN_H
#define PGWEIR_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "pgweir/buf.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct ssl_st;
struct tls_context;

struct conn {
	int fd;                         /* -1 once closed. */
	struct ssl_st *ssl;             /* NULL: plain. */
	struct loop_io io;
	struct buf out;                 /* Accepted from the owner, not yet taken by the kernel. */
	size_t out_sent;
	bool attached;
	bool client;                    /* For the count of descriptors. */
};

enum {
	CONN_AGAIN = -1,                /* Nothing now; the callback will say when. */
	CONN_FAILED = -2,               /* The connection is broken; errno may say why. */
};

void conn_init(struct conn *conn, int fd);      /* Takes the descriptor, which must be non-blocking. */
void conn_init_client(struct conn *conn, int fd);       /* The same for a client's. */
void conn_close(struct conn *conn);             /* Detaches and closes; fine on a closed one. */

/* A connection moves between threads detached. The callback gets loop_what bits. Reading is on after attach. */
void conn_attach(struct conn *conn, struct loop *loop, loop_io_cb *callback, void *arg);
void conn_detach(struct conn *conn);
/* Moves everything to `to`; `from` becomes a closed one. Detached connections only. */
void conn_move(struct conn *to, struct conn *from);

/* How many bytes, 0 at the end of the stream, CONN_AGAIN or CONN_FAILED. */
ssize_t conn_recv(struct conn *conn, char *bytes, size_t size) MUST_USE;
/* With TLS, bytes or the end may be waiting inside the library where epoll cannot see them. */
bool conn_has_pending(const struct conn *conn);
void conn_want_read(struct conn *conn, bool wanted);
/* Reads nothing, but says with LOOP_CLOSED when the peer has gone. Turn that off with conn_want_read() then. */
void conn_watch_end(struct conn *conn);

/* All is sent or kept. False: the connection is broken. */
bool conn_sendv(struct conn *conn, const struct iovec *pieces, int count) MUST_USE;
bool conn_send(struct conn *conn, const void *bytes, size_t size) MUST_USE;
/* Takes what `bytes` hold, and keeps what is left of them where it is: for megabytes, which a copy would double. */
bool conn_send_buf(struct conn *conn, struct buf *bytes) MUST_USE;
bool conn_flush(struct conn *conn) MUST_USE;    /* Call on LOOP_WRITE. */
void conn_shutdown(struct conn *conn);          /* Ends the sending side: TLS goodbye, end of stream. */
/* From now on it looks as if the peer had gone, behind what has arrived. The callback hears of it as ever. */
void conn_cut(struct conn *conn);
static inline bool conn_blocked(const struct conn *conn) { return conn->out.size != 0; }

enum conn_handshake { CONN_HANDSHAKE_DONE, CONN_HANDSHAKE_AGAIN, CONN_HANDSHAKE_FAILED };

/* Turn into TLS, then call conn_handshake() at once and on each event until it is done or failed. `server_name` is
 * what verify-full holds the certificate to. */
void conn_tls_accept(struct conn *conn, struct tls_context *context);
bool conn_tls_connect(struct conn *conn, struct tls_context *context, const char *server_name, struct error *error) MUST_USE;
enum conn_handshake conn_handshake(struct conn *conn, struct error *error) MUST_USE;
bool conn_handshake_begun(const struct conn *conn);     /* The other side has said something that was read. */

#endif
