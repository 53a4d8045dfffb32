/* Who gets descriptors when there are not enough: a limit is divided once, and each count decides for the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgweir/descriptors.h"

enum { MANY = 100000 };

/* How many of them come, one after another, while `may` says so. */
static unsigned come(bool (*may)(void), bool client)
{
	unsigned count = 0;

	while (count < MANY && may()) {
		descriptors_count(client, 1);
		count++;
	}
	return count;
}

static void go(bool client, unsigned count)
{
	while (count--)
		descriptors_count(client, -1);
}

/* The first test: nothing has been planned. */
static void without_a_plan_nothing_is_limited(void **state)
{
	(void)state;
	assert_int_equal(come(descriptors_for_client, true), MANY);
	assert_int_equal(come(descriptors_for_server, false), MANY);
	assert_false(descriptors_crowded());
	assert_true(descriptors_for_sessions() > MANY);
	go(true, MANY);
	go(false, MANY);
}

static void clients_leave_what_servers_want(void **state)
{
	(void)state;
	descriptors_plan(1000, 200);
	unsigned clients = come(descriptors_for_client, true), servers = come(descriptors_for_server, false);

	assert_true(descriptors_for_sessions() < clients);      /* The others are logging in. */
	assert_true(descriptors_crowded());
	assert_in_range(servers, 200, 200);
	assert_in_range(clients, 650, 750);
	go(true, clients);
	assert_false(descriptors_crowded());
	go(false, servers);
}

/* And servers leave room for those who log in, so that an administrator can look. */
static void what_clients_do_not_take_servers_may(void **state)
{
	(void)state;
	descriptors_plan(1000, 200);
	unsigned servers = come(descriptors_for_server, false);

	assert_true(servers > 700);
	assert_int_equal(descriptors_for_sessions(), 1);
	unsigned clients = come(descriptors_for_client, true);

	assert_true(clients > descriptors_for_administrators() + 1);
	assert_true(servers + clients < 1000 - 50);
	go(true, clients);
	go(false, servers);
}

static void servers_that_want_all_get_half(void **state)
{
	(void)state;
	descriptors_plan(1000, 1000000);
	unsigned sessions = descriptors_for_sessions(), clients = come(descriptors_for_client, true);
	unsigned servers = come(descriptors_for_server, false);

	assert_in_range(sessions, 400, 450);
	assert_in_range(servers, sessions - 1, sessions);
	go(true, clients);
	go(false, servers);
}

/* Down to where there is nothing to divide: nobody is locked out by a number below zero. */
static void small_limits_are_divided_too(void **state)
{
	(void)state;
	for (uint64_t limit = 0; limit < 200; limit++) {
		descriptors_plan(limit, 20);
		unsigned clients = come(descriptors_for_client, true), servers = come(descriptors_for_server, false);

		assert_true(clients + servers <= limit);
		assert_true(limit < 40 || (clients >= 10 && servers >= 5 && descriptors_for_administrators() >= 1));
		assert_true(descriptors_for_sessions() >= 1);
		go(true, clients);
		go(false, servers);
	}
}

static void as_many_clients_as_wanted_have_a_place(void **state)
{
	(void)state;
	descriptors_plan(descriptors_wanted(5000, 300), 300);
	assert_true(descriptors_for_sessions() >= 5000);
	assert_int_equal(descriptors_for_administrators(), 10);
}

static void a_crowd_that_has_gone_is_known_until_it_is_forgotten(void **state)
{
	(void)state;
	descriptors_forget_most();
	for (int i = 0; i < 500; i++)
		descriptors_count(true, 1);
	assert_int_equal(descriptors_clients_fallen(), 0);
	go(true, 300);
	assert_int_equal(descriptors_clients_fallen(), 300);
	descriptors_forget_most();
	descriptors_count(true, 1);
	go(true, 1);
	assert_int_equal(descriptors_clients_fallen(), 1);
	go(true, 200);
	assert_int_equal(descriptors_clients_fallen(), 201);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_plan_nothing_is_limited),
		cmocka_unit_test(clients_leave_what_servers_want),
		cmocka_unit_test(what_clients_do_not_take_servers_may),
		cmocka_unit_test(servers_that_want_all_get_half),
		cmocka_unit_test(small_limits_are_divided_too),
		cmocka_unit_test(as_many_clients_as_wanted_have_a_place),
		cmocka_unit_test(a_crowd_that_has_gone_is_known_until_it_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
