/* How often hosts are looked at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pace.h"

static struct pace pace = { .interval_ms = 250, .agreement = 3 };

static void haste_is_five_times_the_pace_and_never_slower_than_configured(void **unused)
{
	(void)unused;
	assert_int_equal(pace_after_answer_ms(&pace), 250);
	assert_int_equal(pace_after_answer_ms(&(struct pace){ 250, 3, true }), 50);
	assert_int_equal(pace_after_answer_ms(&(struct pace){ 50, 3, true }), 20);
	assert_int_equal(pace_after_answer_ms(&(struct pace){ 10, 3, true }), 10);
	assert_int_equal(pace_after_answer_ms(&(struct pace){ 10000, 3, true }), 2000);
}

static void failures_that_have_to_agree_come_at_the_pace_and_later_ones_less_and_less_often(void **unused)
{
	static const uint64_t expected[] = { 250, 250, 500, 1000, 2000, 2000 };

	(void)unused;
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(pace_after_failure_ms(&pace, i + 1, false), expected[i]);
	assert_int_equal(pace_after_failure_ms(&pace, 1000, false), 2000);
	assert_int_equal(pace_after_failure_ms(&(struct pace){ 5000, 3, false }, 1000, false), 5000);
}

/* The primary that everybody waits for may be the one that is starting again. */
static void a_host_that_is_down_is_not_left_alone_for_long_while_it_is_needed(void **unused)
{
	const struct pace hasty = { 250, 3, true };

	(void)unused;
	assert_int_equal(pace_after_failure_ms(&hasty, 2, false), 50);
	assert_int_equal(pace_after_failure_ms(&hasty, 3, false), 100);
	assert_int_equal(pace_after_failure_ms(&hasty, 1000, false), 250);
}

static void a_refusal_is_never_repeated_in_haste(void **unused)
{
	const struct pace hasty = { 250, 3, true };

	(void)unused;
	assert_int_equal(pace_after_failure_ms(&hasty, 1, true), 250);
	assert_int_equal(pace_after_failure_ms(&hasty, 1000, true), 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(haste_is_five_times_the_pace_and_never_slower_than_configured),
		cmocka_unit_test(failures_that_have_to_agree_come_at_the_pace_and_later_ones_less_and_less_often),
		cmocka_unit_test(a_host_that_is_down_is_not_left_alone_for_long_while_it_is_needed),
		cmocka_unit_test(a_refusal_is_never_repeated_in_haste),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
