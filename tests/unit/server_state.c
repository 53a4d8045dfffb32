/* Sets of settings: equal sets are one pointer, from any thread, and differences are safe SQL. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pgweir/mem.h"
#include "pgweir/state.h"
#include "state_list.h"

/* "name=value" texts up to NULL. */
static struct state *make(const char *first, ...)
{
	struct state_builder builder = { 0 };
	va_list args;

	va_start(args, first);
	for (const char *text = first; text; text = va_arg(args, const char *)) {
		char *name = mem_strndup(text, strcspn(text, "="));

		state_builder_set(&builder, name, strchr(text, '=') + 1);
		mem_free(name);
	}
	va_end(args);
	return state_builder_finish(&builder);
}

static void assert_sql(struct state *from, struct state *to, const char *expected)
{
	struct buf sql = { 0 };

	state_difference(from, to, &sql);
	buf_append_char(&sql, '\0');
	assert_string_equal(sql.bytes, expected);
	buf_fini(&sql);
	state_unref(&from);
	state_unref(&to);
}

static void the_same_settings_are_the_same_pointer(void **unused)
{
	struct state *a = make("TimeZone=UTC", "search_path=a, b", NULL);
	struct state *b = make("search_path=a, b", "timezone=UTC", NULL);
	struct state *c = make("search_path=a", "timezone=UTC", NULL);

	(void)unused;
	assert_ptr_equal(a, b);
	assert_ptr_not_equal(a, c);
	state_unref(&a);
	state_unref(&b);
	state_unref(&c);
}

static void the_empty_set_is_null(void **unused)
{
	struct state_builder builder = { 0 };

	(void)unused;
	state_builder_set(&builder, "a", "1");
	state_builder_unset(&builder, "A");
	assert_null(state_builder_finish(&builder));
	assert_int_equal(state_count(NULL), 0);
	assert_null(state_get(NULL, "a"));
	assert_null(state_ref(NULL));
}

static void names_and_values_do_not_run_into_each_other(void **unused)
{
	struct state *a = make("a=", "b=c", NULL);
	struct state *b = make("a=b", NULL);

	(void)unused;
	assert_ptr_not_equal(a, b);
	assert_string_equal(state_get(a, "a"), "");
	assert_string_equal(state_get(a, "B"), "c");
	assert_string_equal(state_pairs(a)[0].name, "a");
	assert_string_equal(state_pairs(a)[1].name, "b");
	state_unref(&a);
	state_unref(&b);
}

static void a_later_value_replaces_an_earlier_one(void **unused)
{
	struct state_builder builder = { 0 };
	struct state *first = make("work_mem=1MB", "app.x=1", NULL);

	(void)unused;
	state_builder_copy(&builder, first);
	state_builder_set(&builder, "WORK_MEM", "2MB");
	struct state *second = state_builder_finish(&builder);

	assert_string_equal(state_get(second, "work_mem"), "2MB");
	assert_string_equal(state_get(first, "work_mem"), "1MB");
	assert_int_equal(state_count(second), 2);
	state_unref(&first);
	state_unref(&second);
}

enum { ROUNDS = 20000, THREADS = 4 };

/* Each thread makes and gives up the same few sets, so that the last reference of one meets the search of another. */
static void *churn(void *arg)
{
	struct state *kept = NULL;

	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct state *one = make(i % 2 ? "a=1" : "a=2", NULL);
		struct state *two = make(i % 2 ? "a=1" : "a=2", NULL);

		CHECK(one == two && state_count(one) == 1);
		CHECK(strcmp(state_get(one, "a"), i % 2 ? "1" : "2") == 0);
		state_unref(&kept);
		kept = state_ref(two);
		state_unref(&one);
		state_unref(&two);
	}
	state_unref(&kept);
	return NULL;
}

static void sets_die_and_are_found_on_several_threads_at_once(void **unused)
{
	pthread_t threads[THREADS];

	(void)unused;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void no_difference_is_no_sql(void **unused)
{
	struct buf sql = { 0 };
	struct state *a = make("a=1", NULL);

	(void)unused;
	state_difference(a, a, &sql);
	state_difference(NULL, NULL, &sql);
	assert_int_equal(sql.size, 0);
	state_unref(&a);
}

static struct state *with_statements(const char *setting, const char *first, const char *second)
{
	struct state_builder builder = { 0 };

	state_builder_set(&builder, "work_mem", setting);
	if (first)
		state_builder_prepare(&builder, "s", first);
	if (second)
		state_builder_prepare(&builder, "S\"2", second);
	return state_builder_finish(&builder);
}

static void assert_steps(const struct state *from, const struct state *to, const char *expected)
{
	struct buf sql = { 0 };
	size_t step = 0;

	while (state_statements_step(from, to, &step, &sql))
		buf_append_char(&sql, '|');
	buf_append_char(&sql, '\0');
	assert_string_equal(sql.bytes, expected);
	buf_fini(&sql);
}

static void statements_are_prepared_and_deallocated_one_by_one(void **unused)
{
	struct state *none = with_statements("1MB", NULL, NULL);
	struct state *one = with_statements("1MB", "PREPARE s AS SELECT 1", NULL);
	struct state *other = with_statements("2MB", "PREPARE s AS SELECT 2", "PREPARE \"S\"\"2\" AS SELECT 3");
	struct state *again = with_statements("1MB", "PREPARE s AS SELECT 1", NULL);

	(void)unused;
	assert_ptr_equal(one, again);
	assert_ptr_not_equal(one, none);
	assert_string_equal(state_statement(one, "s"), "PREPARE s AS SELECT 1");
	assert_null(state_statement(one, "S"));
	assert_null(state_get(one, "s"));
	assert_steps(none, one, "PREPARE s AS SELECT 1|");
	assert_steps(one, again, "");
	assert_steps(one, other, "DEALLOCATE \"s\"|PREPARE \"S\"\"2\" AS SELECT 3|PREPARE s AS SELECT 2|");
	assert_steps(other, NULL, "DEALLOCATE \"S\"\"2\"|DEALLOCATE \"s\"|");
	/* To the settings they are nothing. */
	assert_sql(state_ref(none), state_ref(one), "");
	assert_sql(state_ref(other), state_ref(one), "BEGIN;SET work_mem TO '1MB';COMMIT");
	state_unref(&none);
	state_unref(&one);
	state_unref(&other);
	state_unref(&again);
}

static void what_is_gone_is_reset_and_what_is_new_is_set(void **unused)
{
	(void)unused;
	assert_sql(make("datestyle=ISO", "search_path=a, b", "timezone=UTC", NULL),
		make("search_path=b", "timezone=UTC", "work_mem=1MB", NULL),
		"BEGIN;RESET datestyle;SET work_mem TO '1MB';SELECT pg_catalog.set_config('search_path','b',false);COMMIT");
	assert_sql(make("a=1", NULL), NULL, "BEGIN;RESET a;COMMIT");
}

/* A new session_authorization takes the role away. */
static void role_comes_last_and_again_after_session_authorization(void **unused)
{
	(void)unused;
	assert_sql(NULL, make("role=r", "session_authorization=s", "work_mem=1MB", NULL),
		"BEGIN;SET work_mem TO '1MB';SET session_authorization TO 's';SET role TO 'r';COMMIT");
	assert_sql(make("role=r", "session_authorization=s", NULL), make("role=r", "session_authorization=t", NULL),
		"BEGIN;SET session_authorization TO 't';SET role TO 'r';COMMIT");
	assert_sql(make("role=r", NULL), make("role=q", NULL),
		"BEGIN;SET role TO 'q';COMMIT");
	assert_sql(make("role=r", "session_authorization=s", NULL), NULL,
		"BEGIN;RESET session_authorization;RESET role;COMMIT");
}

/* The former client's role may not be allowed to set what the next client's login may. */
static void other_settings_are_changed_under_the_login_role(void **unused)
{
	(void)unused;
	assert_sql(make("role=r", NULL), make("role=r", "log_statement=all", NULL),
		"BEGIN;RESET role;SET log_statement TO 'all';SET role TO 'r';COMMIT");
	assert_sql(make("role=r", "work_mem=1MB", NULL), NULL, "BEGIN;RESET role;RESET work_mem;COMMIT");
}

static void names_are_quoted_part_by_part_where_they_must_be(void **unused)
{
	(void)unused;
	assert_sql(make("app.tenant=1", "app.us\"er=2", "all=3", "x-y=4", NULL), NULL,
		"BEGIN;RESET \"all\";RESET \"app\".\"tenant\";RESET \"app\".\"us\"\"er\";RESET \"x-y\";COMMIT");
}

/* Whatever standard_conforming_strings is at the time. */
static void values_cannot_break_out_of_their_quotes(void **unused)
{
	(void)unused;
	assert_sql(NULL, make("app.x=it's; DROP TABLE t; --", NULL),
		"BEGIN;SET \"app\".\"x\" TO 'it''s; DROP TABLE t; --';COMMIT");
	assert_sql(NULL, make("app.x=\\'", NULL), "BEGIN;SET \"app\".\"x\" TO E'\\\\''';COMMIT");
}

/* In Shift JIS, 0x95 0x5c is one character whose second byte looks like a backslash. */
static void text_beyond_ascii_travels_as_digits_after_its_encoding(void **unused)
{
	(void)unused;
	assert_sql(NULL, make("app.x=\x95\x5c'", "client_encoding=SJIS", NULL),
		"BEGIN;SET client_encoding TO 'SJIS';"
		"SELECT pg_catalog.set_config('app.x',pg_catalog.convert_from(pg_catalog.decode('955c27','hex'),"
		"pg_catalog.pg_client_encoding()),false);COMMIT");
}

/* SET quotes what it stores of a list: only what comes out as it went in is set so. */
static void lists_are_set_as_they_are_written(void **unused)
{
	static const char *const certain[][2] = {
		{ "s1", "'s1'" }, { "\"$user\", public", "'$user','public'" }, { "pg_temp, \"Mixed\", a_1", "'pg_temp','Mixed','a_1'" },
		{ "\"1\"", "'1'" },
	};
	static const char *const doubtful[] = {
		"", "a", "user", "a1,b1", "a1 , b1", "a1, ", "\"a1\"", "\"\"", "A1", "\"a\"\"1\"", "\"a\\1\"", "\"a'1\"", "\"a1", "1a", "a1, \"B\"x",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(certain) / sizeof(certain[0]); i++) {
		char name[64], sql[128];

		snprintf(name, sizeof(name), "search_path=%s", certain[i][0]);
		snprintf(sql, sizeof(sql), "BEGIN;SET search_path TO %s;COMMIT", certain[i][1]);
		assert_sql(NULL, make(name, NULL), sql);
	}
	for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++) {
		struct buf sql = { 0 };

		assert_false(state_list_put(doubtful[i], &sql));
		assert_int_equal(sql.size, 0);
		buf_fini(&sql);
	}
}

static void many_settings_are_split_over_several_selects(void **unused)
{
	struct state_builder builder = { 0 };
	struct buf sql = { 0 };
	size_t selects = 0, calls = 0;

	(void)unused;
	for (int i = 0; i < 130; i++) {
		char name[16];

		snprintf(name, sizeof(name), "app.s%d", i);
		state_builder_set(&builder, name, "\xc3\xa4");
	}
	struct state *many = state_builder_finish(&builder);

	state_difference(NULL, many, &sql);
	buf_append_char(&sql, '\0');
	for (const char *at = sql.bytes; (at = strstr(at, ";SELECT ")); at++)
		selects++;
	for (const char *at = sql.bytes; (at = strstr(at, "set_config(")); at++)
		calls++;
	assert_int_equal(selects, 3);
	assert_int_equal(calls, 130);
	assert_null(strstr(sql.bytes, ",;"));
	buf_fini(&sql);
	state_unref(&many);
}

static void startup_only_parameters_are_known(void **unused)
{
	(void)unused;
	assert_true(state_is_startup_only("Log_Connections"));
	assert_true(state_is_startup_only("session_preload_libraries"));
	assert_false(state_is_startup_only("work_mem"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_settings_are_the_same_pointer),
		cmocka_unit_test(the_empty_set_is_null),
		cmocka_unit_test(names_and_values_do_not_run_into_each_other),
		cmocka_unit_test(a_later_value_replaces_an_earlier_one),
		cmocka_unit_test(sets_die_and_are_found_on_several_threads_at_once),
		cmocka_unit_test(no_difference_is_no_sql),
		cmocka_unit_test(statements_are_prepared_and_deallocated_one_by_one),
		cmocka_unit_test(what_is_gone_is_reset_and_what_is_new_is_set),
		cmocka_unit_test(role_comes_last_and_again_after_session_authorization),
		cmocka_unit_test(other_settings_are_changed_under_the_login_role),
		cmocka_unit_test(names_are_quoted_part_by_part_where_they_must_be),
		cmocka_unit_test(values_cannot_break_out_of_their_quotes),
		cmocka_unit_test(text_beyond_ascii_travels_as_digits_after_its_encoding),
		cmocka_unit_test(lists_are_set_as_they_are_written),
		cmocka_unit_test(many_settings_are_split_over_several_selects),
		cmocka_unit_test(startup_only_parameters_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
