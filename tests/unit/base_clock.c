/* Time stands where a test puts it, and runs again when the test lets go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pgweir/clock.h"

static void faked_time_stands_still_until_it_is_set_again(void **state)
{
	(void)state;
	clock_fake(5000123);
	assert_int_equal(clock_now_us(), 5000123);
	assert_int_equal(clock_now_us(), 5000123);
	assert_int_equal(clock_now_ms(), 5000);
	assert_int_equal(clock_wall_us(), 5000123);
	clock_fake(5000124);
	assert_int_equal(clock_now_us(), 5000124);
	clock_fake(0);
}

static void zero_returns_to_real_time(void **state)
{
	(void)state;
	clock_fake(1);
	clock_fake(0);
	uint64_t before = clock_now_us();
	assert_true(before > 1);
	assert_true(clock_now_us() >= before);
	/* 2020-01-01: the wall clock counts from 1970, the other one need not. */
	assert_true(clock_wall_us() > 1577836800000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faked_time_stands_still_until_it_is_set_again),
		cmocka_unit_test(zero_returns_to_real_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
