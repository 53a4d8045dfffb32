/* Buckets that double, and what is estimated from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pgweir/histogram.h"

static void a_bucket_holds_what_is_below_its_bound(void **state)
{
	(void)state;
	assert_int_equal(histogram_bucket(0), 0);
	assert_int_equal(histogram_bucket(63), 0);
	assert_int_equal(histogram_bucket(64), 1);
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		assert_int_equal(histogram_bucket(histogram_bound_us(i) - 1), i);
		assert_int_equal(histogram_bucket(histogram_bound_us(i)), i + 1);
	}
	assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BOUNDS);
}

static void quantiles_lie_in_the_bucket_that_holds_them(void **state)
{
	struct histogram histogram = { 0 };

	(void)state;
	assert_true(histogram_quantile_us(&histogram, 0.99) == 0);
	for (int i = 0; i < 90; i++)
		histogram_note(&histogram, 100);
	for (int i = 0; i < 10; i++)
		histogram_note(&histogram, 5000);
	assert_int_equal(histogram_count(&histogram), 100);
	assert_in_range((uint64_t)histogram_quantile_us(&histogram, 0.5), 64, 128);
	assert_in_range((uint64_t)histogram_quantile_us(&histogram, 0.99), 4096, 8192);
	histogram_note(&histogram, UINT64_MAX);
	assert_int_equal((uint64_t)histogram_quantile_us(&histogram, 1), histogram_bound_us(HISTOGRAM_BOUNDS - 1));
}

/* A query that waited is taken out of one bucket and put into another, which may leave less than nothing in a part. */
static void sums_of_parts_below_zero_come_out_right(void **state)
{
	struct histogram server = { 0 }, waited = { 0 };

	(void)state;
	histogram_note(&server, 100);
	waited.counts[histogram_bucket(100)]--;
	histogram_note(&waited, 3000);
	histogram_add(&server, &waited);
	assert_int_equal(histogram_count(&server), 1);
	assert_int_equal(server.counts[histogram_bucket(100)], 0);
	assert_int_equal(server.counts[histogram_bucket(3000)], 1);
	histogram_subtract(&server, &server);
	assert_int_equal(histogram_count(&server), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_holds_what_is_below_its_bound),
		cmocka_unit_test(quantiles_lie_in_the_bucket_that_holds_them),
		cmocka_unit_test(sums_of_parts_below_zero_come_out_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
