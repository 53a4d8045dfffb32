/* Where strings, comments, names and statements end, and what is a call. */
#include "scan_fixture.h"

#define SET (SCAN_WRITES | SCAN_SETS)

/* In each row the SET is the text's own, or hidden; PostgreSQL decides. */
static void strings_end_where_postgresql_ends_them(void **unused)
{
	static const struct scan_row rows[] = {
		{ "select ''';set x=1'", 0, NULL, 0 },
		{ "select '\\';set x=1", SET, NULL, 0 },
		{ "select '\\'';set x=1", SCAN_UNKNOWN, NULL, 0 },
		{ "select '\\'';set x=1", SET, NULL, SCAN_BACKSLASH_STRINGS },
		{ "select e'\\'';set x=1", SET, NULL, 0 },
		{ "select E'\\\\';set x=1", SET, NULL, 0 },
		{ "select E'\\\\\\'';set x=1", SET, NULL, 0 },
		{ "select E'a'\n 'b\\'';set x=1", SET, NULL, 0 },
		{ "select E'a' -- '\n\t'b\\'';set x=1", SET, NULL, 0 },
		{ "select 'a'\n'b\\';set x=1", SET, NULL, 0 },
		{ "select E'a', \n'b\\';set x=1", SET, NULL, 0 },
		{ "select typeE'\\';set x=1", SET, NULL, 0 },
		{ "select 1E'\\'';set x=1", SET, NULL, 0 },
		{ "select $1E'\\'';set x=1", SET, NULL, 0 },
		{ "select b'1', X'1f', n'x', B'\\';set x=1", SET, NULL, 0 },
		{ "select B'\\';set x=1", SET, NULL, SCAN_BACKSLASH_STRINGS },
		{ "select N'\\'';set x=1", SET, NULL, SCAN_BACKSLASH_STRINGS },
		{ "select u&'\\';set x=1", SET | SCAN_TIME_LITERAL, NULL, 0 },
		{ "select u&setseed from t", SCAN_SEEDS, NULL, 0 },
		{ "select u& 'a;set x=1'", 0, NULL, 0 },
		{ "select $$';set x=1$$", 0, NULL, 0 },
		{ "select $a$ $$ $b$ $a $a1$ ;set x=1; $a$", 0, NULL, 0 },
		{ "select $a$ $$a$;set x=1", SET, NULL, 0 },
		{ "select $$ $a$$;set x=1", SET, NULL, 0 },
		{ "select $A$ $a$;set x=1; $A$", 0, NULL, 0 },
		{ "select a$a$;set x=1; select b$a$", SET, NULL, 0 },
		{ "select $1;set x=1; select $2", SET, NULL, 0 },
		{ "select \"a\"\"';\";set x=1", SET, NULL, 0 },
		{ "select \"a'\" ;set x=1", SET, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void comments_end_where_postgresql_ends_them(void **unused)
{
	static const struct scan_row rows[] = {
		{ "select 1 --;set x=1", 0, NULL, 0 },
		{ "select 1 --\r;set x=1", SET, NULL, 0 },
		{ "/* a /* b */ ; set x=1; */ select 1", 0, NULL, 0 },
		{ "/*/ ; set x=1; /*/ */*/ select 1", 0, NULL, 0 },
		{ "/* * / **/;set x=1", SET, NULL, 0 },
		{ "/***//****/set x=1", SET, NULL, 0 },
		{ "/*//**/*/set x=1", SET, NULL, 0 },
		{ "select 1 +--';\n2;set x=1", SET, NULL, 0 },
		{ "select 1 */*'*/ 2;set x=1", SET, NULL, 0 },
		{ "select 1 //* ; set x=1 */ 2", 0, NULL, 0 },
		{ "select 1 - - 2 / 3 ;set x=1", SET, NULL, 0 },
		{ "set/*--*/x=1", SET, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void what_does_not_end_is_unknown(void **unused)
{
	static const struct scan_row rows[] = {
		{ "select 'a", SCAN_UNKNOWN, NULL, 0 },
		{ "select E'a\\", SCAN_UNKNOWN, NULL, 0 },
		{ "select \"a", SCAN_UNKNOWN, NULL, 0 },
		{ "select /* a", SCAN_UNKNOWN, NULL, 0 },
		{ "select /* a /* b */ *", SCAN_UNKNOWN, NULL, 0 },
		{ "select $a$ b $a", SCAN_UNKNOWN, NULL, 0 },
		{ "select $a", SCAN_UNKNOWN, NULL, 0 },
		{ "select $ 1", SCAN_UNKNOWN, NULL, 0 },
		{ "select (1", SCAN_UNKNOWN, NULL, 0 },
		{ "select $a23456789012345678901234567890123456789012345678901234567890123$", SCAN_UNKNOWN, NULL, 0 },
		{ "select u&\"a\"", SCAN_UNKNOWN, NULL, 0 },
		{ "create function f() returns int begin atomic select 1;", SCAN_WRITES | SCAN_CALLS | SCAN_UNKNOWN, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void statements_end_at_semicolons_of_their_own(void **unused)
{
	static const struct scan_row rows[] = {
		{ "create rule r as on insert to t do also (select 1; notify x; delete from t)", SCAN_WRITES, NULL, 0 },
		{ "create function now() returns int begin atomic select 1; select case when true then 1 end; end", SCAN_WRITES, NULL, 0 },
		{ "create procedure now() begin atomic end; set x=1", SET, NULL, 0 },
		{ "create or replace procedure now() begin atomic end; set x=1", SET, NULL, 0 },
		{ "create function now(begin atomic) returns int language sql; set x=1", SET, NULL, 0 },
		{ "create function now() returns begin language sql; set x=1", SET, NULL, 0 },
		{ "create table t (a int); begin; set x=1", SET | SCAN_BEGINS, NULL, 0 },
		{ "select 1);set x=1", SET, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
	assert_int_equal(scan_every_way(";select 1;;values (2) ;", 23, 0).statements, 2);
	assert_int_equal(scan_every_way("create procedure now() begin atomic select 1; end; end", 54, 0).statements, 2);
	assert_int_equal(scan_every_way(" -- nothing", 11, 0).statements, 0);
}

static void bytes_that_may_be_half_a_character_are_not_judged(void **unused)
{
	static const struct scan_row rows[] = {
		{ "select '\x83\\';set x=1", SCAN_UNKNOWN, NULL, SCAN_AMBIGUOUS_BYTES },
		{ "set x=1; -- \x83", SET | SCAN_UNKNOWN, NULL, SCAN_AMBIGUOUS_BYTES },
		{ "select 'a'", 0, NULL, SCAN_AMBIGUOUS_BYTES },
		/* A word before one that is cut lies in a piece that is gone. */
		{ "select insert t\x83 (a", SCAN_WRITES | SCAN_UNKNOWN, NULL, SCAN_AMBIGUOUS_BYTES },
		{ "select f $a (1)", SCAN_UNKNOWN, NULL, 0 },
		{ "select 'ä', \"ö\", ü;set x=1", SET, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

struct call {
	const char *text, *calls;
};

static void calls_are_told_by_their_parenthesis(void **unused)
{
	static const struct call rows[] = {
		{ "select f(1), s.G (2), \"H\"(3), now(), count(*) filter (where a) over (order by b)", "f g H " },
		{ "select pg_catalog.count(*), s.count(*), \"count\"(*), \"Count\"(*)", "count Count " },
		{ "select f /* */ -- (\n (1) from g", "f " },
		{ "select a from t where b in (1) and (c or not (d)) and exists (select 1) and e = any ($1)", "" },
		{ "insert into t (a, b) values (1, f(2)) on conflict (a) do update set b = excluded.b", "f " },
		{ "insert into s.\"t\" (a) select coalesce(a, b) from g() as x (y, z)", "g " },
		{ "with recursive t (a) as (select 1) select a::numeric(1,2), cast(a as varchar(3)) from t group by (a)", "" },
		{ "select a join(select 1) on a like('x') and b ilike (f()) or not c", "f " },
		{ "select join(1), distinct_on(2)", "join distinct_on " },
		{ "select distinct on (a) over(1) from t", "over " },
		{ "select distinct on (a) f(1) from t", "f " },
		{ "select f from g(1) t(a, b) join (values (1)) \"T\" (c) on true", "g " },
		{ "select a operator(s.+) f(1), b operator(s.+) join(1), c operator(+) over(1)", "operator f operator join operator over " },
		{ "select 1 from a join b on conflict(1)", "conflict " },
		{ "select query_to_xml('set x=1', true, true, '')", "query_to_xml " },
		{ "call p(1)", "p " },
		{ "select t.f, values.x, f from t where a <(1)", "" },
		{ "select f23456789012345678901234567890123456789012345678901234567890123456789(1)",
			"f23456789012345678901234567890123456789012345678901234567890123 " },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scanned scanned = scan_every_way(rows[i].text, strlen(rows[i].text), 0);

		if (strcmp(scanned.calls, rows[i].calls) != 0)
			fail_msg("\"%s\": calls \"%s\", not \"%s\"", rows[i].text, scanned.calls, rows[i].calls);
		assert_int_equal((scanned.effects & SCAN_CALLS) != 0, rows[i].calls[0] != '\0');
	}
}

/* Wherever they stand, and whatever else they are. */
static void all_names_are_told_that_the_filter_has(void **unused)
{
	static const char other[] = "select a from some_views, SOME_VIEW, \"Some_View\", some";
	static const char text[] = "select \"A \"\"b\", s.T, f(v) from now as set where 'x' = $1 -- y\n";
	struct scanned scanned = scan_every_way(text, strlen(text), 0);
	struct scan_filter filter = { 0 };
	struct scan scan;

	(void)unused;
	assert_string_equal(scanned.mentions, "select A \"b s t f v from now as set where ");
	/* Names of other sizes or letters are not in it, as far as this can be told. */
	scan_filter_add(&filter, "some_view", 9);
	scanned = (struct scanned){ 0 };
	scan_begin(&scan, 0);
	scan.filter = &filter;
	scan.mentioned = scan_note_mention;
	scan.called_arg = &scanned;
	scan_feed(&scan, other, strlen(other));
	scan_end(&scan);
	assert_non_null(strstr(scanned.mentions, "some_view "));
	assert_null(strstr(scanned.mentions, "some_views "));
}

static void facts_are_told_of_statements(void **unused)
{
	static const struct {
		const char *text;
		uint32_t facts;
	} rows[] = {
		{ "select 1; show a", SCAN_SHOWS }, { "fetch a", SCAN_FETCHES }, { "move a", SCAN_FETCHES }, { "select show, fetch from a", 0 },
		{ "select 1 for update", SCAN_LOCKS_ROWS }, { "select 1 for no key update of t", SCAN_LOCKS_ROWS }, { "update t set a = 1", 0 },
		{ "select 1 for key share", SCAN_LOCKS_ROWS }, { "select share, key from t", 0 }, { "select substring(a for 1)", 0 },
		{ "select a23456789012345678901234567890123456789012345678901234567890123", 0 },
		{ "select a234567890123456789012345678901234567890123456789012345678901234", SCAN_LONG_NAMES },
		{ "select \"a234567890123456789012345678901234567890123456789012345678901234\"", SCAN_LONG_NAMES },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t facts = scan_every_way(rows[i].text, strlen(rows[i].text), 0).facts;

		if (facts != rows[i].facts)
			fail_msg("\"%s\": facts %x, not %x", rows[i].text, facts, rows[i].facts);
	}
}

/* Behind what begins it, also where that is cut. */
static void the_first_comment_is_told(void **unused)
{
	struct scan scan;
	static const char text[] = "select 1 - 2 / 3 '--', /* a */ -- b\n";

	(void)unused;
	for (size_t cut = 1; cut < sizeof(text); cut++) {
		scan_begin(&scan, 0);
		scan_feed(&scan, text, cut);
		scan_feed(&scan, text + cut, strlen(text) - cut);
		scan_end(&scan);
		assert_string_equal(scan.comment, " a */ -- b\n");
	}
	scan_begin(&scan, 0);
	scan_feed(&scan, "select 1 - /", 12);
	assert_null(scan.comment);
}

/* At every distance from the start of a block, for what is skipped in blocks. */
static void words_and_ends_are_found_at_any_distance(void **unused)
{
	(void)unused;
	for (int blanks = 0; blanks < 40; blanks++) {
		char *text = mem_printf("select '%*s now', setseed%*s('%*s');set x=1", blanks, "", blanks, "", blanks, "");
		char *third = mem_printf("select set_config%*s(%*s'A.B%0*d'%*s,%*s'',true%*s)", blanks, "", blanks, "", blanks, 0, blanks, "",
			blanks, "", blanks, "");
		char *other = mem_printf("%*sselect $a$%*stomorrow $a $a$, a%0*d(1)", blanks, "", blanks, "", blanks, 0);

		assert_int_equal(scan_every_way(text, strlen(text), 0).effects, SET | SCAN_SEEDS | SCAN_TIME_LITERAL);
		assert_int_equal(scan_every_way(other, strlen(other), 0).effects, SCAN_CALLS | SCAN_TIME_LITERAL);
		assert_int_equal(scan_every_way(third, strlen(third), 0).effects, SCAN_CALLS_SET_CONFIG | SCAN_SETS_LOCAL | SCAN_SETS_CUSTOM);
		mem_free(text);
		mem_free(third);
		mem_free(other);
	}
}

static void a_nul_is_a_blank(void **unused)
{
	(void)unused;
	assert_int_equal(scan_every_way("set\0x=1\0", 8, 0).effects, SET);
	assert_int_equal(scan_text("set x=1", 8, 0, NULL), SET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_end_where_postgresql_ends_them),
		cmocka_unit_test(comments_end_where_postgresql_ends_them),
		cmocka_unit_test(what_does_not_end_is_unknown),
		cmocka_unit_test(statements_end_at_semicolons_of_their_own),
		cmocka_unit_test(bytes_that_may_be_half_a_character_are_not_judged),
		cmocka_unit_test(calls_are_told_by_their_parenthesis),
		cmocka_unit_test(all_names_are_told_that_the_filter_has),
		cmocka_unit_test(facts_are_told_of_statements),
		cmocka_unit_test(the_first_comment_is_told),
		cmocka_unit_test(words_and_ends_are_found_at_any_distance),
		cmocka_unit_test(a_nul_is_a_blank),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
