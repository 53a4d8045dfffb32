/* The table of reasons: complete, and good for counters and clients alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgweir/close_reason.h"

static const struct close_reason_row *row(int reason)
{
	return close_reason_row((enum close_reason)reason);
}

static void every_reason_has_a_name(void **unused)
{
	(void)unused;
	for (int i = 0; i < CLOSE_REASON_COUNT; i++) {
		assert_non_null(row(i)->name);
		assert_true(row(i)->name[0]);
		assert_int_equal(strspn(row(i)->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(row(i)->name));
	}
}

/* A counter's label must not mean two things. */
static void no_name_is_given_twice(void **unused)
{
	(void)unused;
	for (int i = 0; i < CLOSE_REASON_COUNT; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(row(i)->name, row(j)->name);
}

static void a_text_for_the_client_comes_with_an_sqlstate(void **unused)
{
	(void)unused;
	for (int i = 0; i < CLOSE_REASON_COUNT; i++) {
		assert_int_equal(!row(i)->sqlstate, !row(i)->text);
		if (row(i)->sqlstate)
			assert_int_equal(strlen(row(i)->sqlstate), 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_name),
		cmocka_unit_test(no_name_is_given_twice),
		cmocka_unit_test(a_text_for_the_client_comes_with_an_sqlstate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
