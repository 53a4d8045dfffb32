/* The authentication's messages, and what clients do in the middle of it. */
#include "login_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct client start(enum fake_auth kind)
{
	fake_auth = kind;
	struct client client = client_tcp();

	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	return client;
}

static void expect_authentication(struct client *client, uint32_t code, const char *rest)
{
	struct buf body = { 0 };

	assert_int_equal(client_message(client, &body), 'R');
	assert_int_equal(wire_u32(body.bytes), code);
	assert_string_equal(body.bytes + 4, rest);
	buf_fini(&body);
}

static void expect_session(struct client *client)
{
	struct login_session *session = login_fixture_session();

	login_session_free(&session);
	client_close(client);
}

static void the_right_password_becomes_a_session(void **state)
{
	struct client client = start(FAKE_AUTH_PASSWORD);

	(void)state;
	expect_authentication(&client, 3, "");
	client_answer(&client, fake_auth_password);
	struct login_session *session = login_fixture_session();

	assert_string_equal(session->credentials->password, fake_auth_password);
	login_session_free(&session);
	client_close(&client);
}

static void a_wrong_password_is_refused(void **state)
{
	struct client client = start(FAKE_AUTH_PASSWORD);

	(void)state;
	expect_authentication(&client, 3, "");
	client_answer(&client, "guess");
	client_expect_fatal(&client, "28P01", "password authentication failed");
	assert_int_equal(client_slot_count(), 0);
	client_close(&client);
}

static void a_sasl_exchange_ends_with_its_final_message(void **state)
{
	struct client client = start(FAKE_AUTH_SASL);

	(void)state;
	expect_authentication(&client, 10, "mechanisms");
	client_answer(&client, "one");
	expect_authentication(&client, 11, "continue");
	client_answer(&client, "two");
	expect_authentication(&client, 12, "final");
	expect_session(&client);
}

static void a_denial_has_the_authenticators_own_words(void **state)
{
	struct client client = start(FAKE_AUTH_DENY);

	(void)state;
	client_expect_fatal(&client, "28000", "not you");
	client_close(&client);
}

static void other_messages_than_a_password_are_refused(void **state)
{
	struct client client = start(FAKE_AUTH_PASSWORD);

	(void)state;
	expect_authentication(&client, 3, "");
	client_send(&client, "Q\0\0\0\15select 1", 14);
	client_expect_fatal(&client, "08P01", "expected password response, got message type 81");
	client_close(&client);
}

/* By the head alone: nothing of such a length is ever waited for. */
static void an_impossible_password_length_is_refused(void **state)
{
	static const char *const heads[] = { "p\0\1\0\0", "p\377\377\377\377", "p\0\0\0\3" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct client client = start(FAKE_AUTH_PASSWORD);

		expect_authentication(&client, 3, "");
		client_send(&client, heads[i], 5);
		client_expect_fatal(&client, "08P01", "invalid message length");
		client_close(&client);
	}
}

static void the_longest_password_message_is_read(void **state)
{
	struct client client = start(FAKE_AUTH_PASSWORD);
	char *message = calloc(1, WIRE_AUTH_MAX + 1);

	(void)state;
	expect_authentication(&client, 3, "");
	message[0] = 'p';
	wire_put_u32(message + 1, WIRE_AUTH_MAX);
	memset(message + 5, 'x', WIRE_AUTH_MAX - 5);
	client_send(&client, message, WIRE_AUTH_MAX + 1);
	client_expect_fatal(&client, "28P01", "password authentication failed");
	free(message);
	client_close(&client);
}

static void a_client_that_goes_away_leaves_nothing(void **state)
{
	static const struct { const char *bytes; size_t size; } answers[] = {
		{ "", 0 }, { "p", 1 }, { "p\0\0\0\14sec", 8 }, { "X\0\0\0\4", 5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct client client = start(FAKE_AUTH_PASSWORD);

		expect_authentication(&client, 3, "");
		client_send(&client, answers[i].bytes, answers[i].size);
		shutdown(client.fd, SHUT_WR);
		assert_true(client_ended(&client));
		client_close(&client);
	}
	login_fixture_settle(0);
	assert_int_equal(fake_auth_alive(), 0);
	assert_int_equal(client_slot_count(), 0);
}

static void wait_for_authenticator(void)
{
	for (int tries = 0; tries < 60000 && !fake_auth_waits(); tries++)
		usleep(1000);
	assert_true(fake_auth_waits());
	assert_int_equal(fake_auth_alive(), 1);
}

static void an_answer_from_elsewhere_is_waited_for(void **state)
{
	struct client client = start(FAKE_AUTH_LATER);

	(void)state;
	wait_for_authenticator();
	fake_auth_release();
	expect_session(&client);
}

static void a_client_that_goes_away_meanwhile_is_noticed(void **state)
{
	struct client client = start(FAKE_AUTH_LATER);

	(void)state;
	wait_for_authenticator();
	client_close(&client);
	login_fixture_settle(0);
	assert_int_equal(fake_auth_alive(), 0);
}

/* It may be a client that sends its first query along; what was read of it comes with the session. */
static void bytes_that_come_meanwhile_are_kept_for_the_session(void **state)
{
	struct client client = start(FAKE_AUTH_LATER);
	char rest[16];

	(void)state;
	client_send(&client, "Q\0\0\0\15select 1", 14);
	wait_for_authenticator();
	fake_auth_release();
	struct login_session *session = login_fixture_session();
	size_t early = session->early.size;

	assert_true(early <= WIRE_HEADER_SIZE);
	assert_memory_equal(session->early.bytes, "Q\0\0\0\15select 1", early);
	assert_int_equal(conn_recv(&session->conn, rest, sizeof(rest)), 14 - early);
	login_session_free(&session);
	client_close(&client);
}

static void a_local_client_has_a_user_id(void **state)
{
	struct client client = client_local();

	(void)state;
	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	expect_session(&client);
	assert_int_equal(fake_auth_seen().peer_uid, getuid());
	client = start(FAKE_AUTH_TRUST);
	expect_session(&client);
	assert_int_equal(fake_auth_seen().peer_uid, (uid_t)-1);
}

/* Closing a socket with unread bytes in it would make the kernel drop the error on its way. */
static void the_error_reaches_a_client_that_has_sent_more(void **state)
{
	static const char more[20000];
	struct client client = start(FAKE_AUTH_DENY);

	(void)state;
	client_send(&client, more, sizeof(more));
	usleep(50000);
	client_expect_fatal(&client, "28000", "not you");
	client_close(&client);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, login_fixture_setup, login_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(the_right_password_becomes_a_session),
		SERVED(a_wrong_password_is_refused),
		SERVED(a_sasl_exchange_ends_with_its_final_message),
		SERVED(a_denial_has_the_authenticators_own_words),
		SERVED(other_messages_than_a_password_are_refused),
		SERVED(an_impossible_password_length_is_refused),
		SERVED(the_longest_password_message_is_read),
		SERVED(a_client_that_goes_away_leaves_nothing),
		SERVED(an_answer_from_elsewhere_is_waited_for),
		SERVED(a_client_that_goes_away_meanwhile_is_noticed),
		SERVED(bytes_that_come_meanwhile_are_kept_for_the_session),
		SERVED(a_local_client_has_a_user_id),
		SERVED(the_error_reaches_a_client_that_has_sent_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
