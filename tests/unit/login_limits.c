/* Who may come in, how many, for how long, and how it all ends. */
#include "login_fixture.h"

#include <semaphore.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pgweir/clock.h"
#include "pgweir/descriptors.h"
#include "pgweir/server.h"

static struct client start(const char *user, const char *database)
{
	struct client client = client_tcp();

	client_startup(&client, PROTOCOL_30, "user", user, "database", database, NULL);
	return client;
}

static struct login_session *come_in(struct client *client, const char *user, const char *database)
{
	*client = start(user, database);
	return login_fixture_session();
}

static void expect_refusal(const char *user, const char *database, const char *sqlstate, const char *text)
{
	struct client client = start(user, database);

	client_expect_fatal(&client, sqlstate, text);
	client_close(&client);
}

static void leave(struct client *client, struct login_session *session)
{
	login_session_free(&session);
	client_close(client);
}

static void max_client_conn_is_the_most_there_can_be(void **state)
{
	struct client one, two;

	(void)state;
	fixture_config.max_client_conn = 1;
	assert_true(login_fixture_configure());
	struct login_session *session = come_in(&one, "alice", "app");

	expect_refusal("bob", "app", "53300", "sorry, too many clients already");
	leave(&one, session);
	session = come_in(&two, "bob", "app");
	leave(&two, session);
}

static void silent_connections_take_nobodys_place(void **state)
{
	struct client client;

	(void)state;
	/* Before anybody is there: login threads read it. */
	fixture_config.max_client_conn = 1;
	assert_true(login_fixture_configure());
	struct client silent = client_tcp();
	struct login_session *session = come_in(&client, "alice", "app");

	leave(&client, session);
	login_fixture_settle(1);
	client_close(&silent);
	login_fixture_settle(0);
}

/* Else whoever can connect could keep all users out without a password. */
static void who_has_not_proved_who_it_is_takes_nobodys_place(void **state)
{
	struct buf body = { 0 };
	struct client client;

	(void)state;
	fixture_config.max_client_conn = 1;
	assert_true(login_fixture_configure());
	fake_auth = FAKE_AUTH_PASSWORD;
	struct client first = start("alice", "app"), second = start("alice", "app");

	assert_int_equal(client_message(&first, &body), 'R');
	assert_int_equal(client_message(&second, &body), 'R');
	fake_auth = FAKE_AUTH_TRUST;
	struct login_session *session = come_in(&client, "bob", "app");

	client_answer(&second, fake_auth_password);
	client_expect_fatal(&second, "53300", "sorry, too many clients already");
	leave(&client, session);
	client_answer(&first, fake_auth_password);
	session = login_fixture_session();
	assert_string_equal(session->user, "alice");
	leave(&first, session);
	client_close(&second);
	buf_fini(&body);
}

static void administrators_get_in_beyond_the_limit(void **state)
{
	struct client one, two;

	(void)state;
	fixture_config.max_client_conn = 1;
	assert_true(login_fixture_configure());
	struct login_session *session = come_in(&one, "alice", "app"), *console = come_in(&two, "admin", "pgweir");

	expect_refusal("admin", "app", "53300", "sorry, too many clients already");
	leave(&two, console);
	leave(&one, session);
}

static void a_database_has_a_limit_of_its_own(void **state)
{
	struct client one, two;

	(void)state;
	struct login_session *session = come_in(&one, "alice", "small");

	expect_refusal("bob", "small", "53300", "too many connections for database \"small\"");
	struct login_session *other = come_in(&two, "bob", "app");

	leave(&two, other);
	leave(&one, session);
}

static void a_user_has_a_limit_of_its_own(void **state)
{
	struct client one, two;

	(void)state;
	struct login_session *session = come_in(&one, "tight", "app");

	expect_refusal("tight", "small", "53300", "too many connections for role \"tight\"");
	struct login_session *other = come_in(&two, "alice", "app");

	leave(&two, other);
	leave(&one, session);
}

static void the_general_limits_count_for_those_without_their_own(void **state)
{
	struct client one, two;

	(void)state;
	fixture_config.max_user_client_connections = 2;
	fixture_config.max_db_client_connections = 2;
	assert_true(login_fixture_configure());
	struct login_session *session = come_in(&one, "alice", "app"), *other = come_in(&two, "alice", "app");

	expect_refusal("bob", "app", "53300", "too many connections for database \"app\"");
	expect_refusal("alice", "small", "53300", "too many connections for role \"alice\"");
	leave(&two, other);
	leave(&one, session);
}

/* The same prompt, the same wrong-password answer: which databases exist is only for those who may log in. */
static void an_unknown_database_is_named_after_authentication(void **state)
{
	struct buf body = { 0 };

	(void)state;
	fake_auth = FAKE_AUTH_PASSWORD;
	struct client client = start("alice", "nowhere");

	assert_int_equal(client_message(&client, &body), 'R');
	assert_string_equal(fake_auth_seen().database_section, "");
	client_answer(&client, "guess");
	client_expect_fatal(&client, "28P01", "password authentication failed");
	client_close(&client);
	client = start("alice", "nowhere");
	assert_int_equal(client_message(&client, &body), 'R');
	client_answer(&client, fake_auth_password);
	client_expect_fatal(&client, "3D000", "database \"nowhere\" does not exist");
	client_close(&client);
	buf_fini(&body);
}

static void the_fallback_serves_names_without_a_section(void **state)
{
	static char name[] = "*";
	static struct config_database all[] = { { .name = name, .max_db_client_connections = CONFIG_INHERIT } };
	struct client client;

	(void)state;
	fixture_config.databases = all;
	fixture_config.database_count = ARRAY_LEN(all);
	struct login_session *session = come_in(&client, "alice", "anything");

	assert_string_equal(session->database->name, "*");
	assert_string_equal(session->database_name, "anything");
	leave(&client, session);
}

static void the_console_has_two_names_and_no_database(void **state)
{
	static const struct { const char *user, *database; } rows[] = {
		{ "admin", "pgweir" }, { "admin", "pgbouncer" }, { "stats", "pgweir" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client client;
		struct login_session *session = come_in(&client, rows[i].user, rows[i].database);

		assert_null(session->database);
		assert_null(session->credentials);
		assert_string_equal(session->database_name, rows[i].database);
		assert_string_equal(fake_auth_seen().database_section, "console");
		leave(&client, session);
	}
}

static void the_console_is_for_its_users_only(void **state)
{
	(void)state;
	expect_refusal("alice", "pgweir", "42501", "user \"alice\" is not allowed to use the admin console");
	fake_auth = FAKE_AUTH_DENY;
	expect_refusal("alice", "pgbouncer", "28000", "not you");
}

static void the_console_has_no_replication(void **state)
{
	struct client client = client_tcp();

	(void)state;
	client_startup(&client, PROTOCOL_30, "user", "admin", "database", "pgweir", "replication", "true", NULL);
	client_expect_fatal(&client, "08P01", "the admin console has no replication connections");
	client_close(&client);
}

static sem_t gate, passed;

static void hold(struct loop_letter *letter)
{
	(void)letter;
	sem_wait(&gate);
}

static void pass(struct loop_letter *letter)
{
	(void)letter;
	sem_post(&passed);
}

/* Where descriptors are scarce newcomers end those that say nothing: others, not themselves. */
static void who_has_waited_long_for_a_login_thread_is_not_its_own_victim(void **state)
{
	enum { LETTERS = 8, NOW_US = 1000000 };         /* At least one for each login thread. */
	struct loop_letter holds[LETTERS], passes[LETTERS];

	(void)state;
	sem_init(&gate, 0, 0);
	sem_init(&passed, 0, 0);
	descriptors_plan(1, 0);
	clock_fake(NOW_US);
	for (unsigned i = 0; i < LETTERS; i++) {
		holds[i] = (struct loop_letter){ .deliver = hold };
		loop_post(login_threads_next(), &holds[i]);
	}
	struct client client = client_tcp();

	clock_fake(NOW_US + 10 * 1000000);
	for (unsigned i = 0; i < LETTERS; i++) {
		passes[i] = (struct loop_letter){ .deliver = pass };
		loop_post(login_threads_next(), &passes[i]);
		sem_post(&gate);
	}
	for (unsigned i = 0; i < LETTERS; i++)
		sem_wait(&passed);
	assert_int_equal(login_count(), 1);
	client_close(&client);
	login_fixture_settle(0);
	clock_fake(0);
	descriptors_plan(UINT32_MAX, 0);
	sem_destroy(&gate);
	sem_destroy(&passed);
}

static void new_clients_are_refused_while_draining(void **state)
{
	struct client client;

	(void)state;
	login_refuse(true);
	expect_refusal("alice", "app", "57P03", "the database system is shutting down");
	client = client_tcp();
	client_send(&client, "\0\0\0\20\4\322\26\56\0\0\0\1key!", 16);
	struct login_cancel *cancel = login_fixture_cancel();

	assert_int_equal(cancel->pid, 1);
	login_cancel_free(&cancel);
	client_close(&client);
	login_refuse(false);
	struct login_session *session = come_in(&client, "alice", "app");

	leave(&client, session);
}

/* Longer than a busy machine keeps us from what we say before it is over. */
enum { SHORT_TIMEOUT_MS = 2000 };

static void short_timeout(void)
{
	fixture_config.client_login_timeout_ms = SHORT_TIMEOUT_MS;
	assert_true(login_fixture_configure());
}

static void silence_is_answered_with_silence(void **state)
{
	(void)state;
	short_timeout();
	struct client client = client_tcp();

	assert_true(client_ended(&client));
	client_close(&client);
}

static void a_slow_startup_packet_is_cut_off(void **state)
{
	(void)state;
	short_timeout();
	struct client client = client_tcp();

	client_send(&client, "\0\0\0\50\0\3\0\0user", 12);
	client_expect_fatal(&client, "57014", "canceling authentication due to timeout");
	client_close(&client);
}

static void a_password_that_never_comes_is_not_waited_for(void **state)
{
	struct buf body = { 0 };

	(void)state;
	short_timeout();
	fake_auth = FAKE_AUTH_PASSWORD;
	struct client client = start("alice", "app");

	assert_int_equal(client_message(&client, &body), 'R');
	client_expect_fatal(&client, "57014", "canceling authentication due to timeout");
	client_close(&client);
	fake_auth = FAKE_AUTH_LATER;
	client = start("alice", "app");
	client_expect_fatal(&client, "57014", "canceling authentication due to timeout");
	assert_int_equal(fake_auth_alive(), 0);
	client_close(&client);
	buf_fini(&body);
}

static void a_handshake_that_stalls_is_closed(void **state)
{
	char answer;

	(void)state;
	fixture_config.client_login_timeout_ms = SHORT_TIMEOUT_MS;
	login_fixture_tls(SSLMODE_REQUIRE);
	struct client client = client_tcp();

	client_send_request(&client, CODE_SSL);
	client_read(&client, &answer, 1);
	assert_true(client_ended(&client));
	client_close(&client);
}

/* A client that never closes must not hold its descriptor here for ever. */
static void a_refused_client_that_stays_is_closed_in_the_end(void **state)
{
	struct client client = start("alice", "nowhere");

	(void)state;
	client_expect_fatal(&client, "3D000", "database \"nowhere\" does not exist");
	assert_int_equal(login_count(), 1);
	login_fixture_settle(0);
	client_close(&client);
}

static void stopping_says_why_to_those_who_can_hear_it(void **state)
{
	struct buf body = { 0 };

	fake_auth = FAKE_AUTH_PASSWORD;
	struct client silent = client_tcp(), asked = start("alice", "app"), waiting;

	assert_int_equal(client_message(&asked, &body), 'R');
	fake_auth = FAKE_AUTH_LATER;
	waiting = start("alice", "app");
	while (!fake_auth_waits())
		usleep(1000);
	login_fixture_teardown(state);
	client_expect_fatal(&asked, "57P01", "terminating connection due to administrator command");
	client_expect_fatal(&waiting, "57P01", "terminating connection due to administrator command");
	assert_true(client_ended(&silent));
	client_close(&silent);
	client_close(&asked);
	client_close(&waiting);
	buf_fini(&body);
}

static void a_stopped_service_takes_no_connections(void **state)
{
	login_fixture_teardown(state);
	struct client client = client_tcp();

	assert_true(client_ended(&client));
	assert_int_equal(login_count(), 0);
	client_close(&client);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, login_fixture_setup, login_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(max_client_conn_is_the_most_there_can_be),
		SERVED(silent_connections_take_nobodys_place),
		SERVED(who_has_not_proved_who_it_is_takes_nobodys_place),
		SERVED(administrators_get_in_beyond_the_limit),
		SERVED(a_database_has_a_limit_of_its_own),
		SERVED(a_user_has_a_limit_of_its_own),
		SERVED(the_general_limits_count_for_those_without_their_own),
		SERVED(an_unknown_database_is_named_after_authentication),
		SERVED(the_fallback_serves_names_without_a_section),
		SERVED(the_console_has_two_names_and_no_database),
		SERVED(the_console_is_for_its_users_only),
		SERVED(the_console_has_no_replication),
		SERVED(who_has_waited_long_for_a_login_thread_is_not_its_own_victim),
		SERVED(new_clients_are_refused_while_draining),
		SERVED(silence_is_answered_with_silence),
		SERVED(a_slow_startup_packet_is_cut_off),
		SERVED(a_password_that_never_comes_is_not_waited_for),
		SERVED(a_handshake_that_stalls_is_closed),
		SERVED(a_refused_client_that_stays_is_closed_in_the_end),
		cmocka_unit_test_setup(stopping_says_why_to_those_who_can_hear_it, login_fixture_setup),
		cmocka_unit_test_setup(a_stopped_service_takes_no_connections, login_fixture_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
