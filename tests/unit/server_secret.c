/* Logins with what a [secret] says, to a server that may want another value of it. */
#include "server_fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/lease.h"
#include "pgweir/trials.h"

static const char *wanted;              /* The password that lets in. */
static const char *put_after_refusal;   /* What the secret says once the server has refused one; NULL: nothing new. */

static void publish(const char *username, const char *password)
{
	struct lease_values values = {
		.current = { .username = mem_secret_dup(username), .password = mem_secret_dup(password) },
	};

	(void)lease_publish("s", &values, password ? NULL : mem_strdup("why"));
}

static void refuse(int fd)
{
	struct buf out = { 0 };
	size_t begun = wire_begin(&out, 'E');

	if (put_after_refusal)
		publish(NULL, put_after_refusal);
	buf_append_cstring(&out, "SFATAL");
	buf_append_cstring(&out, "C28P01");
	buf_append_cstring(&out, "Mpassword authentication failed");
	buf_append_char(&out, '\0');
	wire_end(&out, begun);
	fake_send_buf(fd, &out);
}

static void asking_for_the_password(int fd)
{
	struct buf startup = { 0 }, password = { 0 }, out = { 0 };

	fake_read_startup(fd, &startup);
	wire_put_authentication(&out, 3, NULL, 0);
	fake_send_buf(fd, &out);
	fake_read_message(fd, 'p', &password);
	if (strcmp(password.bytes, wanted) == 0) {
		fake_put_welcome(&out);
		fake_send_buf(fd, &out);
		fake_wait_end(fd);
	} else {
		refuse(fd);
	}
	buf_fini(&startup);
	buf_fini(&password);
}

/* The target's credentials become those of the secret. */
static void start(void)
{
	static const struct config_database named = { .secret = (char *)"s" };

	fixture_start(asking_for_the_password, "auth_plain_without_tls = 1\n", NULL);
	struct server_target *target = fixture_target();
	struct credentials *old = target->credentials;

	target->credentials = credentials_for_server(target->config, &named, "app", NULL);
	credentials_unref(&old);
}

static void stop(void)
{
	fixture_stop();
	lease_forget_all();
	trials_forget_all();
	put_after_refusal = NULL;
}

static void assert_opened_with(const char *password, unsigned connections)
{
	const struct server_opened *opened = fixture_open();

	if (!opened->server)
		fail_msg("%s", opened->error.text);
	/* The server lets nobody else in, and the connection does not remember it. */
	assert_string_equal(wanted, password);
	assert_null(opened->server->target->credentials->password);
	assert_string_equal(opened->server->target->credentials->secret, "s");
	assert_int_equal(fixture_connections(), connections);
	assert_int_equal(opened->error_body.size, 0);
}

static void assert_refused_after(unsigned connections)
{
	const struct server_opened *opened = fixture_open();

	assert_null(opened->server);
	assert_string_equal(opened->error.sqlstate, "28P01");
	assert_true(opened->from_server);
	assert_int_equal(fixture_connections(), connections);
}

static void the_current_value_is_tried_first(void **state)
{
	(void)state;
	publish(NULL, "one");
	publish(NULL, "two");
	wanted = "two";
	start();
	assert_opened_with("two", 1);
	stop();
}

static void the_previous_value_is_tried_when_the_current_is_refused(void **state)
{
	(void)state;
	publish("former", "one");
	publish(NULL, "two");
	wanted = "one";
	start();
	assert_opened_with("one", 2);
	assert_string_equal(fixture_open()->server->target->credentials->user, "former");
	stop();
}

/* The server has changed first, and the secret meanwhile. */
static void what_the_secret_says_by_now_is_tried(void **state)
{
	(void)state;
	publish(NULL, "one");
	wanted = "two";
	put_after_refusal = "two";
	start();
	assert_opened_with("two", 2);
	stop();
}

/* Whoever counts failed logins counts these too. */
static void no_value_is_tried_twice(void **state)
{
	(void)state;
	publish(NULL, "one");
	wanted = "something else";
	start();
	assert_refused_after(1);
	stop();

	publish(NULL, "one");
	publish(NULL, "two");
	start();
	assert_refused_after(2);
	stop();

	/* By now "one" is the previous value of "two". */
	publish(NULL, "one");
	put_after_refusal = "two";
	start();
	assert_refused_after(2);
	stop();
}

/* In the middle of a rotation: the server has the value that the secret will have. */
static void the_pending_value_is_tried_before_the_previous(void **state)
{
	struct lease_values values = {
		.current = { .password = mem_secret_dup("one") },
		.pending = { .password = mem_secret_dup("two") },
		.previous = { .password = mem_secret_dup("nought") },
	};

	(void)state;
	(void)lease_publish("s", &values, NULL);
	wanted = "two";
	start();
	assert_opened_with("two", 2);
	stop();
}

static void without_a_value_the_server_is_left_alone(void **state)
{
	(void)state;
	publish(NULL, NULL);
	start();
	const struct server_opened *opened = fixture_open();

	assert_null(opened->server);
	assert_string_equal(opened->error.sqlstate, "28000");
	assert_non_null(strstr(opened->error.text, "secret \"s\" has no value yet"));
	assert_int_equal(fixture_connections(), 0);
	stop();
}

/* With its section, while clients of a database that is gone too are still there. */
static void a_secret_that_is_gone_is_named(void **state)
{
	(void)state;
	publish(NULL, "one");
	start();
	lease_forget("s");
	const struct server_opened *opened = fixture_open();

	assert_null(opened->server);
	assert_string_equal(opened->error.sqlstate, "28000");
	assert_non_null(strstr(opened->error.text, "secret \"s\" has no value any more"));
	assert_int_equal(fixture_connections(), 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_current_value_is_tried_first),
		cmocka_unit_test(the_previous_value_is_tried_when_the_current_is_refused),
		cmocka_unit_test(what_the_secret_says_by_now_is_tried),
		cmocka_unit_test(no_value_is_tried_twice),
		cmocka_unit_test(the_pending_value_is_tried_before_the_previous),
		cmocka_unit_test(without_a_value_the_server_is_left_alone),
		cmocka_unit_test(a_secret_that_is_gone_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
