/* The startup parameter `options`, split as PostgreSQL's pg_split_opts splits it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"

static void spell_pair(const char *name, const char *value, void *arg)
{
	buf_printf(arg, "%s=%s;", name, value);
}

struct row {
	const char *options, *pairs, *rest;
};

static void assert_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buf out = { 0 }, rest = { 0 };
		struct error error;

		assert_true(wire_options_pairs(rows[i].options, spell_pair, &out, &rest, &error));
		char *pairs = buf_take_text(&out), *left = buf_take_text(&rest);
		assert_string_equal(pairs, rows[i].pairs);
		assert_string_equal(left, rows[i].rest);
		mem_free(pairs);
		mem_free(left);
	}
}

static void settings_come_as_switch_c_or_long_option(void **state)
{
	static const struct row rows[] = {
		{ "", "", "" },
		{ "  \t\n ", "", "" },
		{ "-c search_path=a", "search_path=a;", "" },
		{ "-csearch_path=a", "search_path=a;", "" },
		{ "--search_path=a", "search_path=a;", "" },
		{ "  -c  a=1\t--b=2 -cc=3  ", "a=1;b=2;c=3;", "" },
		{ "-c a=1 -- ", "a=1;", "" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void a_dash_in_a_name_stands_for_an_underscore(void **state)
{
	static const struct row rows[] = {
		{ "--statement-timeout=5-s", "statement_timeout=5-s;", "" },
		{ "-c statement-timeout=1", "statement_timeout=1;", "" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void a_backslash_takes_the_next_character_as_it_is(void **state)
{
	static const struct row rows[] = {
		{ "-c a=x\\ y", "a=x y;", "" },
		{ "-c a=x\\\\y", "a=x\\y;", "" },
		{ "-c a=x\\\\ --b=2", "a=x\\;b=2;", "" },
		{ "-c a=\\'x", "a='x;", "" },
		{ "-c\\ a=1", " a=1;", "" },
		/* At the very end there is nothing to take: PostgreSQL drops it. */
		{ "-c a=x\\", "a=x;", "" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void a_value_may_be_empty_or_hold_equal_signs(void **state)
{
	static const struct row rows[] = {
		{ "-c a=", "a=;", "" },
		{ "-c a=b=c", "a=b=c;", "" },
		/* What follows -c is its value, whatever it looks like. */
		{ "-c --a=b", "__a=b;", "" },
		/* A server knows no setting of that name. */
		{ "-c =x", "=x;", "" },
		{ "--=", "=;", "" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

static void other_switches_are_kept_still_escaped(void **state)
{
	static const struct row rows[] = {
		{ "-fs -c a=1 -W 3", "a=1;", "-fs -W 3" },
		{ "  -r  x\\ y\\\\ ", "", "-r  x\\ y\\\\" },
		/* Whoever appends to the rest must not have the blank before it swallowed. */
		{ "-d 1 -x\\", "", "-d 1 -x" },
		{ "-x\\\\", "", "-x\\\\" },
		{ "-x\\\\\\", "", "-x\\\\" },
		{ "-e --", "", "-e" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

/* Whatever it looks like; so that none of what is kept can take what is appended to it. */
static void the_argument_of_a_switch_is_the_rest_of_the_word_or_the_next_one(void **state)
{
	static const struct row rows[] = {
		{ "-S -- -c a=1", "a=1;", "-S --" },
		{ "-S -c -e", "", "-S -c -e" },
		{ "-eFS -c --a=1", "a=1;", "-eFS -c" },
		{ "-eS100 -c a=1", "a=1;", "-eS100" },
		{ "-ec a=1", "", "-ec a=1" },
		{ "-e -c a=1", "a=1;", "-e" },
	};

	(void)state;
	assert_rows(rows, ARRAY_LEN(rows));
}

/* PostgreSQL's own words, as a direct connection gives them. */
static void what_is_wrong_is_said_as_a_server_says_it(void **state)
{
	static const char invalid[] = "invalid command-line argument for server process: ";
	static const struct { const char *options, *head, *tail; } bad[] = {
		{ "-c", invalid, "-c" }, { "-c ", invalid, "-c" }, { "-e -S ", invalid, "-S" }, { "-eFS", invalid, "-eFS" }, { "-S \\", invalid, "-S" },
		{ "-- -c a=1", invalid, "-c" }, { "-c a=1 -- x y", invalid, "x" }, { "x", invalid, "x" }, { "-", invalid, "-" },
		{ "\\", invalid, "" }, { "-c a=1 MB -e x", invalid, "MB" }, { "x -c a", "-c a", " requires a value" },
		{ "-c a-b", "-c a-b", " requires a value" }, { "-ca", "-c a", " requires a value" },
		{ "--a", "--a", " requires a value" }, { "-c a=1 --b", "--b", " requires a value" },
		{ "-c -c a=1", "-c -c", " requires a value" }, { "-c --", "-c --", " requires a value" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf out = { 0 }, rest = { 0 };
		struct error error;
		char text[100];

		snprintf(text, sizeof(text), "%s%s", bad[i].head, bad[i].tail);
		assert_false(wire_options_pairs(bad[i].options, spell_pair, &out, &rest, &error));
		assert_string_equal(error.sqlstate, "42601");
		assert_string_equal(error.text, text);
		assert_int_equal(error.hint != NULL, bad[i].head == invalid);
		buf_fini(&out);
		buf_fini(&rest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_come_as_switch_c_or_long_option),
		cmocka_unit_test(a_dash_in_a_name_stands_for_an_underscore),
		cmocka_unit_test(a_backslash_takes_the_next_character_as_it_is),
		cmocka_unit_test(a_value_may_be_empty_or_hold_equal_signs),
		cmocka_unit_test(other_switches_are_kept_still_escaped),
		cmocka_unit_test(the_argument_of_a_switch_is_the_rest_of_the_word_or_the_next_one),
		cmocka_unit_test(what_is_wrong_is_said_as_a_server_says_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
