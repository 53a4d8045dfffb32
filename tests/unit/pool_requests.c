/* The ring of what has been asked: order, growth, and what stands before a Sync. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgweir/requests.h"

static struct requests requests;
static struct statement_table table;

static int start(void **unused)
{
	(void)unused;
	requests = (struct requests){ 0 };
	statement_table_init(&table);
	return 0;
}

static int stop(void **unused)
{
	(void)unused;
	requests_fini(&requests);
	assert_int_equal(table.by_key.size, 0);
	statement_table_fini(&table);
	return 0;
}

static void push(enum request_kind kind)
{
	requests_push(&requests, kind, 0, NULL);
}

static struct statement_name *name_new(const char *text)
{
	return statement_name_new(text, statement_intern(&table, "", 0, text, strlen(text)));
}

static void an_empty_ring_has_no_first(void **unused)
{
	(void)unused;
	assert_int_equal(requests_count(&requests), 0);
	assert_int_equal(requests_first_kind(&requests), REQUEST_NONE);
	assert_int_equal(requests_until_sync(&requests), 0);
}

static void what_was_asked_first_is_answered_first(void **unused)
{
	(void)unused;
	push(REQUEST_PARSE);
	requests_push(&requests, REQUEST_BIND, REQUEST_INJECTED | REQUEST_SETUP, NULL);
	push(REQUEST_SYNC);
	assert_int_equal(requests_count(&requests), 3);
	assert_int_equal(requests_first_kind(&requests), REQUEST_PARSE);
	assert_int_equal(requests_at(&requests, 1)->flags, REQUEST_INJECTED | REQUEST_SETUP);
	requests_pop(&requests);
	assert_int_equal(requests_first_kind(&requests), REQUEST_BIND);
	requests_pop(&requests);
	requests_pop(&requests);
	assert_int_equal(requests_first_kind(&requests), REQUEST_NONE);
}

/* It grows while its first member stands anywhere in it. */
static void growth_keeps_the_order(void **unused)
{
	uint8_t pushed = 0, popped = 0;

	(void)unused;
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 5; i++)
			requests_push(&requests, REQUEST_EXECUTE, pushed++, NULL);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(requests_at(&requests, 0)->flags, popped++);
			requests_pop(&requests);
		}
	}
	assert_int_equal(requests_count(&requests), 120);
	assert_true(requests.capacity == 128);
	for (uint32_t i = 0; i < 120; i++)
		assert_int_equal(requests_at(&requests, i)->flags, popped + i);
}

static void until_sync_counts_what_an_error_skips(void **unused)
{
	(void)unused;
	push(REQUEST_PARSE);
	push(REQUEST_BIND);
	assert_int_equal(requests_until_sync(&requests), 2);
	push(REQUEST_SYNC);
	push(REQUEST_PARSE);
	push(REQUEST_SYNC);
	assert_int_equal(requests_until_sync(&requests), 2);
	requests_pop(&requests);
	requests_pop(&requests);
	assert_int_equal(requests_until_sync(&requests), 0);
}

/* Also where the ring is bent around its end. */
static void removing_one_closes_the_gap(void **unused)
{
	(void)unused;
	for (uint8_t i = 0; i < 6; i++)
		push(REQUEST_EXECUTE);
	for (uint8_t i = 0; i < 6; i++)
		requests_pop(&requests);
	for (uint8_t i = 0; i < 6; i++)
		requests_push(&requests, REQUEST_EXECUTE, i, NULL);
	requests_remove(&requests, 2);
	requests_remove(&requests, 4);
	requests_remove(&requests, 0);
	assert_int_equal(requests_count(&requests), 3);
	assert_int_equal(requests_at(&requests, 0)->flags, 1);
	assert_int_equal(requests_at(&requests, 1)->flags, 3);
	assert_int_equal(requests_at(&requests, 2)->flags, 4);
}

static void a_request_keeps_its_name_alive(void **unused)
{
	struct statement_name *name = name_new("s");

	(void)unused;
	requests_push(&requests, REQUEST_PARSE, 0, name);
	requests_push(&requests, REQUEST_CLOSE, 0, name);
	requests_push(&requests, REQUEST_PARSE, 0, name);
	assert_int_equal(name->references, 4);
	requests_pop(&requests);
	requests_remove(&requests, 1);
	assert_int_equal(name->references, 2);
	statement_name_unref(&name);
	assert_null(name);
	assert_string_equal(requests_at(&requests, 0)->name->text, "s");
	assert_int_equal(table.by_key.size, 1);
	requests_fini(&requests);
	assert_int_equal(table.by_key.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_ring_has_no_first, start, stop),
		cmocka_unit_test_setup_teardown(what_was_asked_first_is_answered_first, start, stop),
		cmocka_unit_test_setup_teardown(growth_keeps_the_order, start, stop),
		cmocka_unit_test_setup_teardown(until_sync_counts_what_an_error_skips, start, stop),
		cmocka_unit_test_setup_teardown(removing_one_closes_the_gap, start, stop),
		cmocka_unit_test_setup_teardown(a_request_keeps_its_name_alive, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
