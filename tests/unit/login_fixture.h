/* A running login service in front of fakes, and scripted clients that talk to it.
 *
 * Authentication, settings and login threads are fakes (login_fakes.c); sockets and TLS are real. */
#ifndef LOGIN_FIXTURE_H
#define LOGIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/ssl.h>

#include "pgweir/authenticator.h"
#include "pgweir/buf.h"
#include "pgweir/login.h"

/* --- What the fake authenticator does (login_fakes.c) --- */

enum fake_auth {
	FAKE_AUTH_TRUST,        /* Grants at once. */
	FAKE_AUTH_PASSWORD,     /* Asks for a password, which is "secret". */
	FAKE_AUTH_SASL,         /* Three steps, the last with a SASLFinal of its own. */
	FAKE_AUTH_LATER,        /* Waits, then grants when fake_auth_release() is called. */
	FAKE_AUTH_DENY,         /* 28000. */
};
extern _Atomic enum fake_auth fake_auth;
extern const char *const fake_auth_password;

/* What the last authenticator was given. */
struct fake_auth_seen {
	char database_section[64];      /* "console" for NULL. */
	char user[64], common_name[64];
	bool tls;
	size_t binding_size;
	uid_t peer_uid;
};
struct fake_auth_seen fake_auth_seen(void);
void fake_auth_release(void);
bool fake_auth_waits(void);       /* One for fake_auth_release(). */
unsigned fake_auth_alive(void);
unsigned fake_config_references(void);

/* --- The service --- */

/* Tests change it before their first client; login_fixture_configure() takes it into use. */
extern struct config fixture_config;

int login_fixture_setup(void **state);
int login_fixture_teardown(void **state);
bool login_fixture_configure(void);             /* False: there was a problem, and its text is in fixture_problem. */
extern char fixture_problem[512];
/* With a certificate, and with the CA that signs certificates of clients. */
void login_fixture_tls(enum sslmode sslmode);

/* The next one handed over; fails the test after five seconds. Freed by the caller. */
struct login_session *login_fixture_session(void);
struct login_cancel *login_fixture_cancel(void);
bool login_fixture_nothing_came(void);
void login_fixture_settle(unsigned logins_left);        /* Waits until that many logins are under way. */

/* --- Clients --- */

struct client {
	int fd;
	SSL *ssl;
	SSL_CTX *ssl_ctx;
	bool slow;              /* Sends each byte alone. */
};

struct client client_tcp(void);
struct client client_tcp_gone(const void *said, size_t size);   /* Has said that, and its end, before it is accepted. */
struct client client_local(void);
void client_close(struct client *client);
void client_send(struct client *client, const void *bytes, size_t size);
void client_send_request(struct client *client, uint32_t code);         /* SSLRequest and its like. */
/* Name, value, …, NULL. */
void client_startup(struct client *client, uint32_t version, ...);
void client_answer(struct client *client, const char *password);        /* 'p' */
void client_read(struct client *client, void *bytes, size_t size);      /* Exactly. */
bool client_ended(struct client *client);                               /* Reads the end of the stream. */
/* `alpn` and `name` (of the client's certificate) may be NULL. False: the handshake failed. */
bool client_tls(struct client *client, bool alpn, const char *name);

/* Reads one message; its body, NUL-terminated, is the caller's to free. */
char client_message(struct client *client, struct buf *body);
/* The next message is FATAL with that SQLSTATE and text, and then the connection ends. */
void client_expect_fatal(struct client *client, const char *sqlstate, const char *text);

enum {
	PROTOCOL_30 = 3 << 16,
	CODE_CANCEL = 1234 << 16 | 5678,
	CODE_SSL = 1234 << 16 | 5679,
	CODE_GSSENC = 1234 << 16 | 5680,
};

#endif
