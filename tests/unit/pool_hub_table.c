/* Which channels a hub has to LISTEN to, as its workers' wishes and the server's answers come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hub_internal.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

static struct hub_table table;

static int start(void **state)
{
	(void)state;
	table = (struct hub_table){ 0 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	hub_table_fini(&table);
	return 0;
}

static void assert_asks(const char *expected)
{
	struct buf sql = { 0 };
	bool any = hub_table_ask(&table, &sql);
	char *text = buf_take_text(&sql);

	assert_string_equal(text, expected);
	assert_int_equal(any, *expected != '\0');
	mem_free(text);
}

/* Many clients that listen at once cost few statements. */
static void a_channel_is_asked_for_once_however_many_workers_want_it(void **state)
{
	(void)state;
	hub_table_want(&table, "a", 0);
	hub_table_want(&table, "a", 3);
	assert_asks("LISTEN \"a\";");
	hub_table_answered(&table);
	assert_asks("");
	assert_int_equal(hub_table_workers(&table, "a"), 1 | 1 << 3);
	assert_int_equal(table.wanted, 1);
}

static void the_last_worker_to_leave_ends_the_channel(void **state)
{
	(void)state;
	hub_table_want(&table, "a", 0);
	hub_table_want(&table, "a", 3);
	assert_asks("LISTEN \"a\";");
	hub_table_answered(&table);
	hub_table_unwant(&table, "a", 0);
	assert_asks("");
	hub_table_unwant(&table, "a", 3);
	assert_int_equal(table.wanted, 0);
	assert_asks("UNLISTEN \"a\";");
	hub_table_answered(&table);
	assert_asks("");
	assert_int_equal(table.channels.size, 0);
}

/* The answer is to what was asked, not to what is wanted by then. */
static void a_wish_that_changes_under_way_is_asked_for_afterwards(void **state)
{
	(void)state;
	hub_table_want(&table, "a", 0);
	assert_asks("LISTEN \"a\";");
	hub_table_unwant(&table, "a", 0);
	hub_table_answered(&table);
	assert_asks("UNLISTEN \"a\";");
	hub_table_want(&table, "a", 1);
	hub_table_answered(&table);
	assert_asks("LISTEN \"a\";");
	hub_table_answered(&table);
	assert_asks("");
}

static void a_lost_connection_has_all_to_listen_to_again(void **state)
{
	(void)state;
	hub_table_want(&table, "a", 0);
	assert_asks("LISTEN \"a\";");
	hub_table_answered(&table);
	hub_table_want(&table, "b", 0);
	assert_asks("LISTEN \"b\";");
	hub_table_lost(&table);
	hub_table_unwant(&table, "b", 0);
	assert_asks("LISTEN \"a\";");
}

static void what_nobody_has_wanted_is_nobodys(void **state)
{
	(void)state;
	assert_int_equal(hub_table_workers(&table, "a"), 0);
	hub_table_unwant(&table, "a", 0);
	assert_int_equal(table.wanted, 0);
	assert_asks("");
}

static void a_channel_may_have_any_name(void **state)
{
	(void)state;
	hub_table_want(&table, "a\"; DROP TABLE x; --", 0);
	assert_asks("LISTEN \"a\"\"; DROP TABLE x; --\";");
}

/* --- Messages --- */

static struct buf message_of(const char *bytes, size_t size)
{
	struct buf message = { 0 };
	size_t begun = wire_begin(&message, 'A');

	buf_append(&message, bytes, size);
	wire_end(&message, begun);
	/* Exactly its size, so that a sanitizer sees a read beyond it. */
	char *exact = mem_dup(message.bytes, message.size);

	size = message.size;
	buf_fini(&message);
	return (struct buf){ .bytes = exact, .size = size, .capacity = size };
}

static void a_notification_has_a_pid_a_channel_and_a_payload(void **state)
{
	static const char body[] = "\0\0\1\2chan\0load";
	struct buf message = message_of(body, sizeof(body));
	struct notification notification;

	(void)state;
	assert_true(notification_parse(message.bytes, message.size, &notification));
	assert_int_equal(notification.pid, 258);
	assert_string_equal(notification.channel, "chan");
	assert_string_equal(notification.payload, "load");
	buf_fini(&message);
}

static void a_notification_that_is_cut_short_is_none(void **state)
{
	static const struct { const char *bytes; size_t size; } bodies[] = {
		{ "", 0 }, { "\0\0\0\1", 4 }, { "\0\0\0\1\0", 5 }, { "\0\0\0\1chan\0", 9 }, { "\0\0\0\1chan\0load", 13 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct buf message = message_of(bodies[i].bytes, bodies[i].size);
		struct notification notification;

		assert_false(notification_parse(message.bytes, message.size, &notification));
		buf_fini(&message);
	}
}

/* Many members share the channel of markers. */
static void a_marker_is_known_by_whose_it_is(void **state)
{
	struct worker worker = { .index = 2 };
	struct pool_share share = { .worker = &worker };
	struct hub_member member = { .share = &share, .id = 71, .number = 4 }, other = { .share = &share, .id = 7 };
	struct buf sql = { 0 };
	unsigned number = 0;

	(void)state;
	hub_put_marker(&member, &sql);
	char *text = buf_take_text(&sql);
	char *payload = strstr(text, ", '") + 3;

	payload[strlen(payload) - 1] = '\0';
	assert_string_equal(payload, "2.71.4");
	assert_true(hub_is_marker_of(&member, payload, &number));
	assert_int_equal(number, 4);
	assert_false(hub_is_marker_of(&other, payload, &number));
	assert_false(hub_is_marker_of(&member, "anything", &number));
	mem_free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_channel_is_asked_for_once_however_many_workers_want_it, start, end),
		cmocka_unit_test_setup_teardown(the_last_worker_to_leave_ends_the_channel, start, end),
		cmocka_unit_test_setup_teardown(a_wish_that_changes_under_way_is_asked_for_afterwards, start, end),
		cmocka_unit_test_setup_teardown(a_lost_connection_has_all_to_listen_to_again, start, end),
		cmocka_unit_test_setup_teardown(what_nobody_has_wanted_is_nobodys, start, end),
		cmocka_unit_test_setup_teardown(a_channel_may_have_any_name, start, end),
		cmocka_unit_test(a_notification_has_a_pid_a_channel_and_a_payload),
		cmocka_unit_test(a_notification_that_is_cut_short_is_none),
		cmocka_unit_test(a_marker_is_known_by_whose_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
