/* What statements do, one row per spelling. */
#include <stdio.h>

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
		{ "RESET app.x", W | SCAN_SETS | SCAN_SETS_CUSTOM, "app.x", 0 },
		{ "set \"a\".\"b\" = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, "a.b", 0 },
		{ "set \"a.b\" = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, "a.b", 0 },
		{ "set session a.b = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, "a.b", 0 },
		{ "set local work_mem = 1", W | SCAN_SETS_LOCAL, NULL, 0 },
		{ "set local a.b = 1", W | SCAN_SETS_LOCAL | SCAN_SETS_CUSTOM, "a.b", 0 },
		{ "set local session authorization x", W | SCAN_SETS_LOCAL, NULL, 0 },
		{ "set local x = 1.5", W | SCAN_SETS_LOCAL, NULL, 0 },
		/* A setting may be called so. */
		{ "set local.x = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, "local.x", 0 },
		{ "set local = 1", W | SCAN_SETS, NULL, 0 },
		{ "set transaction . x to 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, "transaction.x", 0 },
		{ "set local from current", W | SCAN_SETS, NULL, 0 },
		{ "set transaction from current", W | SCAN_SETS, NULL, 0 },
		{ "set session.x = 1", W | SCAN_SETS | SCAN_SETS_CUSTOM, "session.x", 0 },
		{ "set constraints to 1", W | SCAN_SETS, NULL, 0 },
		{ "set transaction isolation level serializable", W, NULL, 0 },
		{ "set transaction snapshot 'x'", W, NULL, 0 },
		{ "set constraints all deferred", W, NULL, 0 },
		{ "set seed to 0.5", W | SCAN_SETS | SCAN_SEEDS, NULL, 0 },
		{ "set local \"SEED\" = 0.5", W | SCAN_SETS_LOCAL | SCAN_SEEDS, NULL, 0 },
		{ "update t set a = 1", W, NULL, 0 },
		{ "select 1 as set", 0, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

#define CALLS SCAN_CALLS_SET_CONFIG
#define CUSTOM SCAN_SETS_CUSTOM
#define LOCAL SCAN_SETS_LOCAL

static void custom_settings_are_named(void **unused)
{
	static const struct scan_row rows[] = {
		{ "SET App.Tenant = 1", W | SCAN_SETS | CUSTOM, "app.tenant", 0 },
		{ "set/* a.b */App --.c\n . /**/ \"Tenant\"TO 'x.y'", W | SCAN_SETS | CUSTOM, "app.tenant", 0 },
		{ "set a.\"B.C\" . d from current", W | SCAN_SETS | CUSTOM, "a.b.c.d", 0 },
		{ "set \"A.B\".\"c\"\"d\" to default", W | SCAN_SETS | CUSTOM, "a.b.c\"d", 0 },
		{ "SET SESSION A.b TO 1; Reset C.d", W | SCAN_SETS | CUSTOM, "a.b,c.d", 0 },
		{ "reset \"A.b\"", W | SCAN_SETS | CUSTOM, "a.b", 0 },
		{ "reset a.b.c;", W | SCAN_SETS | CUSTOM, "a.b.c", 0 },
		{ "reset session.b", W | SCAN_SETS | CUSTOM, "session.b", 0 },
		{ "set local.a.b = 1", W | SCAN_SETS | CUSTOM, "local.a.b", 0 },
		{ "set/**/local/* */.\nb = 1", W | SCAN_SETS | CUSTOM, "local.b", 0 },
		{ "set constraints.a to b.c", W | SCAN_SETS | CUSTOM, "constraints.a", 0 },
		{ "set session local.b = 1", W | SCAN_SETS | CUSTOM, "local.b", 0 },
		{ "set local local.b = 1", W | LOCAL | CUSTOM, "local.b", 0 },
		{ "set local \"SESSION\".transaction = 1", W | LOCAL | CUSTOM, "session.transaction", 0 },
		{ "SET LOCAL a.B to 1", W | LOCAL | CUSTOM, "a.b", 0 },
		{ "set time.zone = 1", W | SCAN_SETS | CUSTOM, "time.zone", 0 },
		{ "set local time zone 'a.b'", W | LOCAL, NULL, 0 },
		{ "set x = a.b, 'c.d', 1.5", W | SCAN_SETS, NULL, 0 },
		{ "set session characteristics as transaction read only", W | SCAN_SETS, NULL, 0 },
		{ "set a.b = 1; set a.b = 2; reset all", W | SCAN_SETS | CUSTOM, "a.b,a.b", 0 },
		{ "set a.b = 1; set c = 2", W | SCAN_SETS | CUSTOM, "a.b", 0 },
		/* Clauses, which the connection remembers as well. */
		{ "alter role r set A.b to 'x'", W | CUSTOM, "a.b", 0 },
		{ "alter role set in database set set \"A\".b = 'x'; alter role r reset c.d", W | CUSTOM, "a.b,c.d", 0 },
		{ "alter database d set a.b from current", W | CUSTOM, "a.b", 0 },
		{ "alter database d reset a.b", W | CUSTOM, "a.b", 0 },
		{ "alter function f set search_path to a, b set a.b = 1 reset c.d", W | CUSTOM, "a.b,c.d", 0 },
		{ "create function set.f(set int) returns set set a.b = 1 set c to d as $$set e.f = 1$$", W | CUSTOM | SCAN_CALLS, "a.b", 0 },
		{ "create procedure f() set begin.b to x begin atomic select a.b; end", W | CUSTOM | SCAN_CALLS, "begin.b", 0 },
		{ "alter table set.t alter c set default a.b, set (a = 1)", W | SCAN_CALLS, NULL, 0 },
		/* 63 bytes, 64, and parts that are too long by themselves. */
		{ "set a23456789.a23456789012345678901234567890123456789012345678901234 = 1", W | SCAN_SETS | CUSTOM, "!", 0 },
		{ "set a23456789.a2345678901234567890123456789012345678901234567890123 = 1", W | SCAN_SETS | CUSTOM,
			"a23456789.a2345678901234567890123456789012345678901234567890123", 0 },
		{ "reset a.b23456789012345678901234567890123456789012345678901234567890123456789.c", W | SCAN_SETS | CUSTOM, "!", 0 },
		{ "set \"a.23456789012345678901234567890123456789012345678901234567890123456789\" = 1", W | SCAN_SETS | CUSTOM, "!", 0 },
		{ "set a.b=1;set a.c=1;set a.d=1;set a.e=1;set a.f=1;set a.g=1;set a.h=1;set a.i=1;set a.j=1", W | SCAN_SETS | CUSTOM,
			"a.b,a.c,a.d,a.e,a.f,a.g,a.h,a.i,a.j", 0 },
		{ "update t set a.b = 1", W, NULL, 0 },
		{ "update pg_settings set setting = 'x' where name = $1", W | SCAN_SETS, NULL, 0 },
		{ "update only pg_catalog . \"pg_settings\" set setting = 'x'", W | SCAN_SETS, NULL, 0 },
		{ "explain (analyze) update PG_Settings s set setting = 'x'", W | SCAN_SETS, NULL, 0 },
		{ "select setting from pg_settings; update t set a = 1", W, NULL, 0 },
		{ "show a.b", 0, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void calls_of_set_config_name_their_setting(void **unused)
{
	static const struct scan_row rows[] = {
		{ "select set_config('App.Tenant', 'x', false)", CALLS | SCAN_SETS | CUSTOM, "app.tenant", 0 },
		{ "select SET_config/**/(--(\n'a.b'/*,*/,$1,$2)", CALLS | SCAN_SETS | CUSTOM, "a.b", 0 },
		{ "select * from pg_catalog . Set_Config ( 'a.b.c' :: text , $1 , $2 )", CALLS | SCAN_SETS | CUSTOM, "a.b.c", 0 },
		{ "select set_config(E'a.b', '', false), set_config(n'c.d'::Text, '', false)", CALLS | SCAN_SETS | CUSTOM, "a.b,c.d", 0 },
		{ "select set_config('work_mem', 'a.b', false)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('', 'a.b', false)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config($1, $2, $3)", CALLS | SCAN_SETS | CUSTOM, "$1", 0 },
		{ "select set_config($27::text, $2, $3)", CALLS | SCAN_SETS | CUSTOM, "$27", 0 },
		{ "select set_config($65535 , '', false)", CALLS | SCAN_SETS | CUSTOM, "$65535", 0 },
		{ "select set_config($65536 , '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config($18446744073709551617, '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config($0, '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "insert into t select set_config('a.b', c, d) from e; set f.g = 1", W | CALLS | SCAN_SETS | CUSTOM, "a.b,f.g", 0 },
		/* The statement around it goes on. */
		{ "create table t as select set_config('a.b', '', c) as execute", W | CALLS | SCAN_SETS | CUSTOM | SCAN_EXECUTES, "a.b", 0 },
		{ "select set_config('a23456789.a23456789012345678901234567890123456789012345678901234', '', b)",
			CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config('a23456789.a2345678901234567890123456789012345678901234567890123', '', b)",
			CALLS | SCAN_SETS | CUSTOM, "a23456789.a2345678901234567890123456789012345678901234567890123", 0 },
		/* Names that are not looked for. */
		{ "select set_config('a' || '.b', '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config('a'\n'.b', '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config('a''.b', '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config(E'a\\056b', '', false)", CALLS | SCAN_SETS | CUSTOM | SCAN_TIME_LITERAL, "!", 0 },
		{ "select set_config(E'\\'a', '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config('a\\', '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config('a\\'', '', false)", CALLS | SCAN_SETS | CUSTOM, "!", SCAN_BACKSLASH_STRINGS },
		{ "select set_config(u&'a\\002eb', '', false)", CALLS | SCAN_SETS | CUSTOM | SCAN_TIME_LITERAL, "!", 0 },
		{ "select set_config(u&'a!002eb' uescape '!', '', false)", CALLS | SCAN_SETS | CUSTOM | SCAN_TIME_LITERAL, "!", 0 },
		{ "select set_config($$a.b$$, '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config('a.b'::varchar, '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config('a.b'::\"text\", '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config('a'::text || '.b', '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config(('a.b'), '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config(all 'a.b', '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config(name, '', false) from t", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config(f(a, b), '', false)", CALLS | SCAN_SETS | CUSTOM | SCAN_CALLS, "!", 0 },
		{ "select set_config($1 || '', '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config(1, '', false)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config(setting_name => 'a.b', new_value => '', is_local => true)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config(is_local := 'f', setting_name := 'a.b', new_value := 't')", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select \"set_config\"('a.b', '', true)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select pg_catalog . \"set_config\" ('a', 'b', true)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select s.set_config('a', '', true)", CALLS | SCAN_SETS | CUSTOM | SCAN_CALLS, "!", 0 },
		{ "select set_config()", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select set_config from t", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select t.set_config, 'a.b' from t", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select 1 as set_config", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select 1 as set_config; select ('a.b', '', true)", CALLS | SCAN_SETS | CUSTOM, "!", 0 },
		{ "select 'set_config(', $$set_config($$ -- set_config(\n/* set_config( */", 0, NULL, 0 },
		{ "select set_config2('a.b', '', true), xset_config('a.b', '', true)", SCAN_CALLS, NULL, 0 },
	};

	(void)unused;
	EXPECT_ROWS(rows);
}

static void calls_of_set_config_are_local_beyond_doubt(void **unused)
{
	static const struct scan_row rows[] = {
		{ "select set_config('app.tenant', $1, true)", CALLS | LOCAL | CUSTOM, "app.tenant", 0 },
		{ "select set_config($1, $2, TRUE)", CALLS | LOCAL | CUSTOM, "$1", 0 },
		{ "select set_config('a', '', 't'), set_config('a', '', E'True')", CALLS | LOCAL, NULL, 0 },
		{ "select set_config('a', '', true::bool), set_config('a', '', 't' :: BOOLEAN)", CALLS | LOCAL, NULL, 0 },
		{ "select set_config('a', f((1), ','), true)", CALLS | LOCAL | SCAN_CALLS, NULL, 0 },
		{ "select set_config('a', (select g from h where i in (1, 2)) || 'x''y'\n'z', true)", CALLS | LOCAL, NULL, 0 },
		{ "select set_config(concat('a', '.b'), '', true)", CALLS | LOCAL | CUSTOM, "!", 0 },
		{ "select set_config('a', '', true), 1; set local b.c = 2", W | CALLS | LOCAL | CUSTOM, "b.c", 0 },
		{ "select set_config('a', '', true), set_config('b', '', false)", CALLS | LOCAL | SCAN_SETS, NULL, 0 },
		{ "create rule r as on insert to t do also (select set_config('a', '', true); select 1)", W | CALLS | LOCAL, NULL, 0 },
		{ "select set_config('a', '', true); set x = 1", W | CALLS | LOCAL | SCAN_SETS, NULL, 0 },
		/* And these are in doubt. */
		{ "select set_config('a', '', 'f')", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', '')", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', 'true ')", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', 'true''')", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', 't'\n'rue')", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', E't\\b')", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', $1)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', 1::bool)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', not true)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', true and b)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', true::bool and b)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', true::text::bool)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', true::b)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', \"true\")", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', true.b)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', b.true)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', (true))", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', (1, true))", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', true)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', true, 'b')", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', '', is_local => true)", CALLS | SCAN_SETS, NULL, 0 },
		{ "select set_config('a', set_config('b', '', true), true)", CALLS | LOCAL | SCAN_SETS, NULL, 0 },
		{ "select set_config(set_config('b.c', '', false), '', true)", CALLS | SCAN_SETS | CUSTOM, "b.c!", 0 },
		{ "select set_config('a', '', true", CALLS | SCAN_SETS | SCAN_UNKNOWN, NULL, 0 },
		{ "select set_config('a", CALLS | SCAN_SETS | CUSTOM | SCAN_UNKNOWN, "!", 0 },
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
			"a,b,c,d,e,f,g,h,i", 0 },
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
		{ "select 1 as into, 2 as insert", 0, NULL, 0 },
		{ "select 1 as as into t", W, NULL, 0 },
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

/* Beyond the bound it is known that there are more. */
static void names_are_kept_up_to_a_bound(void **unused)
{
	char text[SCAN_NAMES_MAX * 16 + 32] = "";
	struct scan_names names;

	(void)unused;
	for (unsigned i = 0; i < SCAN_NAMES_MAX; i++)
		snprintf(text + strlen(text), 16, "execute s%02u;", i);
	scan_text(text, strlen(text), 0, &names);
	assert_int_equal(names.count, SCAN_NAMES_MAX);
	assert_string_equal(names.list[SCAN_NAMES_MAX - 1].text, "s63");
	assert_false(names.lost);
	snprintf(text + strlen(text), 16, "set a.b = 1");
	scan_text(text, strlen(text), 0, &names);
	assert_int_equal(names.count, SCAN_NAMES_MAX);
	assert_true(names.lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_told_by_their_scope),
		cmocka_unit_test(custom_settings_are_named),
		cmocka_unit_test(calls_of_set_config_name_their_setting),
		cmocka_unit_test(calls_of_set_config_are_local_beyond_doubt),
		cmocka_unit_test(prepared_statements_are_named),
		cmocka_unit_test(what_a_session_keeps_is_told),
		cmocka_unit_test(functions_with_an_effect_count_where_they_are_mentioned),
		cmocka_unit_test(databases_nobody_may_use_are_named),
		cmocka_unit_test(transactions_are_followed),
		cmocka_unit_test(only_plain_reads_are_reads),
		cmocka_unit_test(literals_of_time_are_seen),
		cmocka_unit_test(names_lie_where_they_are_spelled),
		cmocka_unit_test(names_are_kept_up_to_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
