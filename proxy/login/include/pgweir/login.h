/* Clients from accept() to an authenticated session, on the login threads.
 *
 * PROXY header, SSLRequest, GSSENCRequest, direct TLS, the startup packet, protocol negotiation, authentication and
 * CancelRequest are all dealt with here, so that workers only ever see clients that have proved who they are. What
 * comes of a connection is one of: a session handed over, a cancel handed over, or a closed connection. */
#ifndef PGWEIR_LOGIN_H
#define PGWEIR_LOGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "pgweir/buf.h"
#include "pgweir/config.h"
#include "pgweir/conn.h"
#include "pgweir/credentials.h"
#include "pgweir/loop.h"
#include "pgweir/state.h"
#include "pgweir/wire.h"

/* A client's place in the limits max_client_conn, max_db_client_connections and max_user_client_connections. */
struct client_slot;
void client_slot_release(struct client_slot **slot);    /* Any thread; NULL is fine. */
/* How many clients there are, and how many of them are still logging in. Any thread. */
unsigned client_slot_count(void);
unsigned login_count(void);
/* How many there may be as things are: max_client_conn, or what there are descriptors for. Any thread. */
unsigned login_places(const struct config *config);

/* An authenticated client. AuthenticationOk has not been sent (SASLFinal has). */
struct login_session {
	struct loop_letter letter;              /* For the receiver's use. */
	struct conn conn;                       /* Detached. */
	struct client_slot *slot;
	struct config *config;                  /* A reference; `database` lives in it. */
	const struct config_database *database; /* NULL: the admin console. */
	char *database_name, *user;             /* As the client gave them. */
	char *replication;                      /* The startup parameter if it asks for a replication connection, else NULL. */
	struct credentials *credentials;        /* For the server (credentials_for_server()); NULL for the admin console. */
	char *secret;                           /* The [secret] whose value the client proved to know, or NULL; */
	uint64_t secret_version;                /* and which of its versions. */
	struct state *settings;                 /* Startup parameters and `options` that a session can also SET. */
	struct state *login_settings;           /* Those that only a startup packet can set; switches we do not know, as "options". */
	struct error *refusal;                  /* What is wrong with what it asked for behind these, or NULL. */
	uint32_t minor;                         /* Of the protocol in force: 0 or 2. */
	struct sockaddr_storage address;
	bool tls;
	struct buf early;                       /* Bytes that came with the last login message. */
	uint64_t accepted_us;
};
void login_session_free(struct login_session **session);        /* Closes what is still in it. NULL is fine. */

/* A CancelRequest. The client waits for its connection to be closed, which is done by login_cancel_free(). */
struct login_cancel {
	struct loop_letter letter;
	struct conn conn;                       /* Detached. */
	uint32_t pid;
	unsigned char key[WIRE_CANCEL_KEY_MAX];
	size_t key_size;
};
void login_cancel_free(struct login_cancel **cancel);

/* Both are called on a login thread and take what they are given. */
struct login_receiver {
	void (*session)(struct login_session *session);
	void (*cancel)(struct login_cancel *cancel);
};

void login_start(const struct login_receiver *receiver);
void login_stop(void);          /* Closes the clients that are still logging in with 57P01; call before login_threads_stop(). */

/* True if login_configure() would succeed now; on false `problems` has a text. Any thread. */
bool login_check(const struct config *config, struct config_problems *problems) MUST_USE;

/* Takes a new snapshot into use (and reads the certificate files of client_tls again). On false `problems` has a text
 * and the former state stays. Control thread. */
bool login_configure(struct config *config, struct config_problems *problems) MUST_USE;

/* Some secret has another value: it may be the passphrase of the key of client_tls. Control thread. */
void login_secrets_changed(void);

/* While draining new clients are refused with 57P03 (cannot connect now), cancels still work. */
void login_refuse(bool refuse);

/* A connection just accepted: takes the descriptor. Any thread; goes to a login thread. */
void login_accept(int fd, const struct sockaddr_storage *peer);

#endif
