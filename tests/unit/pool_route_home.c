/* What is remembered of statements that replicas have refused: for a while, and never too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgweir/route_home.h"

#define SECOND_US UINT64_C(1000000)
#define FINGERPRINT UINT64_C(0x123456789abcdef0)

static int end(void **state)
{
	(void)state;
	route_homes_free();
	return 0;
}

static void a_home_is_of_a_cluster_and_a_database(void **state)
{
	struct route_home *home = route_home_get("main", "app");

	(void)state;
	assert_ptr_equal(route_home_get("main", "app"), home);
	assert_ptr_not_equal(route_home_get("main", "other"), home);
	assert_ptr_not_equal(route_home_get("other", "app"), home);
}

static void a_refusal_is_remembered_until_its_time_is_over(void **state)
{
	struct route_home *home = route_home_get("main", "app");

	(void)state;
	assert_false(route_home_remembers(home, FINGERPRINT, 0));
	route_home_remember(home, FINGERPRINT, 60 * SECOND_US);
	assert_true(route_home_remembers(home, FINGERPRINT, 0));
	assert_true(route_home_remembers(home, FINGERPRINT, 60 * SECOND_US));
	assert_false(route_home_remembers(home, FINGERPRINT, 62 * SECOND_US));
	assert_false(route_home_remembers(home, FINGERPRINT ^ UINT64_C(1) << 40, 0));
}

/* What was judged by the memory as it was is judged anew. */
static void each_refusal_makes_the_memory_another_one(void **state)
{
	struct route_home *home = route_home_get("main", "app");
	uint64_t before = home->serial;

	(void)state;
	route_home_remember(home, FINGERPRINT, SECOND_US);
	assert_true(home->serial > before);
}

static void what_comes_later_takes_the_place(void **state)
{
	struct route_home *home = route_home_get("main", "app");
	uint64_t rival = FINGERPRINT ^ UINT64_C(1) << 50;

	(void)state;
	route_home_remember(home, FINGERPRINT, 60 * SECOND_US);
	route_home_remember(home, rival, 60 * SECOND_US);
	assert_false(route_home_remembers(home, FINGERPRINT, 0));
	assert_true(route_home_remembers(home, rival, 0));
	route_home_remember(home, FINGERPRINT + 1, 60 * SECOND_US);
	assert_true(route_home_remembers(home, rival, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_home_is_of_a_cluster_and_a_database, end),
		cmocka_unit_test_teardown(a_refusal_is_remembered_until_its_time_is_over, end),
		cmocka_unit_test_teardown(each_refusal_makes_the_memory_another_one, end),
		cmocka_unit_test_teardown(what_comes_later_takes_the_place, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
