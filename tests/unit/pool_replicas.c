/* Which replica a read goes to: by weight, by what is under way, and with care for one that has just come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pgweir/mem.h"
#include "pgweir/replicas.h"
#include "pgweir/topology.h"

enum { HOSTS = 3, SECOND_US = 1000 * 1000, DRAWS = 8000 };

/* A pool of one worker's, with replicas that the test makes as it likes. */
static struct worker worker;
static struct pool_share pool, replicas[HOSTS];
static struct pool_place places[HOSTS];
static struct topology_host hosts[HOSTS];
static struct config_cluster cluster;
static struct config_database database;

static int start(void **state)
{
	(void)state;
	worker = (struct worker){ .now_us = 1000 * (uint64_t)SECOND_US };
	cluster.max_lag_ms = database.max_lag_ms = 10000;
	database.cluster = &cluster;
	pool = (struct pool_share){ .worker = &worker, .database = &database, .replicas = NEW(struct pool_replicas) };
	pool.replicas->random = 88172645463325252u;
	pool.replicas->current = true;
	for (unsigned i = 0; i < HOSTS; i++) {
		places[i] = (struct pool_place){ 0 };
		replicas[i] = (struct pool_share){ .worker = &worker, .place = &places[i] };
		hosts[i] = (struct topology_host){ .standing = HOST_REPLICA, .weight = 1, .eligible = true };
		hosts[i].good_until_us = UINT64_MAX;
		hosts[i].fresh_as_of_us = worker.now_us;
		pool.replicas->all[i] = (struct pool_replica){ &replicas[i], &hosts[i] };
	}
	pool.replicas->count = HOSTS;
	return 0;
}

static int end(void **state)
{
	(void)state;
	mem_free(pool.replicas);
	return 0;
}

static struct pool_share *choose(struct replica_wish wish)
{
	enum route_cause why;

	return pool_replica_choose(&pool, &wish, &why);
}

/* How often each is chosen, while each read is over before the next one comes. */
static void draw(unsigned counts[HOSTS])
{
	for (unsigned i = 0; i < HOSTS; i++)
		counts[i] = 0;
	for (unsigned i = 0; i < DRAWS; i++)
		counts[choose((struct replica_wish){ 0 }) - replicas]++;
}

static void expect_part(unsigned count, unsigned percent)
{
	assert_in_range(count * 100 / DRAWS, percent - 3, percent + 3);
}

static void reads_that_come_one_at_a_time_are_spread_by_weight(void **state)
{
	unsigned counts[HOSTS];

	(void)state;
	draw(counts);
	for (unsigned i = 0; i < HOSTS; i++)
		expect_part(counts[i], 33);
	hosts[1].weight = 2;
	draw(counts);
	expect_part(counts[0], 25);
	expect_part(counts[1], 50);
	pool.replicas->count = 2;
	hosts[0].weight = 3;
	hosts[1].weight = 1;
	draw(counts);
	expect_part(counts[0], 75);
}

/* Those under way stand in proportion to the weights. */
static void many_at_once_are_spread_by_weight(void **state)
{
	(void)state;
	hosts[1].weight = 3;
	for (unsigned i = 0; i < 500; i++)
		choose((struct replica_wish){ 0 })->lent_count++;
	assert_in_range(replicas[0].lent_count, 90, 110);
	assert_in_range(replicas[1].lent_count, 285, 315);
}

static void one_that_is_slow_to_answer_gets_less(void **state)
{
	(void)state;
	replicas[0].lent_count = 10;
	replicas[1].waiter_count = 10;
	for (unsigned i = 0; i < 100; i++)
		choose((struct replica_wish){ 0 })->lent_count += 1;
	assert_true(replicas[2].lent_count > 30);
	assert_in_range(replicas[2].lent_count, 34, 42);
}

static void one_that_comes_back_gets_its_part_bit_by_bit(void **state)
{
	unsigned counts[HOSTS], before = 0;

	(void)state;
	pool.replicas->count = 2;
	hosts[0].eligible = false;
	draw(counts);
	assert_int_equal(counts[0], 0);
	hosts[0].eligible = true;
	for (unsigned second = 0; second <= 10; second += 2) {
		draw(counts);
		assert_true(counts[0] > before);
		before = counts[0];
		if (second == 0)
			assert_true(counts[0] < DRAWS / 10);
		worker.now_us += 2 * SECOND_US;
	}
	draw(counts);
	expect_part(counts[0], 50);
}

static void what_is_not_there_yet_is_not_read_there(void **state)
{
	struct replica_wish wish = { .see_all_until_us = worker.now_us - 5 };
	enum route_cause why;

	(void)state;
	hosts[0].fresh_as_of_us = worker.now_us - 5;
	hosts[1].fresh_as_of_us = worker.now_us - 4;
	hosts[2].fresh_as_of_us = worker.now_us - 6;
	for (unsigned i = 0; i < 50; i++)
		assert_ptr_equal(choose(wish), &replicas[1]);
	wish.see_all_until_us = worker.now_us;
	assert_null(pool_replica_choose(&pool, &wish, &why));
	assert_int_equal(why, ROUTE_OWN_WRITES);
	for (unsigned i = 0; i < HOSTS; i++)
		hosts[i].eligible = false;
	assert_null(pool_replica_choose(&pool, &wish, &why));
	assert_int_equal(why, ROUTE_LAG);
	/* routing = replica takes what there is. */
	wish.stale = true;
	assert_non_null(choose(wish));
	pool.replicas->count = 0;
	assert_null(pool_replica_choose(&pool, &wish, &why));
	assert_int_equal(why, ROUTE_NO_REPLICA);
}

/* And so that it does not come and go, one that was has to be well within the limit to get reads again. */
static void one_that_is_further_behind_than_the_database_bears_is_left_out(void **state)
{
	(void)state;
	pool.replicas->count = 1;
	database.max_lag_ms = 2000;
	hosts[0].fresh_as_of_us = worker.now_us - 1900 * 1000;
	assert_non_null(choose((struct replica_wish){ 0 }));
	hosts[0].fresh_as_of_us = worker.now_us - 2100 * 1000;
	assert_null(choose((struct replica_wish){ 0 }));
	hosts[0].fresh_as_of_us = worker.now_us - 1900 * 1000;
	assert_null(choose((struct replica_wish){ 0 }));
	hosts[0].fresh_as_of_us = worker.now_us - 900 * 1000;
	assert_non_null(choose((struct replica_wish){ 0 }));
	hosts[0].fresh_as_of_us = worker.now_us - 1900 * 1000;
	assert_non_null(choose((struct replica_wish){ 0 }));
	/* Where the database says nothing, or more, the cluster's limit has been looked at. */
	hosts[0].fresh_as_of_us = worker.now_us - 11000 * 1000;
	database.max_lag_ms = cluster.max_lag_ms;
	assert_non_null(choose((struct replica_wish){ 0 }));
	cluster.max_lag_ms = 0;
	assert_null(choose((struct replica_wish){ 0 }));
}

/* Monotonic reads: elsewhere only where as much is to be seen. */
static void a_session_does_not_go_back_in_time(void **state)
{
	struct replica_wish wish = { .last = &replicas[0], .last_read_us = worker.now_us - 5 };

	(void)state;
	hosts[0].fresh_as_of_us = hosts[1].fresh_as_of_us = worker.now_us - 10;
	hosts[2].fresh_as_of_us = worker.now_us - 5;
	for (unsigned i = 0; i < 50; i++)
		assert_ptr_equal(choose(wish), &replicas[0]);
	hosts[0].eligible = false;
	assert_null(choose(wish));
	hosts[1].fresh_as_of_us = worker.now_us - 4;
	assert_ptr_equal(choose(wish), &replicas[1]);
}

/* Where logins fail and no connection is left, nobody is sent. */
static void one_that_refuses_our_logins_is_left_out(void **state)
{
	(void)state;
	replicas[0].retry_at_us = replicas[1].retry_at_us = worker.now_us + SECOND_US;
	replicas[1].idle_count = 1;
	replicas[2].retry_at_us = worker.now_us;
	for (unsigned i = 0; i < 200; i++)
		assert_ptr_not_equal(choose((struct replica_wish){ 0 }), &replicas[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_that_come_one_at_a_time_are_spread_by_weight, start, end),
		cmocka_unit_test_setup_teardown(many_at_once_are_spread_by_weight, start, end),
		cmocka_unit_test_setup_teardown(one_that_is_slow_to_answer_gets_less, start, end),
		cmocka_unit_test_setup_teardown(one_that_comes_back_gets_its_part_bit_by_bit, start, end),
		cmocka_unit_test_setup_teardown(what_is_not_there_yet_is_not_read_there, start, end),
		cmocka_unit_test_setup_teardown(one_that_is_further_behind_than_the_database_bears_is_left_out, start, end),
		cmocka_unit_test_setup_teardown(a_session_does_not_go_back_in_time, start, end),
		cmocka_unit_test_setup_teardown(one_that_refuses_our_logins_is_left_out, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
