/* The authentication of one client, message by message.
 *
 * The owner carries the messages: it sends what authenticator_code() and authenticator_body() say as an
 * Authentication message ('R') and passes the body of each answer ('p') in. Methods, pg_hba rules, verifiers, auth_query
 * and throttling are decided in here. PostgreSQL documentation: "Message Flow, Start-up", "SASL Authentication". */
#ifndef PGWEIR_AUTHENTICATOR_H
#define PGWEIR_AUTHENTICATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "pgweir/buf.h"
#include "pgweir/config.h"
#include "pgweir/credentials.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct authenticator;

struct auth_request {
	struct config *config;                  /* The authenticator keeps a reference. */
	const struct config_database *database; /* NULL: the admin console. */
	const char *database_name, *user;       /* As the client gave them; copied. */
	bool replication;
	const struct sockaddr_storage *address; /* Copied. AF_UNIX for local. */
	uid_t peer_uid;                         /* Unix sockets: SO_PEERCRED; else (uid_t)-1. */
	bool tls;
	const char *common_name;                /* Of the verified client certificate, or NULL. Copied. */
	const void *binding;                    /* tls-server-end-point, may be empty. Copied. */
	size_t binding_size;
};

enum auth_step {
	AUTH_CHALLENGE,         /* Send code and body, then wait for a 'p'. */
	AUTH_GRANTED,           /* Send code and body if the code is not 0 (SASLFinal), then AuthenticationOk. */
	AUTH_DENIED,            /* Send authenticator_error() as FATAL and close. */
	AUTH_WAITING,           /* An answer from the server is needed: the callback says when to go on. */
};

/* Called on `loop`, never from within a call, with a step other than AUTH_WAITING. Not after authenticator_free(). */
typedef void authenticator_cb(enum auth_step step, void *arg);

struct authenticator *authenticator_new(const struct auth_request *request, struct loop *loop, authenticator_cb *callback,
	void *arg) MUST_USE;
void authenticator_free(struct authenticator **authenticator);  /* NULL is fine. */

enum auth_step authenticator_start(struct authenticator *authenticator) MUST_USE;
enum auth_step authenticator_answer(struct authenticator *authenticator, const void *body, size_t size) MUST_USE;

/* Of the message that is to be sent now; the body and the error live until the next step. */
uint32_t authenticator_code(const struct authenticator *authenticator);
const struct buf *authenticator_body(const struct authenticator *authenticator);
const struct error *authenticator_error(const struct authenticator *authenticator);
/* Once denied, for the log alone: how it was tried, and what strangers are not told. Either may be NULL. */
const char *authenticator_method(const struct authenticator *authenticator);
const char *authenticator_refusal(const struct authenticator *authenticator);
/* Once granted: what the client proved, as a reference for the caller; may be NULL (trust, cert). */
struct credentials *authenticator_take_proved(struct authenticator *authenticator) MUST_USE;

/* --- The subsystem --- */

/* `control` is where auth_query's connections live. */
void auth_start(struct loop *control);
void auth_stop(void);
void auth_secrets_changed(void);        /* Some secret has another value. On the control loop. */
/* True if auth_configure() would succeed now; on false `problems` has at least one text. Any thread. */
bool auth_check(const struct config *config, struct config_problems *problems) MUST_USE;
/* Reads auth_file, auth_hba_file and auth_ident_file for a new snapshot and takes it into use; on false the former state
 * stays and `problems` has at least one text. Control thread. */
bool auth_configure(const struct config *config, struct config_problems *problems) MUST_USE;

#endif
