/* Statements: interned once per meaning, and remembered per server connection in order of use. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgweir/statement.h"

static struct statement_table table;
static struct prepared prepared;

static int start(void **unused)
{
	(void)unused;
	statement_table_init(&table);
	prepared_init(&prepared);
	return 0;
}

static int stop(void **unused)
{
	(void)unused;
	prepared_fini(&prepared);
	assert_int_equal(table.by_key.size, 0);
	statement_table_fini(&table);
	return 0;
}

static struct statement *intern(const char *scope, const char *text)
{
	return statement_intern(&table, scope, strlen(scope), text, strlen(text) + 1);
}

/* --- Interning --- */

static void the_same_meaning_is_the_same_statement(void **unused)
{
	struct statement *one = intern("scope", "select 1"), *two = intern("scope", "select 1");

	(void)unused;
	assert_ptr_equal(one, two);
	assert_int_equal(table.by_key.size, 1);
	assert_int_equal(one->parse_size, strlen("select 1") + 1);
	assert_string_equal(one->parse, "select 1");
	statement_unref(&one);
	assert_int_equal(table.by_key.size, 1);
	statement_unref(&two);
}

static void another_text_or_scope_is_another_statement(void **unused)
{
	struct statement *each[] = { intern("a", "select 1"), intern("a", "select 2"), intern("b", "select 1") };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(each); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(each[i]->server_name, each[j]->server_name);
	assert_int_equal(table.by_key.size, 3);
	for (size_t i = 0; i < ARRAY_LEN(each); i++)
		statement_unref(&each[i]);
}

/* A name that a server may still know under its former meaning must not come back. */
static void a_forgotten_statement_returns_under_a_new_name(void **unused)
{
	struct statement *statement = intern("", "select 1");
	char name[sizeof(statement->server_name)];

	(void)unused;
	memcpy(name, statement->server_name, sizeof(name));
	statement_unref(&statement);
	assert_null(statement);
	statement = intern("", "select 1");
	assert_string_not_equal(statement->server_name, name);
	statement_unref(&statement);
}

static void *intern_and_drop(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2000; i++) {
		struct statement *statement = intern("", i % 2 ? "select 1" : "select 2");

		CHECK(atomic_load(&statement->references) >= 1);
		statement_unref(&statement);
	}
	return NULL;
}

/* The last reference goes while another thread asks for the same: that one gets a whole one, either way. */
static void threads_that_intern_and_drop_leave_nothing(void **unused)
{
	pthread_t threads[4];

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, intern_and_drop, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(table.by_key.size, 0);
}

static void nothing_is_fine_to_reference(void **unused)
{
	struct statement *statement = statement_ref(NULL);
	struct statement_name *name = statement_name_ref(NULL);

	(void)unused;
	statement_unref(&statement);
	statement_name_unref(&name);
}

/* --- What one connection has prepared --- */

static void the_least_recently_used_is_the_oldest(void **unused)
{
	struct statement *a = intern("", "a"), *b = intern("", "b"), *c = intern("", "c");

	(void)unused;
	assert_null(prepared_oldest(&prepared));
	prepared_add(&prepared, a);
	prepared_add(&prepared, b);
	prepared_add(&prepared, c);
	assert_ptr_equal(prepared_oldest(&prepared), a);
	assert_true(prepared_has(&prepared, a));
	assert_ptr_equal(prepared_oldest(&prepared), b);
	prepared_add(&prepared, b);
	assert_ptr_equal(prepared_oldest(&prepared), c);
	assert_int_equal(prepared_count(&prepared), 3);
	prepared_remove(&prepared, c);
	assert_ptr_equal(prepared_oldest(&prepared), a);
	statement_unref(&a);
	statement_unref(&b);
	statement_unref(&c);
}

static void one_that_was_removed_is_not_had(void **unused)
{
	struct statement *a = intern("", "a"), *b = intern("", "b");

	(void)unused;
	prepared_add(&prepared, a);
	assert_false(prepared_has(&prepared, b));
	prepared_remove(&prepared, b);
	assert_int_equal(prepared_count(&prepared), 1);
	prepared_remove(&prepared, a);
	assert_false(prepared_has(&prepared, a));
	assert_int_equal(prepared_count(&prepared), 0);
	statement_unref(&a);
	statement_unref(&b);
}

/* The server still has it when the last client that used it is gone. */
static void what_is_prepared_stays_interned(void **unused)
{
	struct statement *a = intern("", "a");

	(void)unused;
	prepared_add(&prepared, a);
	statement_unref(&a);
	assert_int_equal(table.by_key.size, 1);
	a = intern("", "a");
	assert_true(prepared_has(&prepared, a));
	statement_unref(&a);
	prepared_clear(&prepared);
	assert_int_equal(table.by_key.size, 0);
	assert_null(prepared_oldest(&prepared));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_meaning_is_the_same_statement, start, stop),
		cmocka_unit_test_setup_teardown(another_text_or_scope_is_another_statement, start, stop),
		cmocka_unit_test_setup_teardown(a_forgotten_statement_returns_under_a_new_name, start, stop),
		cmocka_unit_test_setup_teardown(threads_that_intern_and_drop_leave_nothing, start, stop),
		cmocka_unit_test_setup_teardown(nothing_is_fine_to_reference, start, stop),
		cmocka_unit_test_setup_teardown(the_least_recently_used_is_the_oldest, start, stop),
		cmocka_unit_test_setup_teardown(one_that_was_removed_is_not_had, start, stop),
		cmocka_unit_test_setup_teardown(what_is_prepared_stays_interned, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
