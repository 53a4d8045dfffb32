/* Clients that authenticate: users of each kind, a login of one of them, and a client's SCRAM, played by our own side. */
#ifndef PGWEIR_AUTH_LOGIN_FIXTURE_H
#define PGWEIR_AUTH_LOGIN_FIXTURE_H

#include "auth_fixture.h"
#include "pgweir/authenticator.h"
#include "scram.h"

/* An auth_file: plain_user and scram_user, whose passwords are "pencil", and md5_user, whose password is "secret". */
#define USERLIST \
	"\"plain_user\" \"pencil\"\n" \
	"\"scram_user\" \"" SCRAM_VERIFIER_PENCIL "\"\n" \
	"\"md5_user\" \"" MD5_OF_SECRET "\"\n"

extern const char login_binding[32];            /* Of the server's certificate. */
extern struct sockaddr_storage login_address;   /* Where clients come from; 192.0.2.1 unless a test says otherwise. */

/* A cmocka test's setup and teardown: scram-sha-256 with USERLIST, and a clock that stands still. */
int login_set_up(void **state);
int login_tear_down(void **state);
#define LOGIN_TEST(name) cmocka_unit_test_setup_teardown(name, login_set_up, login_tear_down)

struct auth_request request_of(const char *user);       /* To database app, without TLS. */
struct authenticator *new_login(const struct auth_request *request);
enum auth_step answer_text(struct authenticator *login, const char *text);
/* SCRAM's two messages of a client, by themselves. */
enum auth_step send_first(struct authenticator *login, struct scram_client *client, bool plus);
enum auth_step send_final(struct authenticator *login, struct scram_client *client);
/* From the first challenge to the verdict. `plus`: bound to the server's certificate. */
enum auth_step play_scram(struct authenticator *login, const char *password, bool plus);
/* A whole login; when it is refused, it must be for the password. */
enum auth_step log_in_by_scram(const char *user, const char *password);

void assert_denied(struct authenticator *login, enum auth_step step, const char *sqlstate, const char *text);
void assert_wrong_password(struct authenticator *login, enum auth_step step, const char *user);

#endif
