/* Opening connections to servers that behave, and to others. */
#include "server_fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void assert_failed(const struct server_opened *opened, const char *sqlstate, const char *text)
{
	assert_null(opened->server);
	assert_string_equal(opened->error.sqlstate, sqlstate);
	if (!strstr(opened->error.text, text))
		fail_msg("\"%s\" does not say \"%s\"", opened->error.text, text);
}

/* --- Servers that behave --- */

static void trusting(int fd)
{
	fake_trust(fd);
	fake_wait_end(fd);
}

static void a_trusting_server_is_opened(void **unused)
{
	(void)unused;
	fixture_start(trusting, NULL, NULL);
	const struct server_opened *opened = fixture_open();
	const struct server *server = opened->server;

	assert_non_null(server);
	assert_int_equal(server->pid, FAKE_PID);
	assert_int_equal(server->key_size, sizeof(fake_key));
	assert_memory_equal(server->key, fake_key, sizeof(fake_key));
	assert_string_equal(parameters_get(&server->parameters, "server_version"), "17.0");
	assert_false(server->tls);
	assert_false(server->conn.attached);
	assert_int_equal(server->early.size, 0);
	assert_int_equal(server->address.ss_family, AF_INET);
	assert_true(server->opened_us > 0);
	assert_ptr_equal(server->target, fixture_target());
	assert_int_equal(opened->error_body.size, 0);
	fixture_stop();
}

static struct buf startup_seen;

static void keeping_the_startup_packet(int fd)
{
	struct buf out = { 0 };

	fake_read_startup(fd, &startup_seen);
	fake_put_welcome(&out);
	fake_send_buf(fd, &out);
	fake_wait_end(fd);
}

struct expected_pair { const char *name, *value; unsigned seen; };

static void compare_pair(const char *name, const char *value, void *arg)
{
	for (struct expected_pair *pair = arg; pair->name; pair++)
		if (strcmp(pair->name, name) == 0) {
			assert_string_equal(value, pair->value);
			pair->seen++;
			return;
		}
	fail_msg("unexpected %s=%s", name, value);
}

static void assert_startup(struct expected_pair *pairs)
{
	assert_int_equal(wire_u32(startup_seen.bytes + 4), WIRE_PROTOCOL(3, 0));
	assert_true(wire_startup_pairs(startup_seen.bytes, startup_seen.size, compare_pair, pairs));
	for (; pairs->name; pairs++)
		assert_int_equal(pairs->seen, 1);
	buf_fini(&startup_seen);
}

static void the_startup_packet_carries_the_login_state(void **unused)
{
	struct expected_pair pairs[] = { { "user", "app_user", 0 }, { "database", "appdb", 0 }, { "options", "-c a\\ b=c", 0 },
		{ "log_connections", "on", 0 }, { "application_name", "weir", 0 }, { 0 } };

	(void)unused;
	fixture_start(keeping_the_startup_packet, "application_name = weir", NULL);
	fixture_login_state("options", "-c a\\ b=c");
	fixture_login_state("log_connections", "on");
	assert_non_null(fixture_open()->server);
	fixture_stop();
	assert_startup(pairs);
}

static void the_login_states_application_name_wins(void **unused)
{
	struct expected_pair pairs[] = { { "user", "app_user", 0 }, { "database", "appdb", 0 }, { "replication", "database", 0 },
		{ "application_name", "walreader", 0 }, { 0 } };

	(void)unused;
	fixture_start(keeping_the_startup_packet, "application_name = weir", NULL);
	fixture_login_state("application_name", "walreader");
	fixture_target()->replication = mem_strdup("database");
	assert_non_null(fixture_open()->server);
	fixture_stop();
	assert_startup(pairs);
}

static void a_startup_packet_no_server_would_take_is_an_error(void **unused)
{
	char *value = mem_alloc(WIRE_STARTUP_MAX);

	(void)unused;
	memset(value, 'x', WIRE_STARTUP_MAX - 1);
	fixture_start(fake_wait_end, NULL, NULL);
	fixture_login_state("options", value);
	mem_free(value);
	assert_failed(fixture_open(), "08P01", "startup packet");
	fixture_stop();
}

static void a_byte_at_a_time(int fd)
{
	struct buf out = { 0 };

	fake_read_startup(fd, &out);
	out.size = 0;
	fake_put_welcome(&out);
	for (size_t i = 0; i < out.size; i++) {
		fake_send(fd, out.bytes + i, 1);
		usleep(500);
	}
	buf_fini(&out);
	fake_wait_end(fd);
}

static void a_server_may_send_a_byte_at_a_time(void **unused)
{
	(void)unused;
	fixture_start(a_byte_at_a_time, NULL, NULL);
	const struct server_opened *opened = fixture_open();

	assert_non_null(opened->server);
	assert_int_equal(opened->server->pid, FAKE_PID);
	fixture_stop();
}

static void with_notices_and_early_bytes(int fd)
{
	struct buf out = { 0 };
	static const char *const none[] = { "_pq_.x" };

	fake_read_startup(fd, &out);
	out.size = 0;
	wire_put_negotiate(&out, 0, none, 1);
	wire_put_error(&out, &(struct wire_error){ .severity = "NOTICE", .sqlstate = "00000", .message = "hello" });
	fake_put_welcome(&out);
	wire_put_parameter_status(&out, "x", "1");
	fake_send_buf(fd, &out);
	fake_wait_end(fd);
}

static void notices_are_ignored_and_early_bytes_kept(void **unused)
{
	(void)unused;
	fixture_start(with_notices_and_early_bytes, NULL, NULL);
	const struct server_opened *opened = fixture_open();

	assert_non_null(opened->server);
	assert_int_equal(opened->server->early.size, 9);
	assert_memory_equal(opened->server->early.bytes, "S\0\0\0\010x\0001\0", 9);
	fixture_stop();
}

/* --- connect_query --- */

static _Atomic bool query_fails;
static _Atomic char status_after_query = 'I';

static void running_the_connect_query(int fd)
{
	struct buf buf = { 0 };

	fake_trust(fd);
	fake_read_message(fd, 'Q', &buf);
	CHECK(strcmp(buf.bytes, "select 1") == 0);
	buf.size = 0;
	if (query_fails) {
		wire_put_error(&buf, &(struct wire_error){ .severity = "ERROR", .sqlstate = "22012", .message = "by zero" });
	} else {
		buf_append(&buf, "T\0\0\0\006\0\0" "D\0\0\0\006\0\0" "C\0\0\0\015SELECT 1\0", 28);
		wire_put_parameter_status(&buf, "in_hot_standby", "on");
	}
	wire_put_ready_for_query(&buf, status_after_query);
	fake_send_buf(fd, &buf);
	fake_wait_end(fd);
}

static void connect_query_runs_before_the_connection_is_given(void **unused)
{
	(void)unused;
	query_fails = false;
	fixture_start(running_the_connect_query, NULL, "server_tls_sslmode = disable\nconnect_query = select 1");
	const struct server_opened *opened = fixture_open();

	assert_non_null(opened->server);
	assert_string_equal(parameters_get(&opened->server->parameters, "in_hot_standby"), "on");
	fixture_stop();
}

static void a_connect_query_that_fails_fails_the_opening(void **unused)
{
	(void)unused;
	query_fails = true;
	fixture_start(running_the_connect_query, NULL, "server_tls_sslmode = disable\nconnect_query = select 1");
	assert_failed(fixture_open(), "22012", "by zero");
	fixture_stop();
}

static void a_connect_query_must_not_leave_a_transaction_open(void **unused)
{
	(void)unused;
	query_fails = false;
	status_after_query = 'T';
	fixture_start(running_the_connect_query, NULL, "server_tls_sslmode = disable\nconnect_query = select 1");
	assert_failed(fixture_open(), "25001", "connect_query leaves a transaction open");
	fixture_stop();
	status_after_query = 'I';
}

/* --- Servers that refuse, or are none --- */

static void refusing(int fd)
{
	struct buf out = { 0 };

	fake_read_startup(fd, &out);
	out.size = 0;
	wire_put_error(&out, &(struct wire_error){ .severity = "FATAL", .sqlstate = "3D000", .message = "no such database",
		.hint = "Try another." });
	fake_send_buf(fd, &out);
}

static void a_refusal_is_passed_on_in_the_servers_own_words(void **unused)
{
	(void)unused;
	fixture_start(refusing, NULL, NULL);
	const struct server_opened *opened = fixture_open();

	assert_failed(opened, "3D000", "no such database");
	assert_true(opened->from_server);
	assert_string_equal(wire_error_field(opened->error_body.bytes, opened->error_body.size, 'H'), "Try another.");
	fixture_stop();
}

static struct { const char *bytes; size_t size; } garbage;

static void sending_garbage(int fd)
{
	struct buf out = { 0 };

	fake_read_startup(fd, &out);
	fake_send(fd, garbage.bytes, garbage.size);
	fake_wait_end(fd);
	buf_fini(&out);
}

#define OK "R\0\0\0\010\0\0\0\0"
#define GARBAGE(text) { text, sizeof(text) - 1 }

static void garbage_is_an_error(void **unused)
{
	static const struct { const char *bytes; size_t size; } cases[] = {
		GARBAGE("HTTP/1.0 400 Bad Request\r\n\r\n"),
		GARBAGE("Ecould not fork new process\n"),
		GARBAGE("\0\0\0\0\0\0\0\0"),
		GARBAGE("R\0\0\0\003"),                                 /* Shorter than its length word. */
		GARBAGE("R\0\0\0\004"),                                 /* No code. */
		GARBAGE("R\x7f\xff\xff\xff"),                           /* Would be 2 GiB. */
		GARBAGE("Z\0\0\0\005I"),                                /* Before AuthenticationOk. */
		GARBAGE("S\0\0\0\010a\0001\0"),
		GARBAGE("K\0\0\0\014\0\0\0\1abcd"),
		GARBAGE(OK OK),                                         /* Twice. */
		GARBAGE(OK "Z\0\0\0\005T"),                             /* In a transaction. */
		GARBAGE(OK "K\0\0\0\013\0\0\0\1abc"),                   /* A key of three bytes. */
		GARBAGE(OK "K\0\0\1\011\0\0\0\1"),                      /* A key of 257. */
		GARBAGE(OK "S\0\0\0\007abc"),                           /* No NUL. */
		GARBAGE(OK "S\0\0\0\010ab\0c"),
		GARBAGE(OK "S\0\0\0\007ab\0"),                          /* No value. */
		GARBAGE(OK "S\0\0\0\011a\0b\0c"),
		GARBAGE(OK "D\0\0\0\006\0\0"),                          /* Nobody asked. */
		GARBAGE("v\0\0\0\014\0\4\0\0\0\0\0\0"),                 /* Protocol 4. */
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		garbage.bytes = cases[i].bytes;
		garbage.size = cases[i].size;
		fixture_start(sending_garbage, NULL, NULL);
		const struct server_opened *opened = fixture_open();

		assert_failed(opened, "08P01", "unexpected message from server during login");
		assert_false(opened->from_server);
		fixture_stop();
	}
}

static void sending_parameters_without_end(int fd)
{
	struct buf out = { 0 };
	char value[4000];

	fake_read_startup(fd, &out);
	out.size = 0;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	wire_put_authentication(&out, 0, NULL, 0);
	for (int i = 0; i < 300; i++)
		wire_put_parameter_status(&out, "x", value);
	fake_send_buf(fd, &out);
	fake_wait_end(fd);
}

static void a_server_that_talks_without_end_is_left(void **unused)
{
	(void)unused;
	fixture_start(sending_parameters_without_end, NULL, NULL);
	assert_failed(fixture_open(), "08P01", "unexpected message");
	fixture_stop();
}

static void hanging_up(int fd)
{
	struct buf out = { 0 };

	fake_read_startup(fd, &out);
	fake_send(fd, "R\0\0", 3);
	buf_fini(&out);
}

static void an_early_end_is_an_error(void **unused)
{
	char text[100];

	(void)unused;
	fixture_start(hanging_up, NULL, NULL);
	snprintf(text, sizeof(text), "connection to server at \"127.0.0.1:%u\" failed: server closed the connection unexpectedly",
		fixture_port());
	assert_failed(fixture_open(), "08006", text);
	fixture_stop();
}

static void asking_for_a_password(int fd)
{
	struct buf out = { 0 };

	fake_read_startup(fd, &out);
	out.size = 0;
	wire_put_authentication(&out, 3, NULL, 0);
	fake_send_buf(fd, &out);
	fake_wait_end(fd);
}

/* The host is up: trying another one would not help. */
static void a_login_without_the_right_secret_counts_as_the_servers_refusal(void **unused)
{
	(void)unused;
	fixture_start(asking_for_a_password, NULL, NULL);
	const struct server_opened *opened = fixture_open();

	assert_failed(opened, "28P01", "connection to server at");
	assert_true(opened->from_server);
	assert_int_equal(opened->error_body.size, 0);
	fixture_stop();
}

static void a_port_nobody_listens_on_is_an_error(void **unused)
{
	uint16_t port = fixture_closed_port();
	char text[100];

	(void)unused;
	snprintf(text, sizeof(text), "connection to server at \"127.0.0.1:%u\" failed: Connection refused", port);
	fixture_start_at(fake_wait_end, NULL, port, NULL, NULL);
	const struct server_opened *opened = fixture_open();

	assert_failed(opened, "08001", text);
	assert_false(opened->from_server);
	fixture_stop();
}

static void a_unix_socket_that_is_not_there_is_an_error(void **unused)
{
	(void)unused;
	fixture_start_at(fake_wait_end, "/nonexistent", 5432, NULL, "server_tls_sslmode = require");
	assert_failed(fixture_open(), "08001",
		"connection to server on socket \"/nonexistent/.s.PGSQL.5432\" failed: No such file or directory");
	fixture_stop();
}

static void a_name_that_does_not_exist_is_an_error(void **unused)
{
	(void)unused;
	fixture_start_at(fake_wait_end, "nobody.invalid", 5432, NULL, NULL);
	assert_failed(fixture_open(), "08001", "connection to server at \"nobody.invalid:5432\" failed: ");
	fixture_stop();
}

/* "localhost" may be ::1 first, where nobody listens. */
static void each_address_of_a_name_is_tried(void **unused)
{
	(void)unused;
	fixture_start_at(trusting, "localhost", 0, NULL, NULL);
	assert_non_null(fixture_open()->server);
	fixture_stop();
}

static void a_silent_server_costs_server_connect_timeout(void **unused)
{
	(void)unused;
	/* Longer than a busy machine takes to connect. */
	fixture_start(fake_wait_end, "server_connect_timeout = 2s", NULL);
	const struct server_opened *opened = fixture_open();

	assert_failed(opened, "08001", "server_connect_timeout expired while authenticating");
	assert_false(opened->from_server);
	fixture_stop();
}

/* --- Stopping --- */

static void nobody_is_told_when_the_login_threads_stop(void **unused)
{
	(void)unused;
	fixture_start(fake_wait_end, NULL, NULL);
	for (int i = 0; i < 20; i++)
		fixture_open_start();
	while (fixture_connections() < 5)
		usleep(1000);
	login_threads_stop();
	assert_int_equal(fixture_answers(), 0);
	/* What comes too late is dropped as well. */
	fixture_open_start();
	assert_int_equal(fixture_answers(), 0);
	assert_int_equal(login_threads_count(), 0);
	fixture_stop();
}

static _Atomic bool may_answer;

static void answering_when_told(int fd)
{
	while (!atomic_load(&may_answer))
		usleep(1000);
	trusting(fd);
}

/* Workers may end first: the connection that nobody takes is closed. */
static void a_reply_to_a_loop_that_is_gone_is_freed(void **unused)
{
	(void)unused;
	may_answer = false;
	fixture_start(answering_when_told, NULL, NULL);
	fixture_open_start();
	while (fixture_connections() < 1)
		usleep(1000);
	fixture_stop_worker();
	may_answer = true;
	fixture_wait_for_scripts();
	assert_int_equal(fixture_answers(), 0);
	fixture_stop();
}

static void login_threads_take_turns(void **unused)
{
	(void)unused;
	login_threads_start(3);
	struct loop *first = login_threads_next(), *second = login_threads_next(), *third = login_threads_next();

	assert_int_equal(login_threads_count(), 3);
	assert_ptr_not_equal(first, second);
	assert_ptr_not_equal(second, third);
	assert_ptr_not_equal(first, third);
	assert_ptr_equal(login_threads_next(), first);
	login_threads_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trusting_server_is_opened),
		cmocka_unit_test(the_startup_packet_carries_the_login_state),
		cmocka_unit_test(the_login_states_application_name_wins),
		cmocka_unit_test(a_startup_packet_no_server_would_take_is_an_error),
		cmocka_unit_test(a_server_may_send_a_byte_at_a_time),
		cmocka_unit_test(notices_are_ignored_and_early_bytes_kept),
		cmocka_unit_test(connect_query_runs_before_the_connection_is_given),
		cmocka_unit_test(a_connect_query_that_fails_fails_the_opening),
		cmocka_unit_test(a_connect_query_must_not_leave_a_transaction_open),
		cmocka_unit_test(a_refusal_is_passed_on_in_the_servers_own_words),
		cmocka_unit_test(garbage_is_an_error),
		cmocka_unit_test(a_server_that_talks_without_end_is_left),
		cmocka_unit_test(an_early_end_is_an_error),
		cmocka_unit_test(a_login_without_the_right_secret_counts_as_the_servers_refusal),
		cmocka_unit_test(a_port_nobody_listens_on_is_an_error),
		cmocka_unit_test(a_unix_socket_that_is_not_there_is_an_error),
		cmocka_unit_test(a_name_that_does_not_exist_is_an_error),
		cmocka_unit_test(each_address_of_a_name_is_tried),
		cmocka_unit_test(a_silent_server_costs_server_connect_timeout),
		cmocka_unit_test(nobody_is_told_when_the_login_threads_stop),
		cmocka_unit_test(a_reply_to_a_loop_that_is_gone_is_freed),
		cmocka_unit_test(login_threads_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
