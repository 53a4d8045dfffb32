/* A nonblocking TCP connection, plain or under TLS: what client and server of the bench have in common. */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench_wire.h"

struct conn {
	int fd;                 /* -1: closed */
	SSL *tls;               /* NULL: plain */
};

enum conn_outcome {
	CONN_OK,
	CONN_WANTS_READ,        /* Everything was taken, or nothing there yet: wait for input. */
	CONN_WANTS_WRITE,       /* Wait until the socket takes more. */
	CONN_ENDED,             /* The peer closed in order. */
	CONN_BROKEN,
};

/* Appends to `in` what one receive yields (under TLS: all that is buffered). */
enum conn_outcome conn_receive(struct conn *conn, struct bytes *in);
/* Sends from `out` until it is empty (CONN_OK) or the socket is full (CONN_WANTS_WRITE). */
enum conn_outcome conn_send(struct conn *conn, struct bytes *out);
/* Puts TLS over the socket; repeat conn_handshake() until CONN_OK. */
bool conn_start_tls(struct conn *conn, SSL_CTX *context);
enum conn_outcome conn_handshake(struct conn *conn, bool as_server);
/* Closes at once; pending output is dropped. */
void conn_close(struct conn *conn);

/* Loopback and other IPv4 literals only: the bench never leaves the machine. Each returns a descriptor or ends
 * the program; `port` 0 lets the kernel choose, conn_local_port() tells which. */
int conn_listen(const char *host, uint16_t port);
uint16_t conn_local_port(int fd);
/* Starts a nonblocking connect; -1 with errno when that fails at once. */
int conn_connect(const char *host, uint16_t port);
void conn_set_options(int fd);
/* Thousands of sessions need thousands of descriptors: raises the soft limit to the hard one. */
void conn_raise_descriptor_limit(void);

uint64_t conn_now_ns(void);

#endif
