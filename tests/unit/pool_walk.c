/* What is shown of pools and sessions is collected a little at a time, and nothing of it twice or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/pool.h"
#include "pgweir/worker.h"

enum { WORKERS = 2, SHARES = 300, SESSIONS = 300, NEWCOMERS = 40, PER_TURN = 64 };

/* What stands in for a session; only its link matters to a walk. */
struct member {
	struct list link;
	unsigned seen;
	bool gone;
};

static struct config *config;
static struct loop *home;
static struct member members[WORKERS][SESSIONS];

/* What the walk has met. */
static struct {
	struct map seen;                /* Shares, each once. */
	unsigned shares, sessions, ends, turns;
	unsigned in_turn, most_in_turn;
	uint64_t turn;
	struct worker *at;
	unsigned newcomers;
	unsigned faults;                /* Asserting is for the test's own thread. */
} met;

static void no_hook(struct worker *worker) { (void)worker; }
static const struct worker_hooks hooks = { .prepare = no_hook, .tick = no_hook, .finish = no_hook };

static struct pool_share *make_share(struct worker *worker, unsigned number)
{
	const struct config_database *database = &config->databases[0];
	struct credentials *credentials = credentials_for_server(config, database, "app", NULL);
	char name[24];

	snprintf(name, sizeof(name), "database%u", number);
	struct pool_key key = { .config = config, .database = database, .database_name = name, .user = "app", .credentials = credentials };
	struct pool_share *share = pool_share_find(worker, &key);

	credentials_unref(&credentials);
	return share;
}

static void fill(struct worker *worker, void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < SHARES; i++)
		make_share(worker, i);
	for (unsigned i = 0; i < SESSIONS; i++)
		list_push_back(&worker->sessions, &members[worker->index][i].link);
}

static void stop_home(void *unused)
{
	(void)unused;
	loop_stop(home);
}

static int start(void **state)
{
	static const char text[] = "[pgweir]\nauth_type = trust\nthreads = 2\n[database *]\nhost = 127.0.0.1\n";
	struct config_problems problems = { 0 };

	(void)state;
	memset(&met, 0, sizeof(met));
	memset(members, 0, sizeof(members));
	config = config_load_text("t.ini", text, strlen(text), &problems);
	assert_non_null(config);
	config_problems_fini(&problems);
	home = loop_new("home");
	workers_start(config, &hooks);
	workers_visit(home, fill, stop_home, NULL);
	loop_run(home);
	return 0;
}

static int end(void **state)
{
	(void)state;
	workers_stop();
	loop_free(&home);
	config_unref(&config);
	map_fini(&met.seen);
	return 0;
}

static void note(struct worker *worker)
{
	if (met.at != worker || met.turn != loop_turn(worker->loop)) {
		met.at = worker;
		met.turn = loop_turn(worker->loop);
		met.in_turn = 0;
		met.turns++;
	}
	if (++met.in_turn > met.most_in_turn)
		met.most_in_turn = met.in_turn;
}

static void see_share(struct pool_share *share, void *unused)
{
	(void)unused;
	note(share->worker);
	met.faults += map_get(&met.seen, &share, sizeof(share)) != NULL;
	map_put(&met.seen, &share, sizeof(share), share);
	met.shares++;
}

/* A thousand pools are not copied while a client waits for its turn. */
static void a_turn_of_a_worker_looks_at_a_few_pools_only(void **state)
{
	static const struct worker_walk walk = { .share = see_share };

	(void)state;
	workers_walk(home, &walk, stop_home, NULL);
	loop_run(home);
	assert_int_equal(met.faults, 0);
	assert_int_equal(met.shares, WORKERS * SHARES);
	assert_in_range(met.most_in_turn, 1, PER_TURN);
	assert_true(met.turns >= WORKERS * SHARES / PER_TURN);
}

/* Between the first slice and the next, from the worker's own loop, as a client's arrival would be. */
static void come(struct worker *worker, void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < NEWCOMERS; i++)
		make_share(worker, SHARES + i);
	met.newcomers += NEWCOMERS;
}

static void see_share_while_others_come(struct pool_share *share, void *unused)
{
	if (strcmp(share->database_name, "database0") == 0)
		workers_wake(UINT64_C(1) << share->worker->index, come, NULL);
	see_share(share, unused);
}

static void end_of_worker(struct worker *worker, void *unused)
{
	(void)unused;
	met.faults += worker->index != met.ends++;
}

/* See_share() has looked whether one came twice. */
static void pools_that_are_made_meanwhile_hide_none_and_double_none(void **state)
{
	static const struct worker_walk walk = { .share = see_share_while_others_come, .last = end_of_worker };

	(void)state;
	workers_walk(home, &walk, stop_home, NULL);
	loop_run(home);
	assert_int_equal(met.faults, 0);
	assert_int_equal(met.newcomers, WORKERS * NEWCOMERS);
	assert_in_range(met.shares, WORKERS * SHARES, WORKERS * (SHARES + NEWCOMERS));
	assert_int_equal(met.ends, WORKERS);
}

/* Every second one of those that come next. */
static void leave(struct worker *worker, void *arg)
{
	struct member *last_seen = arg;
	unsigned at = (unsigned)(last_seen - members[worker->index]);

	for (unsigned i = at + 1; i < SESSIONS && i < at + 1 + PER_TURN; i += 2) {
		struct member *member = &members[worker->index][i];

		worker_walk_skip(worker, &member->link);
		list_remove(&member->link);
		member->gone = true;
	}
}

static struct worker *worker_of(const struct member *member)
{
	return worker_at(member < members[1] ? 0 : 1);
}

static void see_session(struct list *link, void *unused)
{
	struct member *member = LIST_MEMBER(link, struct member, link);

	(void)unused;
	note(worker_of(member));
	met.faults += member->gone || member->seen++;
	met.sessions++;
	/* A walk that stands on one that has gone would never end. */
	CHECK(met.sessions <= WORKERS * SESSIONS);
	/* The last of each slice: the one after it is among those that leave before the walk goes on. */
	if (met.in_turn == PER_TURN)
		workers_wake(UINT64_C(1) << worker_of(member)->index, leave, member);
}

static void sessions_that_end_meanwhile_do_not_break_the_walk(void **state)
{
	static const struct worker_walk walk = { .session = see_session, .share = see_share, .last = end_of_worker };
	unsigned gone = 0;

	(void)state;
	workers_walk(home, &walk, stop_home, NULL);
	loop_run(home);
	for (unsigned i = 0; i < WORKERS * SESSIONS; i++) {
		const struct member *member = &members[i / SESSIONS][i % SESSIONS];

		gone += member->gone;
		assert_int_equal(member->seen + member->gone, 1);
	}
	assert_true(gone >= WORKERS * PER_TURN / 2);
	assert_int_equal(met.sessions, WORKERS * SESSIONS - gone);
	assert_int_equal(met.faults, 0);
	assert_int_equal(met.shares, WORKERS * SHARES);
	assert_in_range(met.most_in_turn, 1, PER_TURN);
	assert_int_equal(met.ends, WORKERS);
}

/* Itself and the one behind it. */
static void end_two(struct list *link, void *arg)
{
	struct worker *worker = arg;
	struct list *two[] = { link->next, link };

	LIST_MEMBER(link, struct member, link)->seen++;
	for (size_t i = 0; i < ARRAY_LEN(two); i++) {
		if (two[i] == &worker->sessions)
			continue;
		LIST_MEMBER(two[i], struct member, link)->gone = true;
		worker_walk_skip(worker, two[i]);
		list_remove(two[i]);
	}
}

static void a_session_that_ends_may_take_the_next_one_with_it(void **state)
{
	struct worker worker = { 0 };
	struct member five[5] = { 0 };

	(void)state;
	list_init(&worker.sessions);
	list_init(&worker.walks);
	for (size_t i = 0; i < ARRAY_LEN(five); i++)
		list_push_back(&worker.sessions, &five[i].link);
	worker_visit_sessions(&worker, end_two, &worker);
	for (size_t i = 0; i < ARRAY_LEN(five); i++) {
		assert_true(five[i].gone);
		assert_int_equal(five[i].seen, i % 2 == 0);
	}
	assert_true(list_empty(&worker.sessions));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_turn_of_a_worker_looks_at_a_few_pools_only, start, end),
		cmocka_unit_test_setup_teardown(pools_that_are_made_meanwhile_hide_none_and_double_none, start, end),
		cmocka_unit_test(a_session_that_ends_may_take_the_next_one_with_it),
		cmocka_unit_test_setup_teardown(sessions_that_end_meanwhile_do_not_break_the_walk, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
