/* What becomes of clients that may come in. */
#include "login_fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void a_trusted_client_over_tcp_becomes_a_session(void **state)
{
	struct client client = client_tcp();

	(void)state;
	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	struct login_session *session = login_fixture_session();

	assert_string_equal(session->user, "alice");
	assert_string_equal(session->database_name, "app");
	assert_string_equal(session->database->name, "app");
	assert_string_equal(session->credentials->user, "alice");
	assert_int_equal(session->minor, 0);
	assert_int_equal(session->address.ss_family, AF_INET);
	assert_false(session->tls);
	assert_null(session->replication);
	assert_int_equal(client_slot_count(), 1);
	login_session_free(&session);
	assert_true(client_ended(&client));
	client_close(&client);
}

static void a_trusted_client_over_tls_becomes_a_session(void **state)
{
	char answer, greeting[5];

	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	struct client client = client_tcp();

	client_send_request(&client, CODE_SSL);
	client_read(&client, &answer, 1);
	assert_int_equal(answer, 'S');
	assert_true(client_tls(&client, false, NULL));
	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	struct login_session *session = login_fixture_session();

	assert_true(session->tls);
	assert_true(fake_auth_seen().tls);
	assert_true(fake_auth_seen().binding_size > 0);
	assert_true(conn_send(&session->conn, "hello", 5));
	client_read(&client, greeting, 5);
	assert_memory_equal(greeting, "hello", 5);
	login_session_free(&session);
	client_close(&client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_trusted_client_over_tcp_becomes_a_session, login_fixture_setup, login_fixture_teardown),
		cmocka_unit_test_setup_teardown(a_trusted_client_over_tls_becomes_a_session, login_fixture_setup, login_fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
