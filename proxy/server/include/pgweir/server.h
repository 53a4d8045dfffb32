/* One connection to a PostgreSQL server: how it is opened and logged in, and how a query on it is cancelled.
 *
 * Opening and cancelling run on a login thread, so that handshakes cost nobody's queries; an open server connection
 * then belongs to the worker that asked. This library knows nothing of clients, pools or routing; what is known of a
 * connection at work (prepared statements, outstanding requests) is in the struct backend that owns it. */
#ifndef PGWEIR_SERVER_H
#define PGWEIR_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/config.h"
#include "pgweir/conn.h"
#include "pgweir/credentials.h"
#include "pgweir/error.h"
#include "pgweir/parameters.h"
#include "pgweir/state.h"
#include "pgweir/wire.h"

/* Where to connect and as whom. Immutable and reference-counted, any thread. */
struct server_target {
	_Atomic unsigned references;
	struct config *config;                  /* A reference: `database` lives in it, and `host`, or that stays for ever. */
	const struct config_database *database; /* TLS, connect_query. */
	const struct config_host *host;
	unsigned host_moved;                    /* How often its name had led elsewhere by then. */
	char *dbname;
	struct credentials *credentials;        /* A reference. */
	struct state *login_state;              /* Parameters for the startup packet, beside user and database. A reference. */
	char *replication;                      /* "true" or "database" for a replication connection, else NULL. */
	bool asks_allowed;                      /* The login asks how many connections the server allows. */
};
struct server_target *server_target_ref(struct server_target *target);
void server_target_unref(struct server_target **target);

struct server {
	struct conn conn;
	struct server_target *target;           /* A reference. */
	struct sockaddr_storage address;        /* The one that was connected to; cancels go there too. */
	socklen_t address_size;
	struct parameters parameters;           /* As the server reports them. */
	uint32_t pid;
	unsigned char key[WIRE_CANCEL_KEY_MAX];
	uint16_t key_size;
	bool tls;
	int allowed;                            /* Connections the server allows ordinary roles; 0: not asked, or not said. */
	const char *acts_as;                    /* The role it has taken with its login, of its target's credentials; or NULL. */
	struct trials *trials;                  /* Where it counts as opened with a secret, or NULL. */
	uint64_t opened_us;
	struct buf early;                       /* Bytes that came after the first ReadyForQuery; normally empty. */
};
void server_free(struct server **server);       /* Closes; detach from the loop first. NULL is fine. Sends no Terminate. */

/* How an attempt went. */
struct server_opened {
	struct server *server;                  /* Detached and idle, now the callee's; or NULL: */
	struct error error;                     /* SQLSTATE and text, the server's own where it gave one. */
	struct buf error_body;                  /* Of the server's ErrorResponse, or empty. The callee may take it. */
	bool from_server;                       /* The server answered and refused, as opposed to: could not be reached. */
	bool password_refused;                  /* And it was the password, or the token, that it minded. */
	bool hopeful;                           /* … which is a secret's, and seems to be changing: waiting may help. */
	uint64_t after_us;                      /* … Not before that is another login worth it. */
};

/* Called once, on the loop given as `reply_loop`, never from within server_open(). */
typedef void server_opened_cb(struct server_opened *opened, void *arg);

/* Connects, negotiates TLS as the target's sslmode says, authenticates, runs connect_query, all within
 * server_connect_timeout. Tries each address of the name in turn. Where the target asks for it, one more query finds out
 * how many connections the server allows; a server that refuses that query is opened all the same. Any thread. */
void server_open(struct server_target *target, struct loop *reply_loop, server_opened_cb *callback, void *arg);

/* Sends a CancelRequest for what runs on (address, pid, key), over TLS if the connection was, and waits until the server
 * has closed that connection, which PostgreSQL does once the signal is sent. The callback comes in any case, within
 * cancel_wait_timeout, on `reply_loop`. The callee copies what it needs of `server` before returning. */
typedef void server_cancelled_cb(void *arg);
void server_cancel(const struct server *server, struct loop *reply_loop, server_cancelled_cb *callback, void *arg);

/* Passes a CancelRequest on to another pgweir process of [peers], which closes the connection as a server does. */
void server_cancel_peer(struct config *config, const struct config_peer *peer, uint32_t pid, const void *key, size_t key_size,
	struct loop *reply_loop, server_cancelled_cb *callback, void *arg);

/* --- The login threads, shared with the clients' logins --- */

void login_threads_start(int count);
/* Attempts and cancels under way are given up and nobody is told; what is asked for later is dropped. */
void login_threads_stop(void);
struct loop *login_threads_next(void);          /* Any thread; round robin. */
int login_threads_count(void);

/* True if the certificates can be read and used. */
bool server_tls_check(const struct config_tls *tls, struct error *error) MUST_USE;
/* Forgets TLS contexts of servers, so that changed certificate files take effect from the next connection on. */
void server_tls_reload(void);

#endif
