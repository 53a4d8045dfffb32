/* Places for server connections, and who is told when one becomes free. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgweir/quota.h"

static void no_more_than_the_limit_are_taken(void **unused)
{
	struct quota quota;

	(void)unused;
	quota_init(&quota, 2);
	assert_true(quota_take(&quota, 0, 0));
	assert_true(quota_take(&quota, 0, 1));
	assert_false(quota_take(&quota, 0, 0));
	assert_int_equal(quota_used(&quota), 2);
	quota_put_back(&quota);
	assert_true(quota_take(&quota, 0, 0));
}

static void without_a_limit_all_are_taken(void **unused)
{
	struct quota quota;

	(void)unused;
	quota_init(&quota, QUOTA_UNLIMITED);
	for (int i = 0; i < 1000; i++)
		assert_true(quota_take(&quota, 0, 0));
	assert_int_equal(quota_used(&quota), 1000);
}

/* The reserve of a pool. */
static void extra_places_lie_beyond_the_limit(void **unused)
{
	struct quota quota;

	(void)unused;
	quota_init(&quota, 1);
	assert_true(quota_take(&quota, 0, 0));
	assert_false(quota_take(&quota, 0, 0));
	assert_true(quota_take(&quota, 2, 0));
	assert_true(quota_take(&quota, 2, 0));
	assert_false(quota_take(&quota, 2, 0));
	assert_int_equal(quota_used(&quota), 3);
}

static void a_place_given_back_names_those_who_were_refused_once(void **unused)
{
	struct quota quota;

	(void)unused;
	quota_init(&quota, 1);
	assert_true(quota_take(&quota, 0, 5));
	assert_false(quota_take(&quota, 0, 0));
	assert_false(quota_take(&quota, 0, QUOTA_WORKERS_MAX - 1));
	assert_true(quota_give(&quota) == (UINT64_C(1) | UINT64_C(1) << (QUOTA_WORKERS_MAX - 1)));
	assert_true(quota_take(&quota, 0, 5));
	assert_true(quota_give(&quota) == 0);
}

/* Whoever undoes a step of its own must not wake those whom it has just refused a place elsewhere. */
static void putting_back_keeps_the_marks(void **unused)
{
	struct quota quota;

	(void)unused;
	quota_init(&quota, 1);
	assert_true(quota_take(&quota, 0, 0));
	assert_false(quota_take(&quota, 0, 3));
	quota_put_back(&quota);
	assert_int_equal(quota_used(&quota), 0);
	assert_true(quota_take(&quota, 0, 0));
	assert_true(quota_give(&quota) == UINT64_C(1) << 3);
}

/* A lowered limit closes nothing by itself, and lets nobody in before enough have left. */
static void a_lowered_limit_holds_from_then_on(void **unused)
{
	struct quota quota;

	(void)unused;
	quota_init(&quota, 3);
	for (int i = 0; i < 3; i++)
		assert_true(quota_take(&quota, 0, 0));
	quota_set_limit(&quota, 1);
	(void)quota_give(&quota);
	(void)quota_give(&quota);
	assert_false(quota_take(&quota, 0, 0));
	(void)quota_give(&quota);
	assert_true(quota_take(&quota, 0, 0));
	quota_set_limit(&quota, 2);
	assert_true(quota_take(&quota, 0, 0));
}

static struct quota shared;
static _Atomic int holders;
static _Atomic bool exceeded;

enum { LIMIT = 2 };

static void *take_and_give(void *arg)
{
	unsigned worker = (unsigned)(uintptr_t)arg;

	for (int i = 0; i < 5000; i++) {
		if (!quota_take(&shared, 0, worker))
			continue;
		if (++holders > LIMIT)
			exceeded = true;
		holders--;
		(void)quota_give(&shared);
	}
	return NULL;
}

static void threads_together_keep_to_the_limit(void **unused)
{
	pthread_t threads[4];

	(void)unused;
	quota_init(&shared, LIMIT);
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_false(exceeded);
	assert_int_equal(quota_used(&shared), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_than_the_limit_are_taken),
		cmocka_unit_test(without_a_limit_all_are_taken),
		cmocka_unit_test(extra_places_lie_beyond_the_limit),
		cmocka_unit_test(a_place_given_back_names_those_who_were_refused_once),
		cmocka_unit_test(putting_back_keeps_the_marks),
		cmocka_unit_test(a_lowered_limit_holds_from_then_on),
		cmocka_unit_test(threads_together_keep_to_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
