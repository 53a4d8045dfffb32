/* What statements do, one row per spelling. */
#include "scan_fixture.h"

#define W SCAN_WRITES

static void settings_are_told_by_their_scope(void **unused)
{
	static const struct scan_row rows[] = {
		{ "set work_mem = 1", W | SCAN_SETS, NULL, 0 },
		{ "SET SESSION work_mem TO '1'", W | SCAN_SETS, NULL, 0 },
		{ " \t\r\nSeT\fTIME\vZONE 'UTC';", W | SCAN_SETS, NULL, 0 },
		{ "SET NAMES 'utf8'", W | SCAN_SETS, NULL, 0 },
		{ "SET ROLE x", W | SCAN_SETS, NULL, 0 },
		{ "SET/**/SESSION--\nAUTHORIZATION DEFAULT", W | SCAN_SETS, NULL, 0 },
		{ "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", W | SCAN_SETS, NULL, 0 },
		{ "RESET ALL", W | SCAN_SETS, NULL, 0 },
		{ "RESET app.x", W | SCAN_SETS | SCAN_SETS_CUSTOM, NULL, 0 },
		{ "set \"a\".\"b\" = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, NULL, 0 },
		{ "set \"a.b\" = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, NULL, 0 },
		{ "set session a.b = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, NULL, 0 },
		{ "set local work_mem = 1", W | SCAN_SETS_LOCAL, NULL, 0 },
		{ "set local a.b = 1", W | SCAN_SETS_LOCAL | SCAN_SETS_CUSTOM, NULL, 0 },
		{ "set local session authorization x", W | SCAN_SETS_LOCAL, NULL, 0 },
		{ "set local x = 1.5", W | SCAN_SETS_LOCAL, NULL, 0 },
		/* A setting may be called so. */
		{ "set local.x = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, NULL, 0 },
		{ "set local = 1", W | SCAN_SETS, NULL, 0 },
		{ "set transaction . x to 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, NULL, 0 },
		{ "set local from current", W | SCAN_SETS, NULL, 0 },
		{ "set transaction from current", W | SCAN_SETS, NULL, 0 },
		{ "set session.x = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, NULL, 0 },
		{ "set constraints to 1", W | SCAN_SETS, NULL, 0 },
		{ "set transaction isolation level serializable", W, NULL, 0 },
		{ "set transaction snapshot 'x'", W, NULL, 0 },
		{ "set constraints all deferred", W, NULL, 0 },
		{ "set seed to 0.5", W | SCAN_SETS | SCAN_SEEDS, NULL, 0 },
		{ "set local \"SEED\" = 0.5", W | SCAN_SETS_LOCAL | SCAN_SEEDS, NULL, 0 },
		{ "select set_config('a', 'b', true)", SCAN_SETS, NULL, 0 },
		{ "select pg_catalog . \"set_config\" ('a', 'b', true)", SCAN_SETS, NULL, 0 },
		{ "select * from Set_Config($1,$2,$3)", SCAN_SETS, NULL, 0 },
		{ "update t set a = 1", W, NULL, 0 },
		{ "select 1 as set", 0, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void prepared_statements_are_named(void **unused)
{
	static const struct scan_row rows[] = {
		{ "PREPARE A AS select 1", W | SCAN_PREPARES, "a", 0 },
		{ "prepare \"A\"\"b\" (int, text) as select 1", W | SCAN_PREPARES, "A\"b", 0 },
		{ "prepare transaction 'x'", W | SCAN_ENDS, NULL, 0 },
		{ "prepare transaction as select 1", W | SCAN_PREPARES, "transaction", 0 },
		{ "prepare transaction(int) as select 1", W | SCAN_PREPARES, "transaction", 0 },
		{ "execute a(1, 'x')", W | SCAN_EXECUTES, "a", 0 },
		{ "explain execute a", W | SCAN_EXECUTES, "a", 0 },
		{ "explain (analyze, costs off) execute a (1)", W | SCAN_EXECUTES, "a", 0 },
		{ "create table t as execute a", W | SCAN_EXECUTES, "a", 0 },
		{ "create table if not exists execute (a) with (x = 1) as execute p(1)", W | SCAN_EXECUTES | SCAN_CALLS, "p", 0 },
		{ "explain analyze create table t as execute p", W | SCAN_EXECUTES, "p", 0 },
		{ "create trigger t after insert on t execute function now()", W, NULL, 0 },
		{ "deallocate a", W | SCAN_DEALLOCATES, "a", 0 },
		{ "deallocate prepare a", W | SCAN_DEALLOCATES, "a", 0 },
		{ "deallocate prepare", W | SCAN_DEALLOCATES, "prepare", 0 },
		{ "deallocate all", W | SCAN_DEALLOCATES, "*", 0 },
		{ "deallocate prepare all", W | SCAN_DEALLOCATES, "*", 0 },
		{ "deallocate \"all\"", W | SCAN_DEALLOCATES, "all", 0 },
		{ "execute a; execute b;; deallocate a", W | SCAN_EXECUTES | SCAN_DEALLOCATES, "a,b,a", 0 },
		{ "execute a;execute b;execute c;execute d;execute e;execute f;execute g;execute h;execute i", W | SCAN_EXECUTES,
			"a,b,c,d,e,f,g,h!", 0 },
		{ "execute a234567890123456789012345678901234567890123456789012345678901234", W | SCAN_EXECUTES, "!", 0 },
		{ "execute a23456789012345678901234567890123456789012345678901234567890123", W | SCAN_EXECUTES,
			"a23456789012345678901234567890123456789012345678901234567890123", 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void what_a_session_keeps_is_told(void **unused)
{
	static const struct scan_row rows[] = {
		{ "listen Foo", W | SCAN_LISTENS, "foo", 0 },
		{ "unlisten foo", W | SCAN_UNLISTENS, "foo", 0 },
		{ "unlisten *", W | SCAN_UNLISTENS, "*", 0 },
		{ "notify a, 'x'", W | SCAN_NOTIFIES, NULL, 0 },
		{ "select pg_notify('a', 'x')", SCAN_NOTIFIES, NULL, 0 },
		{ "declare a cursor with hold for select 1", W | SCAN_HOLDS, NULL, 0 },
		{ "declare \"with\" no scroll cursor with/**/hold for select 1", W | SCAN_HOLDS, NULL, 0 },
		{ "declare a cursor without hold for select 1", W, NULL, 0 },
		{ "declare a cursor for with hold as (select 1) select 1", W, NULL, 0 },
		{ "close a", W | SCAN_CLOSES, "a", 0 },
		{ "close all", W | SCAN_CLOSES, "*", 0 },
		{ "load 'x'", W | SCAN_LOADS, NULL, 0 },
		{ "discard all", W | SCAN_DISCARDS, "*", 0 },
		{ "discard plans", W | SCAN_DISCARDS, "plans", 0 },
		{ "create temp table t (a int)", W | SCAN_TEMPORARY, NULL, 0 },
		{ "create global temporary table t as select 1", W | SCAN_TEMPORARY, NULL, 0 },
		{ "create or replace local temp view v as select 1", W | SCAN_TEMPORARY, NULL, 0 },
		{ "create temporary sequence s", W | SCAN_TEMPORARY, NULL, 0 },
		{ "select 1 into temp t", W | SCAN_TEMPORARY, NULL, 0 },
		{ "select 1 into local temporary table t", W | SCAN_TEMPORARY, NULL, 0 },
		{ "select 1 into t", W, NULL, 0 },
		{ "create table pg_temp.t (a int)", W | SCAN_TEMPORARY, NULL, 0 },
		{ "create table \"pg_temp_12\".t (a int)", W | SCAN_TEMPORARY, NULL, 0 },
		{ "select temp, temporary from t", 0, NULL, 0 },
		{ "drop table t", W | SCAN_DROPS, NULL, 0 },
		{ "drop owned by x", W | SCAN_DROPS, NULL, 0 },
		{ "alter table t set schema s", W | SCAN_DROPS, NULL, 0 },
		{ "alter table t set set schema s", W | SCAN_DROPS, NULL, 0 },
		{ "alter table t add column c int", W, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void functions_with_an_effect_count_where_they_are_mentioned(void **unused)
{
	static const struct scan_row rows[] = {
		{ "select pg_advisory_lock(1)", SCAN_LOCKS, NULL, 0 },
		{ "select PG_TRY_ADVISORY_LOCK_SHARED (1, 2)", SCAN_LOCKS, NULL, 0 },
		{ "select \"pg_try_advisory_lock\"(1)", SCAN_LOCKS, NULL, 0 },
		{ "select pg_advisory_lock_shared/* */ (1)", SCAN_LOCKS, NULL, 0 },
		{ "select pg_advisory_xact_lock(1)", SCAN_CALLS, NULL, 0 },
		{ "select pg_advisory_unlock(1)", SCAN_UNLOCKS, NULL, 0 },
		{ "select pg_advisory_unlock_shared(1)", SCAN_UNLOCKS, NULL, 0 },
		{ "select pg_advisory_unlock_all()", SCAN_UNLOCKS, NULL, 0 },
		{ "select pg_advisory_unlock_ali()", SCAN_CALLS, NULL, 0 },
		{ "select setseed(0.5)", SCAN_SEEDS, NULL, 0 },
		{ "select nextval('s'), setval('s', 1)", SCAN_SEQUENCE_USE, NULL, 0 },
		{ "select currval('s'), lastval()", SCAN_SEQUENCE_ASK, NULL, 0 },
		{ "select 'pg_advisory_lock(1)', $$setseed$$ -- nextval\n/* lastval */", 0, NULL, 0 },
		{ "select s.nextval('s')", SCAN_SEQUENCE_USE | SCAN_CALLS, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void databases_nobody_may_use_are_named(void **unused)
{
	static const struct scan_row rows[] = {
		{ "drop database D", W | SCAN_DROPS | SCAN_NEEDS_IDLE_DATABASE, "d", 0 },
		{ "drop database if exists \"D\" with (force)", W | SCAN_DROPS | SCAN_NEEDS_IDLE_DATABASE, "D", 0 },
		{ "drop database if", W | SCAN_DROPS | SCAN_NEEDS_IDLE_DATABASE, "!", 0 },
		{ "alter database d rename to e", W | SCAN_NEEDS_IDLE_DATABASE, "d", 0 },
		{ "alter database d set tablespace e", W | SCAN_NEEDS_IDLE_DATABASE, "d", 0 },
		{ "alter database d set work_mem = 1", W, NULL, 0 },
		{ "alter database d owner to e", W, NULL, 0 },
		{ "listen a234567890123456789012345678901234567890123456789012345678901234; alter database d owner to e",
			W | SCAN_LISTENS, "!", 0 },
		{ "alter database", W, NULL, 0 },
		{ "create database d", W | SCAN_NEEDS_IDLE_DATABASE, NULL, 0 },
		{ "create database d owner x template = T", W | SCAN_NEEDS_IDLE_DATABASE, "t", 0 },
		{ "create database template with template t encoding 'x'", W | SCAN_NEEDS_IDLE_DATABASE, "t", 0 },
		{ "create database d template 't'", W | SCAN_NEEDS_IDLE_DATABASE, "!", 0 },
		{ "create database d \"template\" t", W | SCAN_NEEDS_IDLE_DATABASE, "!", 0 },
		{ "create database d owner template template t", W | SCAN_NEEDS_IDLE_DATABASE, "t!", 0 },
		{ "create database d template default", W | SCAN_NEEDS_IDLE_DATABASE, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void transactions_are_followed(void **unused)
{
	static const struct scan_row rows[] = {
		{ "begin", W | SCAN_BEGINS, NULL, 0 },
		{ "START TRANSACTION READ ONLY", W | SCAN_BEGINS, NULL, 0 },
		{ "commit", W | SCAN_ENDS, NULL, 0 },
		{ "end work", W | SCAN_ENDS, NULL, 0 },
		{ "abort", W | SCAN_ENDS, NULL, 0 },
		{ "rollback", W | SCAN_ENDS, NULL, 0 },
		{ "rollback work;", W | SCAN_ENDS, NULL, 0 },
		{ "rollback transaction and no chain", W | SCAN_ENDS, NULL, 0 },
		{ "commit and chain", W | SCAN_ENDS | SCAN_BEGINS, NULL, 0 },
		{ "rollback transaction and chain", W | SCAN_ENDS | SCAN_BEGINS, NULL, 0 },
		{ "rollback to a", W | SCAN_SAVEPOINTS, NULL, 0 },
		{ "rollback work to savepoint a", W | SCAN_SAVEPOINTS, NULL, 0 },
		{ "savepoint a", W | SCAN_SAVEPOINTS, NULL, 0 },
		{ "release a", W | SCAN_SAVEPOINTS, NULL, 0 },
		{ "commit prepared 'x'", W, NULL, 0 },
		{ "rollback prepared 'x'", W, NULL, 0 },
		{ "select case when true then 1 end", 0, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void only_plain_reads_are_reads(void **unused)
{
	static const struct scan_row rows[] = {
		{ "select * from t where a in (1, 2) and b = $1 order by c limit 5", 0, NULL, 0 },
		{ "((select 1) union (values (1)))", 0, NULL, 0 },
		{ "with x (a) as (select 1) table x", 0, NULL, 0 },
		{ "show all", 0, NULL, 0 },
		{ "fetch 5 from c", 0, NULL, 0 },
		{ "explain select 1", 0, NULL, 0 },
		{ "explain analyze insert into t values (1)", W, NULL, 0 },
		{ "explain refresh materialized view v", W, NULL, 0 },
		{ "with x as (delete from t returning a) select * from x", W, NULL, 0 },
		{ "with x as (select 1) merge into t using x on true when matched then do nothing", W, NULL, 0 },
		{ "select 1 for update", W, NULL, 0 },
		{ "select 1 for no key update", W, NULL, 0 },
		{ "select 1 for share of t", W, NULL, 0 },
		{ "select 1 for key/**/share", W, NULL, 0 },
		{ "select t.update, share, 1 as delete from t", 0, NULL, 0 },
		{ "insert into t values (1)", W, NULL, 0 },
		{ "copy t to stdout", W, NULL, 0 },
		{ "vacuum", W, NULL, 0 },
		{ "do 'begin end'", W | SCAN_RUNS_CODE, NULL, 0 },
		{ "call now()", W | SCAN_RUNS_CODE, NULL, 0 },
		{ "", 0, NULL, 0 },
		{ ";;  ;", 0, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void literals_of_time_are_seen(void **unused)
{
	static const struct scan_row rows[] = {
		{ "select 'now'::timestamptz", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select date ' TODAY '", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select timestamp '10:00 Tomorrow'", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select '[2020-01-01 00:00:00,2020-01-01 00:00:00,yesterday)'::x", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select $a$now$a$::timestamp", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select 'no'\n'w'", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select E'n\\ow', 1", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select E'\\nnow'", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select E'\\x6eow'", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select U&'no!0077' uescape '!'", SCAN_TIME_LITERAL, NULL, 0 },
		{ "select 'do you know', 'snow', 'holidays', 'a long day, otherwise nothing'", 0, NULL, 0 },
		{ "select now(), \"now\", today", 0, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void names_lie_where_they_are_spelled(void **unused)
{
	static const char text[] = "EXECUTE /* x */ \"My plan\" (1); deallocate Other";
	struct scan_names names;

	(void)unused;
	scan_text(text, sizeof(text), 0, &names);       /* With its NUL: the last name ends in this piece. */
	assert_int_equal(names.count, 2);
	assert_ptr_equal(names.list[0].spelled, strstr(text, "My plan"));
	assert_int_equal(names.list[0].spelled_size, 7);
	assert_ptr_equal(names.list[1].spelled, strstr(text, "Other"));
	assert_int_equal(names.list[1].spelled_size, 5);
	assert_string_equal(names.list[1].text, "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_told_by_their_scope),
		cmocka_unit_test(prepared_statements_are_named),
		cmocka_unit_test(what_a_session_keeps_is_told),
		cmocka_unit_test(functions_with_an_effect_count_where_they_are_mentioned),
		cmocka_unit_test(databases_nobody_may_use_are_named),
		cmocka_unit_test(transactions_are_followed),
		cmocka_unit_test(only_plain_reads_are_reads),
		cmocka_unit_test(literals_of_time_are_seen),
		cmocka_unit_test(names_lie_where_they_are_spelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
