#include "auth_login_fixture.h"

#include <stdio.h>

#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "throttle.h"

const char login_binding[32] = "a hash of the certificate, 32 by";
struct sockaddr_storage login_address;

static struct config_database database = { .name = (char *)"app" };

int login_set_up(void **state)
{
	(void)state;
	fixture_config = (struct config){ .auth_type = AUTH_TYPE_SCRAM_SHA_256 };
	fixture_load(USERLIST, NULL, NULL);
	throttle_reset();
	clock_fake(1000000);
	login_address = fixture_address("192.0.2.1");
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

int login_tear_down(void **state)
{
	(void)state;
	auth_stop();
	clock_fake(0);
	assert_int_equal(fixture_references, 0);
	return 0;
}

static void never_called(enum auth_step step, void *arg)
{
	(void)arg;
	fail_msg("called back with %d", step);
}

struct auth_request request_of(const char *user)
{
	return (struct auth_request){
		.config = &fixture_config,
		.database = &database,
		.database_name = "app",
		.user = user,
		.address = &login_address,
		.peer_uid = (uid_t)-1,
	};
}

struct authenticator *new_login(const struct auth_request *request)
{
	return authenticator_new(request, NULL, never_called, NULL);
}

void assert_denied(struct authenticator *login, enum auth_step step, const char *sqlstate, const char *text)
{
	assert_int_equal(step, AUTH_DENIED);
	assert_string_equal(authenticator_error(login)->sqlstate, sqlstate);
	assert_string_equal(authenticator_error(login)->text, text);
}

void assert_wrong_password(struct authenticator *login, enum auth_step step, const char *user)
{
	char text[128];

	snprintf(text, sizeof(text), "password authentication failed for user \"%s\"", user);
	assert_denied(login, step, "28P01", text);
}

enum auth_step answer_text(struct authenticator *login, const char *text)
{
	return authenticator_answer(login, text, strlen(text) + 1);
}

/* --- A client's SCRAM, played by our own client side --- */

enum auth_step send_first(struct authenticator *login, struct scram_client *client, bool plus)
{
	struct buf message = { 0 }, body = { 0 };

	buf_append_cstring(&body, scram_client_first(client, plus, &message));
	buf_append_u32(&body, (uint32_t)message.size);
	buf_append(&body, message.bytes, message.size);
	enum auth_step step = authenticator_answer(login, body.bytes, body.size);
	buf_fini(&message);
	buf_fini(&body);
	return step;
}

enum auth_step send_final(struct authenticator *login, struct scram_client *client)
{
	const struct buf *challenge = authenticator_body(login);
	struct buf message = { 0 };
	struct error error;

	assert_int_equal(authenticator_code(login), 11);
	assert_true(scram_client_final(client, challenge->bytes, challenge->size, &message, &error));
	enum auth_step step = authenticator_answer(login, message.bytes, message.size);
	buf_fini(&message);
	return step;
}

enum auth_step play_scram(struct authenticator *login, const char *password, bool plus)
{
	struct scram_client client = { .password = password };
	struct error error;

	if (plus) {
		memcpy(client.binding, login_binding, sizeof(login_binding));
		client.binding_size = sizeof(login_binding);
	}
	assert_int_equal(authenticator_code(login), 10);
	assert_int_equal(send_first(login, &client, plus), AUTH_CHALLENGE);
	enum auth_step step = send_final(login, &client);
	if (step == AUTH_GRANTED) {
		const struct buf *final = authenticator_body(login);

		assert_int_equal(authenticator_code(login), 12);
		assert_true(scram_client_verify(&client, final->bytes, final->size, &error));
	}
	scram_client_fini(&client);
	return step;
}

enum auth_step log_in_by_scram(const char *user, const char *password)
{
	struct auth_request request = request_of(user);
	struct authenticator *login = new_login(&request);

	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	enum auth_step step = play_scram(login, password, false);
	if (step == AUTH_DENIED)
		assert_wrong_password(login, step, user);
	authenticator_free(&login);
	return step;
}
