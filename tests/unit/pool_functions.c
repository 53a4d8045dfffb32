/* Lists of functions that may leave state behind: who is on them, and how long they hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgweir/functions.h"
#include "pgweir/mem.h"

struct row {
	const char *name, *kind, *used, *body;
};

static struct functions *list_of(const struct row *rows, size_t count)
{
	struct functions_home *home = functions_home_get("app@server:5432");
	struct functions_builder *builder = functions_builder_new(home);

	for (size_t i = 0; i < count; i++)
		functions_builder_row(builder, rows[i].name, rows[i].kind, rows[i].used, rows[i].body);
	functions_publish(&builder, false, 1000);
	assert_null(builder);
	return functions_current(home);
}
#define LIST(rows) list_of(rows, ARRAY_LEN(rows))

static uint32_t flags(const struct functions *functions, const char *name)
{
	const struct functions_mark *mark = functions_find(functions, name, strlen(name));

	return mark ? mark->flags : 0;
}

static int clean_up(void **unused)
{
	(void)unused;
	functions_homes_free();
	return 0;
}

static void callers_leave_what_the_called_leave(void **unused)
{
	static const struct row rows[] = {
		{ "outer", "b", "", "SELECT middle()" },
		{ "middle", "b", "", "BEGIN PERFORM inner(1), outer(); END" },
		{ "inner", "b", "", "BEGIN PERFORM set_config('app.a', 'x', false), setseed(0); END" },
		{ "innocent", "b", "", "BEGIN PERFORM lower('inner()'); END" },
	};
	struct functions *functions = LIST(rows);

	(void)unused;
	assert_int_equal(flags(functions, "outer"), FUNCTIONS_LEAVE | FUNCTIONS_SEED);
	assert_non_null(state_get(functions_find(functions, "outer", 5)->custom, "app.a"));
	assert_int_equal(flags(functions, "innocent"), 0);
	assert_int_equal(functions->on_write.flags | functions->on_read.flags | functions->on_ddl.flags, 0);
	functions_unref(&functions);
}

/* They are in every database, and a text that nobody could read would keep its connection for good everywhere. */
static void what_postgresqls_own_leave_is_theirs_and_their_callers(void **unused)
{
	static const struct row rows[] = {
		{ "innocent", "b", "", "BEGIN PERFORM lower('x'); END" },
	};
	static const struct row callers[] = {
		{ "archive", "b", "", "BEGIN PERFORM pg_backup_start('x'); END" },
	};
	struct functions *functions = LIST(rows);

	(void)unused;
	assert_int_equal(flags(functions, "pg_backup_start"), FUNCTIONS_LEAVE | FUNCTIONS_REMAIN);
	assert_int_equal(functions->any.flags & FUNCTIONS_REMAIN, 0);
	functions_unref(&functions);
	functions = LIST(callers);
	assert_int_equal(flags(functions, "archive"), FUNCTIONS_LEAVE | FUNCTIONS_REMAIN);
	assert_int_equal(functions->any.flags & FUNCTIONS_REMAIN, FUNCTIONS_REMAIN);
	functions_unref(&functions);
}

static void overloads_of_a_name_are_one(void **unused)
{
	static const struct row rows[] = {
		{ "f", "b", "", "SELECT 1" },
		{ "f", "b", "", "BEGIN RESET ALL; END" },
		{ "f", "b", "", "SELECT 2" },
	};
	struct functions *functions = LIST(rows);

	(void)unused;
	assert_int_equal(flags(functions, "f"), FUNCTIONS_LEAVE);
	functions_unref(&functions);
}

/* A function that only inserts leaves what the trigger of its table does, and so do its callers. */
static void what_writes_leaves_what_triggers_do(void **unused)
{
	static const struct row rows[] = {
		{ "calls", "b", "", "SELECT inserts()" },
		{ "inserts", "b", "", "INSERT INTO t VALUES (1)" },
		{ "reads", "b", "", "SELECT count(*) FROM t" },
		{ "trigger_function", "b", "w", "BEGIN PERFORM pg_advisory_lock(1); RETURN new; END" },
	};
	struct functions *functions = LIST(rows);

	(void)unused;
	assert_true(flags(functions, "calls") & FUNCTIONS_LEAVE);
	assert_true(flags(functions, "inserts") & FUNCTIONS_LEAVE);
	assert_int_equal(flags(functions, "reads"), 0);
	assert_true(functions->on_write.flags & FUNCTIONS_LEAVE);
	functions_unref(&functions);
}

static void what_runs_ddl_leaves_what_event_triggers_do(void **unused)
{
	static const struct row rows[] = {
		{ "calls", "b", "", "SELECT makes()" },
		{ "makes", "b", "", "BEGIN CREATE TABLE t (); END" },
		{ "reads", "b", "", "SELECT count(*) FROM t" },
		{ "trigger_function", "b", "d", "BEGIN SET app.tenant = 1; END" },
	};
	struct functions *functions = LIST(rows);

	(void)unused;
	assert_true(flags(functions, "calls") & FUNCTIONS_LEAVE);
	assert_true(flags(functions, "makes") & FUNCTIONS_LEAVE);
	assert_non_null(state_get(functions_find(functions, "calls", 5)->custom, "app.tenant"));
	assert_int_equal(flags(functions, "reads"), 0);
	functions_unref(&functions);
}

static void triggers_that_leave_nothing_make_no_write_doubtful(void **unused)
{
	static const struct row rows[] = {
		{ "inserts", "b", "", "INSERT INTO t VALUES (1)" },
		{ "trigger_function", "b", "w", "BEGIN INSERT INTO log VALUES (1); RETURN new; END" },
	};
	struct functions *functions = LIST(rows);

	(void)unused;
	assert_int_equal(functions->on_write.flags, 0);
	assert_null(functions_find(functions, "inserts", strlen("inserts")));
	assert_null(functions_find(functions, "trigger_function", strlen("trigger_function")));
	functions_unref(&functions);
}

static void what_cannot_be_read_may_leave_anything(void **unused)
{
	static const struct row rows[] = {
		{ "in_python", "h", "r", "SET LOCAL app.own = 1; " },
		{ "dblink_connect", "r", "d", "" },
	};
	struct functions *functions = LIST(rows);

	(void)unused;
	assert_true(flags(functions, "in_python") & FUNCTIONS_HIDE);
	assert_non_null(state_get(functions_find(functions, "in_python", 9)->custom, "app.own"));
	assert_true(flags(functions, "dblink_connect") & FUNCTIONS_REMAIN);
	assert_true(flags(functions, "query_to_xml") & FUNCTIONS_HIDE);
	assert_true(functions->on_read.flags & FUNCTIONS_HIDE);
	assert_true(functions->on_ddl.flags & FUNCTIONS_REMAIN);
	functions_unref(&functions);
}

static void a_list_that_failed_doubts_every_name(void **unused)
{
	struct functions_home *home = functions_home_get("other@server:5432");
	struct functions_builder *builder = functions_builder_new(home);

	(void)unused;
	functions_publish(&builder, true, 1000);
	struct functions *functions = functions_current(home);

	assert_true(flags(functions, "anything") & FUNCTIONS_LEAVE);
	assert_true(functions->on_write.flags & FUNCTIONS_LEAVE);
	functions_unref(&functions);
}

static void a_list_that_failed_does_not_replace_a_good_one(void **unused)
{
	static const struct row rows[] = { { "f", "b", "", "SELECT 1" } };
	struct functions *functions = LIST(rows);
	struct functions_home *home = functions_home_get("app@server:5432");
	struct functions_builder *builder = functions_builder_new(home);

	(void)unused;
	functions_unref(&functions);
	functions_publish(&builder, true, 2000);
	functions = functions_current(home);
	assert_false(functions->failed);
	functions_unref(&functions);
	/* After DDL it is better than one that is out of date. */
	atomic_fetch_add(&home->epoch, 1);
	builder = functions_builder_new(home);
	functions_publish(&builder, true, 3000);
	functions = functions_current(home);
	assert_true(functions->failed);
	functions_unref(&functions);
}

static void one_of_many_renews_a_list_that_has_aged(void **unused)
{
	static const struct row rows[] = { { "f", "b", "", "SELECT 1" } };
	struct functions *functions = LIST(rows);
	struct functions_home *home = functions_home_get("app@server:5432");

	(void)unused;
	assert_false(functions_refresh_is_mine(home, functions, functions->refresh_us - 1));
	assert_true(functions_refresh_is_mine(home, functions, functions->refresh_us));
	assert_false(functions_refresh_is_mine(home, functions, functions->refresh_us + 1));
	/* Who set out has not come back. */
	assert_true(functions_refresh_is_mine(home, functions, functions->refresh_us + 60 * 1000 * 1000));
	functions_unref(&functions);
}

/* --- Names, for routing --- */

static enum route_function standing(const struct functions *functions, const char *name)
{
	return route_names_function(functions->names, name, strlen(name));
}

static bool is_mentioned(const struct functions *functions, const char *name)
{
	return route_names_has_relation(functions->names, name, strlen(name));
}

static void names_come_behind_the_functions(void **unused)
{
	static const struct row rows[] = {
		{ "locks", "b", "", "BEGIN PERFORM pg_advisory_lock(1); END" },
		{ "hides", "h", "", "" },
		{ "", "e", "", "" },
		{ "", "s", "", "abs\nlocks\nhides\nlower\ntwo words" },
		{ "", "u", "", "strikes\nlower" },
		{ "v", "m", "", "" },
		{ "+!+", "o", "", "" },
	};
	struct functions *functions = LIST(rows);

	(void)unused;
	assert_int_equal(standing(functions, "abs"), ROUTE_FUNCTION_SAFE);
	assert_int_equal(standing(functions, "two words"), ROUTE_FUNCTION_SAFE);
	assert_int_equal(standing(functions, "strikes"), ROUTE_FUNCTION_UNSAFE);
	assert_int_equal(standing(functions, "nobody"), ROUTE_FUNCTION_UNKNOWN);
	/* The catalog calls it stable, and its body says what it does. One that cannot be read is what the catalog says. */
	assert_int_equal(standing(functions, "locks"), ROUTE_FUNCTION_UNSAFE);
	assert_int_equal(standing(functions, "hides"), ROUTE_FUNCTION_SAFE);
	assert_true(is_mentioned(functions, "v"));
	/* The scanner says nothing of calls of lower, so that a mention must do. */
	assert_true(is_mentioned(functions, "lower"));
	assert_false(is_mentioned(functions, "strikes"));
	assert_true(route_names_text_has_operator(functions->names, "1+!+2", 5));
	assert_false(route_names_unsafe_everywhere(functions->names));
	functions_unref(&functions);
}

/* Nothing is asked for that nobody wants; and what has been asked for and not been answered is not asked for at once. */
static void names_that_fail_cost_only_the_names(void **unused)
{
	struct functions_home *home = functions_home_get("app@server:5432");
	struct functions_builder *builder = functions_builder_new(home);
	char *without = functions_builder_question(builder);

	(void)unused;
	assert_ptr_equal(functions_home_find("app@server:5432"), home);
	assert_null(functions_home_find("app@server:5433"));
	functions_builder_free(&builder);
	atomic_store(&home->names_wanted, true);
	builder = functions_builder_new(home);
	char *with = functions_builder_question(builder);

	assert_true(strlen(with) > strlen(without) && strncmp(with, without, strlen(without)) == 0);
	functions_builder_row(builder, "f", "b", "", "BEGIN RESET ALL; END");
	functions_builder_row(builder, "", "e", "", "");
	functions_builder_row(builder, "", "s", "", "abs");
	functions_publish(&builder, true, 1000);
	struct functions *functions = functions_current(home);

	assert_false(functions->failed);
	assert_int_equal(flags(functions, "f"), FUNCTIONS_LEAVE);
	assert_true(functions->names_asked);
	assert_null(functions->names);
	functions_unref(&functions);
	mem_free(with);
	mem_free(without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(callers_leave_what_the_called_leave, clean_up),
		cmocka_unit_test_teardown(what_postgresqls_own_leave_is_theirs_and_their_callers, clean_up),
		cmocka_unit_test_teardown(overloads_of_a_name_are_one, clean_up),
		cmocka_unit_test_teardown(what_writes_leaves_what_triggers_do, clean_up),
		cmocka_unit_test_teardown(what_runs_ddl_leaves_what_event_triggers_do, clean_up),
		cmocka_unit_test_teardown(triggers_that_leave_nothing_make_no_write_doubtful, clean_up),
		cmocka_unit_test_teardown(what_cannot_be_read_may_leave_anything, clean_up),
		cmocka_unit_test_teardown(a_list_that_failed_doubts_every_name, clean_up),
		cmocka_unit_test_teardown(a_list_that_failed_does_not_replace_a_good_one, clean_up),
		cmocka_unit_test_teardown(one_of_many_renews_a_list_that_has_aged, clean_up),
		cmocka_unit_test_teardown(names_come_behind_the_functions, clean_up),
		cmocka_unit_test_teardown(names_that_fail_cost_only_the_names, clean_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
