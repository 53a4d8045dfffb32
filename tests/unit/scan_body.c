/* What bodies of functions may leave behind. */
#include "pgweir/scan_body.h"
#include "scan_fixture.h"

#include <stdio.h>

struct seen {
	char calls[256], custom[256];
};

static void put(char *list, const char *name)
{
	size_t used = strlen(list);

	snprintf(list + used, 256 - used, "%s%s", used ? " " : "", name);
}

static void note_call(const char *name, size_t size, void *arg)
{
	assert_int_equal(strlen(name), size);
	put(((struct seen *)arg)->calls, name);
}

static void note_custom(const char *name, void *arg)
{
	put(((struct seen *)arg)->custom, name);
}

/* In memory of exactly its size. */
static struct scan_body read_body(const char *text, struct seen *seen)
{
	size_t size = strlen(text);
	char *exact = mem_dup(text, size);
	struct scan_body body = { .called = note_call, .custom = note_custom, .arg = seen };

	*seen = (struct seen){ 0 };
	scan_body(&body, exact, size);
	mem_free(exact);
	return body;
}

#define LEAVES 1
#define WRITES 2
#define COMPUTES 4
#define OPAQUE 8

static int told(const struct scan_body *body)
{
	return (body->effects & SCAN_BODY_LEAVES ? LEAVES : 0) | (body->writes ? WRITES : 0) | (body->computes ? COMPUTES : 0)
		| (body->opaque ? OPAQUE : 0);
}

struct row {
	const char *text;
	int told;
	const char *custom;
};

static void expect(const struct row *rows, size_t count)
{
	struct seen seen;

	for (size_t i = 0; i < count; i++) {
		struct scan_body body = read_body(rows[i].text, &seen);

		if (told(&body) != rows[i].told || strcmp(seen.custom, rows[i].custom ? rows[i].custom : "") != 0)
			fail_msg("\"%s\": %d, custom \"%s\"", rows[i].text, told(&body), seen.custom);
	}
}

static void what_stays_is_found_where_a_statement_can_begin(void **unused)
{
	static const struct row rows[] = {
		{ "BEGIN SET work_mem = 1; END", LEAVES, NULL },
		{ "declare x int; begin if x then reset all; end if; end", LEAVES, NULL },
		{ "BEGIN LOOP DISCARD PLANS; END LOOP; END", LEAVES, NULL },
		{ "BEGIN IF a THEN x := 1; ELSE LISTEN c; END IF; END", LEAVES, NULL },
		{ "BEGIN <<l>> LOAD 'x'; END", LEAVES, NULL },
		{ "BEGIN /* ; */ -- ;\n PREPARE s AS SELECT 1; END", LEAVES, NULL },
		{ "SELECT 1; DECLARE c CURSOR WITH HOLD FOR SELECT 1", LEAVES, NULL },
		{ "BEGIN PERFORM pg_advisory_lock(1); END", LEAVES, NULL },
		{ "BEGIN SELECT 1 INTO TEMP t; END", LEAVES, NULL },
		{ "BEGIN CREATE TEMPORARY TABLE t (); END", LEAVES, NULL },
		{ "BEGIN PERFORM setseed(0.5); END", LEAVES, NULL },
		{ "BEGIN x := set_config('a', 'b', false); END", LEAVES, NULL },
		{ "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT 1; SET x = 1; END", LEAVES, NULL },
	};

	(void)unused;
	expect(rows, ARRAY_LEN(rows));
}

static void what_ends_with_the_transaction_is_not(void **unused)
{
	static const struct row rows[] = {
		{ "BEGIN UPDATE t SET work_mem = 1; END", WRITES, NULL },
		{ "BEGIN INSERT INTO t (set, reset) VALUES (1, 2) ON CONFLICT DO UPDATE SET a = 1; END", WRITES, NULL },
		{ "BEGIN SET LOCAL work_mem = 1; SET TRANSACTION READ ONLY; SET CONSTRAINTS ALL DEFERRED; END", 0, NULL },
		{ "BEGIN PERFORM set_config('work_mem', '1', true), pg_advisory_xact_lock(1); END", 0, NULL },
		{ "BEGIN RAISE NOTICE 'SET work_mem; SET x'; END", 0, NULL },
		{ "BEGIN -- SET work_mem = 1;\n RETURN 1; END", 0, NULL },
		{ "SELECT * FROM t FOR UPDATE", 0, NULL },
		{ "BEGIN CREATE TRIGGER a AFTER INSERT ON t EXECUTE FUNCTION f(); GRANT EXECUTE ON FUNCTION f TO x; END", 0, NULL },
		{ "", 0, NULL },
	};

	(void)unused;
	expect(rows, ARRAY_LEN(rows));
}

static void names_of_custom_settings_are_told_or_said_to_be_computed(void **unused)
{
	static const struct row rows[] = {
		{ "BEGIN PERFORM set_config('App.Tenant', x, false); END", LEAVES, "app.tenant" },
		{ "BEGIN PERFORM set_config('app.a', x, true); SET LOCAL b.c = 1; END", LEAVES, "app.a b.c" },
		{ "BEGIN PERFORM set_config('app.' || x, y, false); END", LEAVES | COMPUTES, NULL },
		{ "BEGIN PERFORM set_config(x, y, false); END", LEAVES | COMPUTES, NULL },
		{ "SELECT set_config($1, $2, false)", LEAVES | COMPUTES, NULL },
		{ "BEGIN EXECUTE 'SET app.a = ' || quote_literal(x); END", LEAVES, "app.a" },
		{ "BEGIN EXECUTE format('SET app.a TO %L', x); END", LEAVES, "app.a" },
		{ "BEGIN EXECUTE format('SET %I = 1', x); END", LEAVES | COMPUTES, NULL },
		{ "BEGIN EXECUTE format('SELECT set_config(%L, 1, false)', x); END", LEAVES | COMPUTES, NULL },
		{ "BEGIN EXECUTE 'SET ' || x || ' = 1'; END", LEAVES | COMPUTES, NULL },
		{ "BEGIN EXECUTE 'SET app.' || x || ' = 1'; END", LEAVES | COMPUTES, NULL },
		{ "BEGIN EXECUTE 'SET app.a' || x || ' = 1'; END", LEAVES | COMPUTES, "app.a" },
		{ "BEGIN EXECUTE 'SET app.a ' || '= 1'; END", LEAVES, "app.a" },
		{ "BEGIN EXECUTE 'RESET app.a'; EXECUTE 'SET work_mem' || ' = 1'; END", LEAVES, "app.a" },
		{ "BEGIN EXECUTE format('SET ROLE %I', x); END", LEAVES, NULL },
		{ "BEGIN EXECUTE $q$ SELECT set_config('a.b', 'it''s', false) $q$; END", LEAVES, "a.b" },
		{ "BEGIN EXECUTE 'SELECT set_config(''a.b'', ''x'', false)'; END", LEAVES, "a.b" },
		{ "BEGIN EXECUTE E'SELECT set_config(\\'a.b\\', \\'x\\', false)'; END", LEAVES, "a.b" },
		{ "DO $$ BEGIN PERFORM set_config('a.b', 'x', false); END $$", LEAVES, "a.b" },
		{ "DO LANGUAGE plpgsql 'BEGIN SET a.b = 1; END'", LEAVES, "a.b" },
	};

	(void)unused;
	expect(rows, ARRAY_LEN(rows));
}

static void ddl_is_told_from_words_of_other_statements(void **unused)
{
	static const struct {
		const char *text;
		bool defines;
	} rows[] = {
		{ "BEGIN CREATE TABLE t (); END", true },
		{ "BEGIN EXECUTE format('ALTER TABLE %I ADD n int', t); END", true },
		{ "BEGIN IF x THEN DROP TABLE t; END IF; END", true },
		{ "BEGIN PERFORM create, drop FROM alter; UPDATE t SET comment = 1; END", false },
		{ "SELECT 1", false },
	};
	struct seen seen;

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (read_body(rows[i].text, &seen).defines != rows[i].defines)
			fail_msg("%s", rows[i].text);
}

static void text_that_is_not_in_view_is_opaque(void **unused)
{
	static const struct row rows[] = {
		{ "BEGIN EXECUTE x; END", LEAVES | OPAQUE, NULL },
		{ "BEGIN EXECUTE (x); END", LEAVES | OPAQUE, NULL },
		{ "BEGIN RETURN QUERY EXECUTE x; END", LEAVES | OPAQUE, NULL },
		{ "BEGIN FOR r IN EXECUTE x LOOP NULL; END LOOP; END", LEAVES | OPAQUE, NULL },
		{ "BEGIN EXECUTE 'SELECT 1'; END", LEAVES, NULL },
		{ "DO LANGUAGE plpython3u $$ x = 1 $$", LEAVES | OPAQUE, NULL },
		{ "DO $$ x = 1 $$ LANGUAGE plperl", LEAVES | OPAQUE, NULL },
		{ "BEGIN x := 'what does not end; END", LEAVES, NULL },
	};

	(void)unused;
	expect(rows, ARRAY_LEN(rows));
}

static void whom_it_calls_is_told(void **unused)
{
	struct seen seen;

	(void)unused;
	read_body("DECLARE x int := a(1); BEGIN IF b(x) THEN PERFORM s.c(lower('x')); END IF; CALL d(); RETURN \"E e\"(x); END", &seen);
	assert_string_equal(seen.calls, "a b c d E e");
	read_body("BEGIN EXECUTE 'SELECT f()'; END", &seen);
	assert_string_equal(seen.calls, "f");
}

static void texts_are_the_same_but_for_their_values(void **unused)
{
	static const char *const rows[][2] = {
		{ "SELECT f('secret', 42, E'\\'x', $$y$$) -- now\n  FROM t1", "SELECT f(?, ?, ?, ?) FROM t1" },
		{ "  select\t1;", "select ?;" },
		{ "select 'never ends", "select ?" },
		{ "", "" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		scan_fingerprint(rows[i][0], strlen(rows[i][0]), &out);
		char *text = buf_take_text(&out);

		assert_string_equal(text, rows[i][1]);
		mem_free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_stays_is_found_where_a_statement_can_begin),
		cmocka_unit_test(what_ends_with_the_transaction_is_not),
		cmocka_unit_test(names_of_custom_settings_are_told_or_said_to_be_computed),
		cmocka_unit_test(ddl_is_told_from_words_of_other_statements),
		cmocka_unit_test(text_that_is_not_in_view_is_opaque),
		cmocka_unit_test(whom_it_calls_is_told),
		cmocka_unit_test(texts_are_the_same_but_for_their_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
