/* When server connections are closed for their age: idle ones of one share, a tick each second of the test's own time. */
#include "config_testing.h"
#include "pgweir/clock.h"
#include "pool_internal.h"

enum { CONNECTIONS = 40, LIFETIME_S = 1000, TICKS_PER_SECOND = 1000 / WORKER_TICK_MS };

static struct worker worker;
static struct pool_share *share;
static uint64_t now_s;

static void set_time(uint64_t at_s)
{
	now_s = at_s;
	clock_fake(at_s * 1000000);
	worker.now_us = at_s * 1000000;
}

static int start(void **state)
{
	struct config *config = load("[pgweir]\nserver_lifetime = 1000\nserver_idle_timeout = 0\nserver_check_delay = 0\n"
	                             "default_pool_size = 40\n[database d]\nhost = 127.0.0.1\n");

	(void)state;
	worker = (struct worker){ .config = config };
	list_init(&worker.shares);
	list_init(&worker.cancels);
	list_init(&worker.hubs);
	set_time(5000);
	struct credentials *credentials = credentials_for_server(config, &config->databases[0], "u", NULL);
	struct pool_key key = {
		.config = config, .database = &config->databases[0], .database_name = "d", .user = "u", .credentials = credentials,
	};

	share = pool_share_find(&worker, &key);
	credentials_unref(&credentials);
	return 0;
}

static int end(void **state)
{
	(void)state;
	pool_worker_finish(&worker);
	map_fini(&worker.shares_by_key);
	config_unref(&worker.config);
	pools_free();
	clock_fake(0);
	return 0;
}

/* As if its login had just succeeded. */
static struct backend *open_one(uint32_t pid, enum backend_state state)
{
	const struct config_host *at = &share->database->cluster->hosts[0];
	struct server *server = NEW(struct server);

	conn_init(&server->conn, -1);
	server->pid = pid;
	server->opened_us = worker.now_us;
	server->target = pool_target(share, at, NULL);
	struct backend *backend = backend_new(server, share);

	backend->host = pool_host_get(at);
	backend->opened_as = share->opened_as;
	backend->idle_since_us = worker.now_us;
	assert_int_equal(pool_quotas_take(share, backend->host, 0), POOL_SCOPE_COUNT);
	atomic_fetch_add(&share->pool->live, 1);
	pool_attach(backend, share, state);
	return backend;
}

static void pass_a_second(void)
{
	set_time(now_s + 1);
	worker.ticks += TICKS_PER_SECOND;
	pool_worker_tick(&worker);
}

/* All are of the same second. Up to a fifth of the lifetime is taken off, each loses another part of it. */
static void expect_spread_ends(void)
{
	unsigned left = share->idle_count;

	for (unsigned second = 1; second < LIFETIME_S * 4 / 5; second++)
		pass_a_second();
	assert_int_equal(share->idle_count, CONNECTIONS);
	for (unsigned second = 0; second <= LIFETIME_S / 5 + 1; second++) {
		pass_a_second();
		assert_true(left - share->idle_count <= 1);
		left = share->idle_count;
	}
	assert_int_equal(left, 0);
	assert_int_equal(worker.closed[CLOSE_SERVER_LIFETIME], CONNECTIONS);
}

static void connections_opened_together_are_not_closed_together(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CONNECTIONS; i++)
		open_one(4711 + i, BACKEND_IDLE);
	expect_spread_ends();
}

/* What stands in front of a server may say the same pid to all, or none at all. */
static void nor_are_those_whose_server_says_no_pid(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < CONNECTIONS; i++)
		open_one(0, BACKEND_IDLE);
	expect_spread_ends();
}

static void one_that_is_lent_is_closed_when_it_comes_back(void **state)
{
	struct backend *backend = open_one(4711, BACKEND_LENT);

	(void)state;
	for (unsigned second = 1; second < LIFETIME_S * 4 / 5; second++)
		pass_a_second();
	assert_false(backend->retire);
	for (unsigned second = 0; second <= LIFETIME_S / 5 + 1; second++)
		pass_a_second();
	assert_int_equal(share->lent_count, 1);
	assert_true(backend->retire);
	pool_release(backend);
	assert_int_equal(share->lent_count + share->idle_count, 0);
	assert_int_equal(worker.closed[CLOSE_SERVER_LIFETIME], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connections_opened_together_are_not_closed_together, start, end),
		cmocka_unit_test_setup_teardown(nor_are_those_whose_server_says_no_pid, start, end),
		cmocka_unit_test_setup_teardown(one_that_is_lent_is_closed_when_it_comes_back, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
