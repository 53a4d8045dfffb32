/* One client connection of the load generator: connect, TLS, login, then packets and their ReadyForQuery.
 *
 * It owns the socket and the protocol; what to send when is its engine's business, which is told of what happens
 * through struct client_callbacks. Everything runs on the engine's thread. */
#ifndef BENCH_LOAD_CLIENT_H
#define BENCH_LOAD_CLIENT_H

#include <openssl/ssl.h>

#include "bench_auth.h"
#include "bench_conn.h"
#include "load_options.h"

enum client_state {
	CLIENT_CLOSED,
	CLIENT_CONNECTING,
	CLIENT_TLS_ANSWER,      /* SSLRequest is out. */
	CLIENT_HANDSHAKE,
	CLIENT_LOGIN,
	CLIENT_READY,           /* The last packet sent was answered. */
	CLIENT_BUSY,
	CLIENT_LEAVING,         /* Terminate is out; the other side closes. */
};

struct client;

struct client_callbacks {
	/* ReadyForQuery: after the login, or the answer to what was sent. May send or leave. */
	void (*ready_cb)(struct client *client);
	/* The connection is gone, in order (`left`) or not. Must not open it again from within the call. */
	void (*closed_cb)(struct client *client, bool left);
};

/* What a thread's clients share. */
struct client_home {
	const struct load_options *options;
	const struct client_callbacks *callbacks;
	int epoll_fd;
	SSL_CTX *tls_context;
	struct auth_cache auth_cache;
	uint64_t errors;        /* ErrorResponses and connections lost */
};

struct client {
	struct client_home *home;
	struct conn conn;
	enum client_state state;
	unsigned number;
	unsigned awaited;       /* ReadyForQuery still to come for what was sent. */
	unsigned step;          /* The engine's: how far the operation is. */
	uint64_t started_ns;    /* The engine's: when it began. */
	uint32_t watched;
	struct auth auth;
	struct bytes in;
	struct bytes out;
};

void client_init(struct client *client, struct client_home *home, unsigned number);
void client_open(struct client *client);
/* One packet that will be answered by so many ReadyForQuery. */
void client_send(struct client *client, const struct bytes *packet, unsigned answers);
void client_leave(struct client *client);
/* Closes without a word; no callback. */
void client_fini(struct client *client);
void client_on_event(struct client *client, uint32_t events);

#endif
