/* What a server reported, by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "pgweir/parameters.h"

static void a_value_is_found_without_regard_to_case(void **unused)
{
	struct parameters parameters = { 0 };

	(void)unused;
	assert_true(parameters_set(&parameters, "TimeZone", "UTC"));
	assert_string_equal(parameters_get(&parameters, "timezone"), "UTC");
	assert_null(parameters_get(&parameters, "DateStyle"));
	parameters_fini(&parameters);
}

static void only_a_new_value_is_news(void **unused)
{
	struct parameters parameters = { 0 };

	(void)unused;
	assert_true(parameters_set(&parameters, "TimeZone", "UTC"));
	assert_false(parameters_set(&parameters, "TimeZone", "UTC"));
	assert_true(parameters_set(&parameters, "TimeZone", "Asia/Tokyo"));
	assert_int_equal(parameters.count, 1);
	assert_string_equal(parameters_get(&parameters, "TimeZone"), "Asia/Tokyo");
	parameters_fini(&parameters);
}

static void a_copy_stands_on_its_own(void **unused)
{
	struct parameters from = { 0 }, to = { 0 };
	char name[16];

	(void)unused;
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		parameters_set(&from, name, name);
	}
	parameters_set(&to, "gone", "1");
	parameters_copy(&to, &from);
	parameters_fini(&from);
	assert_int_equal(to.count, 40);
	assert_null(parameters_get(&to, "gone"));
	assert_string_equal(parameters_get(&to, "p39"), "p39");
	parameters_fini(&to);
}

static void each_becomes_a_message(void **unused)
{
	struct parameters parameters = { 0 };
	struct buf out = { 0 };

	(void)unused;
	parameters_set(&parameters, "a", "1");
	parameters_set(&parameters, "b", "");
	parameters_put(&parameters, &out);
	assert_int_equal(out.size, 9 + 8);
	assert_memory_equal(out.bytes, "S\0\0\0\010a\0001\0S\0\0\0\007b\0\0", out.size);
	buf_fini(&out);
	parameters_fini(&parameters);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_found_without_regard_to_case),
		cmocka_unit_test(only_a_new_value_is_news),
		cmocka_unit_test(a_copy_stands_on_its_own),
		cmocka_unit_test(each_becomes_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
