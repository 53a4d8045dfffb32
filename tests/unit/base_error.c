/* Errors read from the outside in, and no text from outside overruns them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "pgweir/error.h"

static void set_returns_false_and_keeps_code_and_text(void **state)
{
	struct error error = { 0 };

	(void)state;
	assert_false(error_set(&error, "28P01", "no such user: %s", "ann"));
	assert_string_equal(error.sqlstate, "28P01");
	assert_string_equal(error.text, "no such user: ann");
}

static void a_missing_sqlstate_is_an_empty_one(void **state)
{
	struct error error = { .sqlstate = "08006" };

	(void)state;
	assert_false(error_set(&error, NULL, "gone"));
	assert_string_equal(error.sqlstate, "");
}

static void an_overlong_sqlstate_is_cut_to_five(void **state)
{
	struct error error = { 0 };

	(void)state;
	assert_false(error_set(&error, "ABCDEFGH", "odd"));
	assert_string_equal(error.sqlstate, "ABCDE");
}

static void context_is_put_in_front_from_the_outside_in(void **state)
{
	struct error error = { 0 };

	(void)state;
	error_set(&error, "F0000", "%d is above 65535", 99999);
	error_prepend(&error, "listen_port");
	assert_false(error_prepend(&error, "%s:%d", "pgweir.ini", 12));
	assert_string_equal(error.text, "pgweir.ini:12: listen_port: 99999 is above 65535");
	assert_string_equal(error.sqlstate, "F0000");
}

static void texts_from_outside_are_cut_and_never_overrun(void **state)
{
	struct error error = { 0 };
	char huge[2000];

	(void)state;
	memset(huge, 'h', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	error_set(&error, "XX000", "%s", huge);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	error_prepend(&error, "reading");
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_memory_equal(error.text, "reading: hhh", 12);
	error_prepend(&error, "%s", huge);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_returns_false_and_keeps_code_and_text),
		cmocka_unit_test(a_missing_sqlstate_is_an_empty_one),
		cmocka_unit_test(an_overlong_sqlstate_is_cut_to_five),
		cmocka_unit_test(context_is_put_in_front_from_the_outside_in),
		cmocka_unit_test(texts_from_outside_are_cut_and_never_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
