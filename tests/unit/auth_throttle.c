#include "auth_fixture.h"

#include <stdio.h>

#include "pgweir/clock.h"
#include "throttle.h"

static bool allows(const char *text)
{
	struct sockaddr_storage address = fixture_address(text);

	return throttle_allows(&address);
}

static void fail_logins(const char *text, int count)
{
	struct sockaddr_storage address = fixture_address(text);

	for (int i = 0; i < count; i++) {
		assert_true(throttle_allows(&address));
		throttle_failed(&address);
	}
}

static int set_up(void **state)
{
	(void)state;
	throttle_reset();
	clock_fake(5000000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_fake(0);
	return 0;
}

static void a_burst_of_failures_is_allowed_and_then_one_a_second(void **state)
{
	(void)state;
	fail_logins("192.0.2.1", THROTTLE_BURST);
	assert_false(allows("192.0.2.1"));
	clock_fake(5000000 + 999000);
	assert_false(allows("192.0.2.1"));
	clock_fake(5000000 + 1000000);
	fail_logins("192.0.2.1", 1);
	assert_false(allows("192.0.2.1"));
	clock_fake(5000000 + 4000000);
	fail_logins("192.0.2.1", 3);
	assert_false(allows("192.0.2.1"));
	/* A quiet while fills the bucket, and no further than full. */
	clock_fake(5000000 + 1000000000);
	fail_logins("192.0.2.1", THROTTLE_BURST);
	assert_false(allows("192.0.2.1"));
}

static void other_addresses_are_not_concerned(void **state)
{
	(void)state;
	fail_logins("192.0.2.1", THROTTLE_BURST);
	assert_false(allows("192.0.2.1"));
	assert_true(allows("192.0.2.2"));
	assert_true(allows("::1"));
	assert_true(allows(NULL));
}

static void ipv6_counts_by_network(void **state)
{
	(void)state;
	fail_logins("2001:db8:0:1::1", THROTTLE_BURST / 2);
	fail_logins("2001:db8:0:1:ffff::2", THROTTLE_BURST / 2);
	assert_false(allows("2001:db8:0:1::3"));
	assert_true(allows("2001:db8:0:2::1"));
}

static void loopback_has_a_bigger_bucket_and_unix_sockets_none(void **state)
{
	(void)state;
	fail_logins("127.0.0.1", THROTTLE_LOOPBACK_BURST);
	assert_false(allows("127.0.0.1"));
	fail_logins("::1", THROTTLE_LOOPBACK_BURST);
	assert_false(allows("::1"));
	fail_logins(NULL, 10 * THROTTLE_LOOPBACK_BURST);
	assert_true(allows(NULL));
}

/* The table is bounded. Whoever floods it from many addresses gains nothing for the one that failed most. */
static void a_flood_of_addresses_does_not_free_the_worst(void **state)
{
	char text[32];

	(void)state;
	fail_logins("192.0.2.1", THROTTLE_BURST);
	for (int i = 0; i < 15000; i++) {
		snprintf(text, sizeof(text), "10.%d.%d.%d", i / 65536, i / 256 % 256, i % 256);
		fail_logins(text, 1);
	}
	assert_false(allows("192.0.2.1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_burst_of_failures_is_allowed_and_then_one_a_second),
		TEST(other_addresses_are_not_concerned),
		TEST(ipv6_counts_by_network),
		TEST(loopback_has_a_bigger_bucket_and_unix_sockets_none),
		TEST(a_flood_of_addresses_does_not_free_the_worst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
