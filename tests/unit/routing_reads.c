/* Which texts a replica may serve. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/reads.h"

static struct route_names *names;

static void add_function(const char *name, bool safe)
{
	route_names_add_function(names, name, strlen(name), safe);
}

static void add_relation(const char *name)
{
	route_names_add_relation(names, name, strlen(name));
}

static int set_up(void **unused)
{
	(void)unused;
	names = route_names_new();
	add_function("abs", true);
	add_function("safe_one", true);
	add_function("Quoted", true);
	add_function("strikes", false);
	add_function("both_ways", true);
	add_function("both_ways", false);
	add_function("current_setting", false);
	add_relation("pg_locks");
	add_relation("bad_view");
	add_relation("Bad View");
	route_names_add_operator(names, "+!+", 3);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	route_names_free(&names);
	return 0;
}

static char culprit[SCAN_WORD_MAX + 1];

/* In memory of exactly its size. */
static enum route_reason judge_by(const char *text, const struct route_names *by, unsigned flags)
{
	size_t size = strlen(text);
	char *exact = mem_dup(text, size);
	enum route_reason reason = reads_judge(&(struct reads_question){ exact, size, flags, by, culprit });

	mem_free(exact);
	return reason;
}

struct example {
	const char *text;
	enum route_reason reason;
};

static void check_all(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum route_reason reason = judge_by(examples[i].text, names, 0);

		if (reason != examples[i].reason)
			fail_msg("%s: %s, not %s", examples[i].text, route_reason_word(reason), route_reason_word(examples[i].reason));
	}
}
#define CHECK_ALL(...) \
	check_all((const struct example[]){ __VA_ARGS__ }, sizeof((const struct example[]){ __VA_ARGS__ }) / sizeof(struct example))

static void plain_reads_are_reads(void **unused)
{
	(void)unused;
	CHECK_ALL(
		{ "SELECT 1", ROUTE_READ }, { "select * from t where a = $1;", ROUTE_READ }, { "VALUES (1), (2)", ROUTE_READ },
		{ "TABLE t", ROUTE_READ }, { "(SELECT 1) UNION (SELECT 2)", ROUTE_READ },
		{ "WITH x AS (SELECT 1) SELECT * FROM x", ROUTE_READ }, { "EXPLAIN (ANALYZE) SELECT 1", ROUTE_READ },
		{ "SELECT 1; SELECT 2", ROUTE_READ }, { "SELECT abs(-1), count(*), now(), safe_one(x), s.safe_one(y) FROM t", ROUTE_READ },
		{ "SELECT 'INSERT INTO t', \"update\" FROM \"delete\" -- FOR UPDATE\n", ROUTE_READ },
		{ "SELECT random(), clock_timestamp(), gen_random_uuid()", ROUTE_READ },
		{ "WITH x (a) AS NOT MATERIALIZED (SELECT 1) SELECT * FROM x FETCH FIRST ($1) ROWS ONLY", ROUTE_READ },
		{ "SELECT a FROM t TABLESAMPLE system (1) REPEATABLE (2), JSON_TABLE(b, '$' COLUMNS (c int)) j", ROUTE_READ },
		{ "SELECT a::numeric(10, 2), extract(year FROM b), coalesce(c, d), x.y FROM unnest($1) WITH ORDINALITY x(y, z)", ROUTE_UNKNOWN_FUNCTION },
		{ "SELECT g FROM generate_series(1, 2) g(i) JOIN (VALUES (1)) v (a) ON a = i", ROUTE_READ });
}

static void whatever_writes_is_for_the_primary(void **unused)
{
	(void)unused;
	CHECK_ALL(
		{ "INSERT INTO t VALUES (1)", ROUTE_WRITES }, { "update t set a = 1", ROUTE_WRITES },
		{ "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", ROUTE_WRITES }, { "SELECT 1 INTO t", ROUTE_WRITES },
		{ "EXPLAIN ANALYZE INSERT INTO t VALUES (1)", ROUTE_WRITES }, { "SELECT 1; DROP TABLE t", ROUTE_WRITES },
		{ "TRUNCATE t", ROUTE_WRITES }, { "VACUUM", ROUTE_WRITES }, { "COPY t FROM STDIN", ROUTE_WRITES },
		{ "MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", ROUTE_WRITES }, { "CREATE TABLE t (a int)", ROUTE_WRITES },
		{ "REFRESH MATERIALIZED VIEW m", ROUTE_WRITES }, { "COPY (SELECT 1) TO STDOUT", ROUTE_WRITES });
}

static void each_reason_has_its_texts(void **unused)
{
	(void)unused;
	CHECK_ALL(
		{ "SELECT * FROM t FOR UPDATE", ROUTE_LOCKS_ROWS }, { "SELECT * FROM t FOR NO KEY UPDATE SKIP LOCKED", ROUTE_LOCKS_ROWS },
		{ "SELECT * FROM t FOR KEY SHARE", ROUTE_LOCKS_ROWS }, { "BEGIN", ROUTE_TRANSACTION },
		{ "BEGIN; SELECT 1; COMMIT", ROUTE_TRANSACTION }, { "SAVEPOINT a", ROUTE_TRANSACTION }, { "SET a = 1", ROUTE_SESSION },
		{ "SELECT set_config('a.b', 'c', true)", ROUTE_SESSION }, { "PREPARE a AS SELECT 1", ROUTE_SESSION },
		{ "CREATE TEMP TABLE t (a int)", ROUTE_SESSION }, { "EXECUTE a", ROUTE_EXECUTE }, { "EXPLAIN EXECUTE a", ROUTE_EXECUTE },
		{ "SELECT pg_advisory_lock(1)", ROUTE_ADVISORY_LOCK }, { "SELECT nextval('s')", ROUTE_SEQUENCE },
		{ "SELECT lastval()", ROUTE_SEQUENCE }, { "LISTEN a", ROUTE_NOTIFICATION }, { "SELECT pg_notify('a', '')", ROUTE_NOTIFICATION },
		{ "DO $$ BEGIN END $$", ROUTE_CODE }, { "CALL p()", ROUTE_CODE }, { "FETCH ALL FROM c", ROUTE_CURSOR },
		{ "MOVE 1 FROM c", ROUTE_CURSOR }, { "CLOSE c", ROUTE_CURSOR }, { "SHOW a", ROUTE_SHOW }, { "SELECT 1; SHOW ALL", ROUTE_SHOW },
		{ "", ROUTE_EMPTY }, { " ; /* a */ ;", ROUTE_EMPTY }, { "SELECT 'a", ROUTE_UNKNOWN_TEXT }, { "SELECT 1 + (2", ROUTE_UNKNOWN_TEXT },
		{ "SELECT * FROM U&\"bad\\005fview\"", ROUTE_UNKNOWN_TEXT });
}

static void functions_are_judged_by_name(void **unused)
{
	(void)unused;
	CHECK_ALL(
		{ "SELECT strikes()", ROUTE_VOLATILE_FUNCTION }, { "SELECT s.Strikes (1)", ROUTE_VOLATILE_FUNCTION },
		{ "SELECT * FROM \"strikes\"()", ROUTE_VOLATILE_FUNCTION }, { "SELECT both_ways(1)", ROUTE_VOLATILE_FUNCTION },
		{ "SELECT current_setting('a')", ROUTE_VOLATILE_FUNCTION }, { "SELECT nobody_knows(1)", ROUTE_UNKNOWN_FUNCTION },
		{ "SELECT \"Quoted\"()", ROUTE_READ }, { "SELECT quoted()", ROUTE_UNKNOWN_FUNCTION }, { "SELECT strikes FROM t", ROUTE_READ },
		{ "SELECT nobody_knows(1), strikes()", ROUTE_UNKNOWN_FUNCTION });
	assert_string_equal(culprit, "nobody_knows");
	/* One that can be called without parentheses. */
	add_relation("strikes");
	CHECK_ALL({ "SELECT t.strikes FROM t", ROUTE_VOLATILE_FUNCTION });
	assert_string_equal(culprit, "strikes");
}

/* As a relation, as a column's table, in quotes: a mention is enough, and costs a column of that name the replica. */
static void a_relation_counts_wherever_it_is_mentioned(void **unused)
{
	(void)unused;
	CHECK_ALL(
		{ "SELECT * FROM pg_locks", ROUTE_UNSAFE_RELATION }, { "SELECT * FROM s.BAD_VIEW v", ROUTE_UNSAFE_RELATION },
		{ "TABLE bad_view", ROUTE_UNSAFE_RELATION }, { "SELECT * FROM \"Bad View\"", ROUTE_UNSAFE_RELATION },
		{ "SELECT * FROM t, only bad_view", ROUTE_UNSAFE_RELATION }, { "SELECT bad_view FROM t", ROUTE_UNSAFE_RELATION },
		{ "SELECT * FROM \"bad view\"", ROUTE_READ }, { "SELECT 'bad_view' FROM bad_views", ROUTE_READ },
		{ "SELECT * FROM bad_view", ROUTE_UNSAFE_RELATION });
	assert_string_equal(culprit, "bad_view");
	CHECK_ALL({ "SELECT 1", ROUTE_READ });
	assert_string_equal(culprit, "");
}

static void a_long_name_may_be_any_others(void **unused)
{
	char text[256];

	(void)unused;
	snprintf(text, sizeof(text), "SELECT * FROM %064d", 0);
	memset(strchr(text, '0'), 'a', 63);
	CHECK_ALL({ text, ROUTE_UNKNOWN_TEXT });
	snprintf(text, sizeof(text), "SELECT * FROM \"%063d\"", 0);
	CHECK_ALL({ text, ROUTE_READ });
}

static void operators_are_found_as_they_stand(void **unused)
{
	(void)unused;
	CHECK_ALL(
		{ "SELECT a+!+b FROM t", ROUTE_UNSAFE_OPERATOR }, { "SELECT a OPERATOR(public.+!+) b", ROUTE_UNSAFE_OPERATOR },
		{ "SELECT a + b FROM t", ROUTE_READ });
	/* It may be meant by IN, by DISTINCT, by ORDER BY. */
	route_names_add_operator(names, "=", 1);
	CHECK_ALL({ "SELECT a FROM t", ROUTE_UNSAFE_EVERYWHERE }, { "SELECT strikes()", ROUTE_VOLATILE_FUNCTION });
}

static void the_first_comment_may_have_a_hint(void **unused)
{
	(void)unused;
	CHECK_ALL(
		{ "/* pgweir: primary */ SELECT 1", ROUTE_HINT_PRIMARY }, { "SELECT 1 /*pgweir:PRIMARY*/", ROUTE_HINT_PRIMARY },
		{ "--pgweir: primary\nSELECT 1", ROUTE_HINT_PRIMARY }, { "SELECT 1 -- pgweir : primary", ROUTE_HINT_PRIMARY },
		{ "/* pgweir: replica */ SELECT strikes()", ROUTE_HINT_REPLICA }, { "/* pgweir: replica */ SHOW a", ROUTE_HINT_REPLICA },
		{ "/* pgweir: replica */ SELECT * FROM bad_view", ROUTE_HINT_REPLICA },
		{ "/* a */ /* pgweir: primary */ SELECT 1", ROUTE_READ }, { "SELECT '/* pgweir: primary */'", ROUTE_READ },
		{ "/* pgweir: reader */ SELECT 1", ROUTE_HINT_UNKNOWN }, { "/* pgweir: primaries */ SELECT 1", ROUTE_HINT_UNKNOWN },
		{ "/* pgweirs: primary */ SELECT 1", ROUTE_READ }, { "/* pgweir */ SELECT 1", ROUTE_READ },
		{ "SELECT 1 --", ROUTE_READ }, { "SELECT 1 /**/", ROUTE_READ }, { "/* pgweir: primary */ INSERT INTO t", ROUTE_HINT_PRIMARY });
}

/* What certainly writes, and what is tied to the session, a hint does not move. */
static void a_hint_for_a_replica_moves_no_write(void **unused)
{
	(void)unused;
	CHECK_ALL(
		{ "/* pgweir: replica */ INSERT INTO t VALUES (1)", ROUTE_WRITES }, { "/* pgweir: replica */ BEGIN", ROUTE_TRANSACTION },
		{ "/* pgweir: replica */ SELECT 1 FOR SHARE", ROUTE_LOCKS_ROWS }, { "/* pgweir: replica */ SET a = 1", ROUTE_SESSION },
		{ "/* pgweir: replica */ SELECT nextval('s')", ROUTE_SEQUENCE }, { "/* pgweir: replica */ SELECT 'a", ROUTE_UNKNOWN_TEXT });
}

static void without_names_nothing_is_for_a_replica(void **unused)
{
	(void)unused;
	assert_int_equal(judge_by("SELECT 1", NULL, 0), ROUTE_NAMES_NOT_LOADED);
	assert_int_equal(judge_by("INSERT INTO t", NULL, 0), ROUTE_WRITES);
	assert_int_equal(judge_by("/* pgweir: replica */ SELECT 1", NULL, 0), ROUTE_HINT_REPLICA);
}

static void encodings_that_hide_quotes_are_not_guessed_at(void **unused)
{
	(void)unused;
	assert_int_equal(judge_by("SELECT '\x83\x5c'", names, SCAN_AMBIGUOUS_BYTES), ROUTE_UNKNOWN_TEXT);
	assert_int_equal(judge_by("SELECT 'a\\', strikes(), '", names, SCAN_BACKSLASH_STRINGS), ROUTE_READ);
	assert_int_equal(judge_by("SELECT 'a\\', strikes(), '", names, 0), ROUTE_UNKNOWN_TEXT);
}

static void a_long_text_is_not_looked_at(void **unused)
{
	char *text = mem_alloc(READS_TEXT_MAX + 2);

	(void)unused;
	memset(text, ' ', READS_TEXT_MAX + 1);
	memcpy(text, "SELECT 1", 8);
	assert_int_equal(judge_by(text, names, 0), ROUTE_TOO_LONG);
	text[READS_TEXT_MAX] = '\0';
	assert_int_equal(judge_by(text, names, 0), ROUTE_READ);
	mem_free(text);
}

/* Many more than the table has room for at first. */
static void names_are_found_again_when_there_are_many(void **unused)
{
	char name[32];

	(void)unused;
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		add_function(name, i % 3 != 0);
	}
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		assert_int_equal(route_names_function(names, name, strlen(name)), i % 3 ? ROUTE_FUNCTION_SAFE : ROUTE_FUNCTION_UNSAFE);
		assert_false(route_names_has_relation(names, name, strlen(name)));
	}
	assert_int_equal(route_names_function(names, "f20000", 6), ROUTE_FUNCTION_UNKNOWN);
}

static void every_reason_has_a_word_and_an_explanation(void **unused)
{
	(void)unused;
	for (enum route_reason reason = 0; reason < ROUTE_REASONS; reason++) {
		assert_non_null(route_reason_word(reason));
		assert_true(strlen(route_reason_explanation(reason)) > 0);
		assert_int_equal(route_reason_allows_replica(reason), reason == ROUTE_READ || reason == ROUTE_HINT_REPLICA);
		for (enum route_reason other = 0; other < reason; other++)
			assert_string_not_equal(route_reason_word(reason), route_reason_word(other));
	}
}

/* --- Transactions --- */

static void expect_transaction(const char *text, unsigned expected)
{
	size_t size = strlen(text);
	char *exact = mem_dup(text, size);
	unsigned found = reads_transaction(exact, size);

	if (found != expected)
		fail_msg("%s: %x, not %x", text, found, expected);
	mem_free(exact);
}

static void a_beginning_tells_its_modes(void **unused)
{
	(void)unused;
	expect_transaction("BEGIN", READS_BEGINS);
	expect_transaction("begin work;", READS_BEGINS);
	expect_transaction("BEGIN READ ONLY", READS_BEGINS | READS_READ_ONLY);
	expect_transaction("START TRANSACTION READ ONLY ;", READS_BEGINS | READS_READ_ONLY);
	expect_transaction("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", READS_BEGINS | READS_ISOLATION | READS_READ_ONLY);
	expect_transaction("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", READS_BEGINS | READS_ISOLATION | READS_READ_WRITE);
	expect_transaction("BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE",
		READS_BEGINS | READS_SERIALIZABLE | READS_READ_ONLY | READS_DEFERRABLE);
	expect_transaction("BEGIN DEFERRABLE, NOT DEFERRABLE", READS_BEGINS);
	expect_transaction("BEGIN /* READ WRITE */ READ -- a\n ONLY", READS_BEGINS | READS_READ_ONLY);
	expect_transaction("BEGIN READ ONLY, READ WRITE", READS_BEGINS | READS_READ_WRITE);
	/* A carriage return ends a comment, too. */
	expect_transaction("BEGIN READ ONLY --\r, READ WRITE", READS_BEGINS | READS_READ_WRITE);
	expect_transaction("SET TRANSACTION READ ONLY", READS_SETS | READS_READ_ONLY);
	expect_transaction("SET LOCAL TRANSACTION READ WRITE", READS_SETS | READS_READ_WRITE);
	expect_transaction("SET TRANSACTION SNAPSHOT '00000003-1'", READS_SETS | READS_SNAPSHOT);
	expect_transaction("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", READS_SETS_SESSION | READS_READ_ONLY);
}

static void anything_else_tells_nothing(void **unused)
{
	static const char *const texts[] = {
		"", "SELECT 1", "COMMIT", "BEGIN; SELECT 1", "BEGIN READ", "BEGIN READ ONLY,", "BEGIN READ ONLY; INSERT INTO t VALUES (1)",
		"SET a = 1", "SET SESSION a = 1", "START", "BEGIN ISOLATION LEVEL", "\"begin\"", "BEGIN 'read only'", "BEGINREAD ONLY",
		"SET transaction.a = 1", "SET LOCAL a = 1", "BEGIN ISOLATION LEVEL REPEATABLE", "BEGIN NOT READ ONLY",
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		expect_transaction(texts[i], 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(plain_reads_are_reads), TEST(whatever_writes_is_for_the_primary), TEST(each_reason_has_its_texts),
		TEST(functions_are_judged_by_name), TEST(a_relation_counts_wherever_it_is_mentioned), TEST(a_long_name_may_be_any_others),
		TEST(operators_are_found_as_they_stand), TEST(the_first_comment_may_have_a_hint), TEST(a_hint_for_a_replica_moves_no_write),
		TEST(without_names_nothing_is_for_a_replica), TEST(encodings_that_hide_quotes_are_not_guessed_at),
		TEST(a_long_text_is_not_looked_at), TEST(names_are_found_again_when_there_are_many),
		TEST(every_reason_has_a_word_and_an_explanation), TEST(a_beginning_tells_its_modes), TEST(anything_else_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
