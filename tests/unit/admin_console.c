/* The console's conversation, in both protocols: what comes back for what is sent, who may, and what happens to what a
 * client leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin_fixture.h"
#include "pgweir/pool.h"
#include "pgweir/wire.h"

/* --- Messages of the extended protocol --- */

static void put_parse(struct buf *out, const char *name, const char *sql)
{
	size_t begun = wire_begin(out, 'P');

	buf_append_cstring(out, name);
	buf_append_cstring(out, sql);
	buf_append_u16(out, 0);
	wire_end(out, begun);
}

static void put_bind(struct buf *out, const char *portal, const char *name, uint16_t format)
{
	size_t begun = wire_begin(out, 'B');

	buf_append_cstring(out, portal);
	buf_append_cstring(out, name);
	buf_append_u16(out, 0);
	buf_append_u16(out, 0);
	buf_append_u16(out, 1);
	buf_append_u16(out, format);
	wire_end(out, begun);
}

static void put_describe(struct buf *out, char kind, const char *name)
{
	size_t begun = wire_begin(out, 'D');

	buf_append_char(out, kind);
	buf_append_cstring(out, name);
	wire_end(out, begun);
}

static void put_execute(struct buf *out, const char *portal, uint32_t rows)
{
	size_t begun = wire_begin(out, 'E');

	buf_append_cstring(out, portal);
	buf_append_u32(out, rows);
	wire_end(out, begun);
}

static void put_bare(struct buf *out, char type)
{
	wire_end(out, wire_begin(out, type));
}

/* Parse, Bind, Describe, Execute, Sync of one statement. */
static void prepared(struct buf *out, const char *sql)
{
	put_parse(out, "", sql);
	put_bind(out, "", "", 0);
	put_describe(out, 'P', "");
	put_execute(out, "", 0);
	put_bare(out, 'S');
}

static void send_all(int fd, struct buf *messages)
{
	fixture_send(fd, messages->bytes, messages->size);
	buf_fini(messages);
}

/* --- Simple queries --- */

static void a_query_is_answered_with_rows_and_a_tag(void **state)
{
	int fd = fixture_connect("root");

	(void)state;
	fixture_query(fd, "SHOW VERSION;");
	assert_string_equal(fixture_types(fd), "TDCZ");
	fixture_query(fd, "show databases");
	assert_string_equal(fixture_types(fd), "TDDCZ");
	close(fd);
}

static void several_statements_run_in_order_and_stop_at_an_error(void **state)
{
	int fd = fixture_connect("root");

	(void)state;
	fixture_query(fd, "show version; select 1; ; begin; commit");
	assert_string_equal(fixture_types(fd), "TDCTDCCCZ");
	fixture_query(fd, "select 1; nonsense; select 1");
	assert_string_equal(fixture_types(fd), "TDCEZ");
	assert_string_equal(fixture_error('C'), "42601");
	assert_string_equal(fixture_error('H'), "SHOW HELP lists the commands.");
	close(fd);
}

static void an_empty_query_has_an_answer_of_its_own(void **state)
{
	const char *const empty[] = { "", " ; ", "-- ping" };
	int fd = fixture_connect("root");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		fixture_query(fd, empty[i]);
		assert_string_equal(fixture_types(fd), "IZ");
	}
	close(fd);
}

static void bytes_may_come_one_at_a_time(void **state)
{
	struct buf messages = { 0 };
	int fd = fixture_connect("root");

	(void)state;
	wire_put_query(&messages, "select 1");
	prepared(&messages, "show state");
	for (size_t i = 0; i < messages.size; i++)
		fixture_send(fd, messages.bytes + i, 1);
	buf_fini(&messages);
	assert_string_equal(fixture_types(fd), "TDCZ12TDDDDCZ");
	close(fd);
}

static void what_drivers_say_is_accepted(void **state)
{
	static const char *const chatter[] = {
		"SET extra_float_digits = 3", "SET client_encoding TO 'UTF8'", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
		"SET TIME ZONE 'UTC'", "DISCARD ALL", "DEALLOCATE ALL", "CLOSE ALL", "UNLISTEN *", "RESET ALL", "ROLLBACK",
		"START TRANSACTION ISOLATION LEVEL READ COMMITTED", "COMMIT",
	};
	int fd = fixture_connect("watcher");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chatter); i++) {
		fixture_query(fd, chatter[i]);
		assert_string_equal(fixture_types(fd), "CZ");
	}
	fixture_query(fd, "SET application_name = 'x'; SHOW application_name");
	assert_string_equal(fixture_types(fd), "SCTDCZ");
	close(fd);
}

/* --- The extended protocol --- */

static void each_message_of_the_extended_protocol_has_its_answer(void **state)
{
	struct buf messages = { 0 };
	int fd = fixture_connect("root");

	(void)state;
	put_parse(&messages, "s", "show version");
	put_describe(&messages, 'S', "s");
	put_bind(&messages, "p", "s", 0);
	put_describe(&messages, 'P', "p");
	put_execute(&messages, "p", 0);
	put_bare(&messages, 'H');
	put_bare(&messages, 'S');
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "1tT2TDCZ");
	prepared(&messages, "reload");
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "12nCZ");
	prepared(&messages, "");
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "12nIZ");
	close(fd);
}

static void a_portal_gives_its_rows_a_few_at_a_time(void **state)
{
	struct buf messages = { 0 };
	int fd = fixture_connect("root");

	(void)state;
	put_parse(&messages, "", "show state");
	put_bind(&messages, "", "", 0);
	put_execute(&messages, "", 3);
	put_execute(&messages, "", 3);
	put_execute(&messages, "", 3);
	put_bare(&messages, 'S');
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "12DDDsDCCZ");
	close(fd);
}

static void after_an_error_everything_is_skipped_up_to_sync(void **state)
{
	struct buf messages = { 0 };
	int fd = fixture_connect("root");

	(void)state;
	put_parse(&messages, "", "nonsense");
	put_bind(&messages, "", "", 0);
	put_execute(&messages, "", 0);
	wire_put_query(&messages, "select 1");
	put_bare(&messages, 'S');
	prepared(&messages, "select 1");
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "EZ12TDCZ");
	close(fd);
}

static void names_that_do_not_exist_are_errors_with_postgresqls_codes(void **state)
{
	struct buf messages = { 0 };
	int fd = fixture_connect("root");

	(void)state;
	put_bind(&messages, "", "nope", 0);
	put_bare(&messages, 'S');
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "EZ");
	assert_string_equal(fixture_error('C'), "26000");
	put_execute(&messages, "nope", 0);
	put_bare(&messages, 'S');
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "EZ");
	assert_string_equal(fixture_error('C'), "34000");
	put_parse(&messages, "s", "select 1");
	put_parse(&messages, "s", "select 1");
	put_bare(&messages, 'S');
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "1EZ");
	assert_string_equal(fixture_error('C'), "42P05");
	close(fd);
}

static void numbers_come_in_binary_for_those_who_ask(void **state)
{
	struct buf messages = { 0 };
	int fd = fixture_connect("root");

	(void)state;
	put_parse(&messages, "", "select 1");
	put_bind(&messages, "", "", 1);
	put_execute(&messages, "", 0);
	put_bare(&messages, 'S');
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "12DCZ");
	assert_non_null(memmem(fixture_last.bytes, fixture_last.size, "\0\0\0\x8\0\0\0\0\0\0\0\1", 12));
	close(fd);
}

/* --- Who may --- */

static void who_may_only_look_may_change_nothing_in_either_protocol(void **state)
{
	static const char *const commands[] = {
		"RELOAD", "PAUSE", "RESUME", "DISABLE app", "ENABLE app", "KILL app", "KILL_CLIENT 1", "RECONNECT", "WAIT_CLOSE",
		"SUSPEND", "SHUTDOWN", "SHUTDOWN WAIT_FOR_CLIENTS", "SHUTDOWN WAIT_FOR_SERVERS", "SET good = 1",
	};
	struct buf messages = { 0 };
	int fd = fixture_connect("watcher");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		fixture_query(fd, commands[i]);
		assert_string_equal(fixture_types(fd), "EZ");
		assert_string_equal(fixture_error('C'), "42501");
		prepared(&messages, commands[i]);
		send_all(fd, &messages);
		assert_string_equal(fixture_types(fd), "12nEZ");
		assert_string_equal(fixture_error('C'), "42501");
	}
	assert_int_equal(fakes.reloads + fakes.sets + fakes.shutdowns, 0);
	assert_false(pool_all_paused());
	fixture_query(fd, "show pools");
	assert_string_equal(fixture_types(fd), "TCZ");
	close(fd);
}

static void who_is_on_no_list_any_more_may_nothing(void **state)
{
	int fd = fixture_connect("nobody");

	(void)state;
	fixture_query(fd, "show pools");
	assert_string_equal(fixture_types(fd), "EZ");
	assert_string_equal(fixture_error('C'), "42501");
	close(fd);
}

/* --- Commands --- */

static void a_reload_that_fails_tells_every_problem(void **state)
{
	int fd = fixture_connect("root");

	(void)state;
	fakes.refuse_reload = true;
	fixture_query(fd, "reload");
	assert_string_equal(fixture_types(fd), "EZ");
	assert_string_equal(fixture_error('D'), "first problem\nsecond problem");
	close(fd);
}

/* Else whoever is answered may be ahead of it at a worker. */
static void what_is_changed_is_answered_when_every_worker_has_it(void **state)
{
	static const char *const commands[] = { "reload", "set Good = 1" }, *const tags[] = { "RELOAD", "SET good=1" };
	int fd = fixture_connect("root");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		fakes.hold_tours = true;
		fixture_query(fd, commands[i]);
		assert_int_equal(fakes.reloads + fakes.sets, i + 1);
		assert_string_equal(fixture_types(fd), "");
		fakes.hold_tours = false;
		assert_string_equal(fixture_types(fd), "CZ");
		assert_string_equal(fixture_last.bytes + WIRE_HEADER_SIZE, tags[i]);
	}
	close(fd);
}

static void a_shutdown_is_answered_before_it_begins(void **state)
{
	int fd = fixture_connect("root");

	(void)state;
	fixture_query(fd, "shutdown wait_for_clients; shutdown");
	assert_string_equal(fixture_types(fd), "CCZ");
	assert_int_equal(fakes.shutdowns, 1);
	close(fd);
}

static void a_database_that_does_not_exist_is_3d000(void **state)
{
	int fd = fixture_connect("root");

	(void)state;
	fixture_query(fd, "pause nope");
	assert_string_equal(fixture_types(fd), "EZ");
	assert_string_equal(fixture_error('C'), "3D000");
	close(fd);
}

static void resume_without_pause_is_an_error(void **state)
{
	int fd = fixture_connect("root");

	(void)state;
	fixture_query(fd, "pause \"app\"; resume app; resume app");
	assert_string_equal(fixture_types(fd), "CCEZ");
	fixture_query(fd, "pause; resume; resume");
	assert_string_equal(fixture_types(fd), "CCEZ");
	assert_string_equal(fixture_error('C'), "55000");
	close(fd);
}

static void disable_and_enable_are_seen_by_the_pools(void **state)
{
	int fd = fixture_connect("root");

	(void)state;
	fixture_query(fd, "disable app");
	assert_true(atomic_load(&pool_database_get("app")->disabled));
	fixture_query(fd, "enable app");
	assert_false(atomic_load(&pool_database_get("app")->disabled));
	assert_string_equal(fixture_types(fd), "CZCZ");
	close(fd);
}

/* --- Leaving --- */

static void a_pause_whose_client_leaves_is_undone(void **state)
{
	int fd = fixture_connect("root");

	(void)state;
	fakes.hold_tours = true;
	fixture_query(fd, "pause");
	assert_true(pool_all_paused());
	close(fd);
	fixture_turn();
	assert_false(pool_all_paused());
	fixture_finish_tours();
}

static void a_client_may_leave_during_a_tour(void **state)
{
	struct buf messages = { 0 };
	int simple = fixture_connect("root"), extended = fixture_connect("root");

	(void)state;
	fakes.hold_tours = true;
	fixture_query(simple, "show clients");
	prepared(&messages, "show clients");
	send_all(extended, &messages);
	close(simple);
	close(extended);
	fixture_turn();
	fixture_finish_tours();
}

static void what_follows_a_command_waits_for_its_end(void **state)
{
	struct buf messages = { 0 };
	int fd = fixture_connect("root");

	(void)state;
	fakes.hold_tours = true;
	wire_put_query(&messages, "show clients");
	wire_put_query(&messages, "select 1");
	send_all(fd, &messages);
	assert_string_equal(fixture_types(fd), "");
	fakes.hold_tours = false;
	assert_string_equal(fixture_types(fd), "TDCZTDCZ");
	close(fd);
}

static void a_killed_console_is_told_why(void **state)
{
	int victim = fixture_connect("root"), fd = fixture_connect("root");
	char sql[64];

	(void)state;
	/* Ids are given in order: the second one's is the first one's and one more. */
	fixture_query(fd, "show clients");
	assert_string_equal(fixture_types(fd), "TDDCZ");
	for (int id = 1; id < 200; id++) {
		snprintf(sql, sizeof(sql), "kill_client %d", id);
		fixture_query(fd, sql);
		if (strcmp(fixture_types(fd), "CZ") == 0)
			break;
	}
	assert_string_equal(fixture_types(victim), "E!");
	assert_string_equal(fixture_error('C'), "57P01");
	close(victim);
	close(fd);
}

/* --- Nonsense --- */

static void nonsense_ends_that_client_only(void **state)
{
	static const struct { const char *bytes; size_t size; } wrong[] = {
		{ "GET / HTTP/1.0\r\n\r\n", 18 },
		{ "Q\xff\xff\xff\xff", 5 },
		{ "Q\0\0\0\1", 5 },
		{ "Q\0\0\0\6ab", 7 },
		{ "Q\0\2\0\0", 5 },
		{ "B\0\0\0\5x", 6 },
		{ "P\0\0\0\4", 5 },
		{ "D\0\0\0\6X\0", 7 },
	};
	int other = fixture_connect("root");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		int fd = fixture_connect("root");

		fixture_send(fd, wrong[i].bytes, wrong[i].size);
		assert_string_equal(fixture_types(fd), "E!");
		assert_string_equal(fixture_error('C'), "08P01");
		close(fd);
	}
	fixture_query(other, "select 1");
	assert_string_equal(fixture_types(other), "TDCZ");
	close(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_query_is_answered_with_rows_and_a_tag),
		TEST(several_statements_run_in_order_and_stop_at_an_error),
		TEST(an_empty_query_has_an_answer_of_its_own),
		TEST(bytes_may_come_one_at_a_time),
		TEST(what_drivers_say_is_accepted),
		TEST(each_message_of_the_extended_protocol_has_its_answer),
		TEST(a_portal_gives_its_rows_a_few_at_a_time),
		TEST(after_an_error_everything_is_skipped_up_to_sync),
		TEST(names_that_do_not_exist_are_errors_with_postgresqls_codes),
		TEST(numbers_come_in_binary_for_those_who_ask),
		TEST(who_may_only_look_may_change_nothing_in_either_protocol),
		TEST(who_is_on_no_list_any_more_may_nothing),
		TEST(a_reload_that_fails_tells_every_problem),
		TEST(what_is_changed_is_answered_when_every_worker_has_it),
		TEST(a_shutdown_is_answered_before_it_begins),
		TEST(a_database_that_does_not_exist_is_3d000),
		TEST(resume_without_pause_is_an_error),
		TEST(disable_and_enable_are_seen_by_the_pools),
		TEST(a_pause_whose_client_leaves_is_undone),
		TEST(a_client_may_leave_during_a_tour),
		TEST(what_follows_a_command_waits_for_its_end),
		TEST(a_killed_console_is_told_why),
		TEST(nonsense_ends_that_client_only),
	};

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	pools_free();
	return failed;
}
