/* Which host is the primary, told from what hosts say, one observation at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cluster_state.h"

enum { A, B, C, HOSTS, AGREEMENT = 3 };

static struct cluster_state state;

static int set_up(void **unused)
{
	(void)unused;
	cluster_state_init(&state, HOSTS, AGREEMENT);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	cluster_state_fini(&state);
	return 0;
}

static bool says(size_t host, enum observed what, uint32_t timeline)
{
	bool up = what == OBSERVED_PRIMARY || what == OBSERVED_REPLICA;

	return cluster_state_observe(&state, host, &(struct observation){
		.what = what, .timeline = timeline, .system_identifier = up ? 77 : 0, .position = up });
}

static void says_often(size_t host, enum observed what, uint32_t timeline)
{
	for (int i = 0; i < AGREEMENT; i++)
		says(host, what, timeline);
}

static void expect(enum cluster_standing cluster, enum host_standing a, enum host_standing b, enum host_standing c)
{
	assert_int_equal(state.standing, cluster);
	assert_int_equal(state.hosts[A].standing, a);
	assert_int_equal(state.hosts[B].standing, b);
	assert_int_equal(state.hosts[C].standing, c);
}

/* A primary A of timeline 1 with the replicas B and C. */
static void settle(void)
{
	says(A, OBSERVED_PRIMARY, 1);
	says(B, OBSERVED_REPLICA, 1);
	says(C, OBSERVED_REPLICA, 1);
	expect(CLUSTER_SERVED, HOST_PRIMARY, HOST_REPLICA, HOST_REPLICA);
}

/* Whoever answers first may be an old primary. */
static void nothing_is_decided_before_every_host_was_looked_at(void **unused)
{
	(void)unused;
	says(A, OBSERVED_PRIMARY, 1);
	says(B, OBSERVED_REPLICA, 1);
	assert_int_equal(state.standing, CLUSTER_LOOKING);
	assert_int_equal(state.hosts[A].standing, HOST_UNKNOWN);
	says(C, OBSERVED_PRIMARY, 2);
	expect(CLUSTER_SERVED, HOST_FENCED, HOST_REPLICA, HOST_PRIMARY);
}

static void a_change_counts_once_enough_observations_agree(void **unused)
{
	(void)unused;
	settle();
	says(A, OBSERVED_DOWN, 0);
	says(A, OBSERVED_DOWN, 0);
	says(A, OBSERVED_PRIMARY, 1);
	says(A, OBSERVED_DOWN, 0);
	assert_false(says(A, OBSERVED_DOWN, 0));
	assert_int_equal(state.standing, CLUSTER_SERVED);
	assert_true(says(A, OBSERVED_DOWN, 0));
	expect(CLUSTER_WITHOUT_PRIMARY, HOST_DOWN, HOST_REPLICA, HOST_REPLICA);
	assert_false(says(A, OBSERVED_DOWN, 0));
}

/* It may only be a probe's connection that is gone. */
static void connections_to_a_primary_that_is_down_stay_until_there_is_another(void **unused)
{
	(void)unused;
	settle();
	says_often(A, OBSERVED_DOWN, 0);
	assert_true(state.hosts[A].keeps);
	assert_false(state.hosts[B].keeps);
	says(B, OBSERVED_PRIMARY, 2);
	assert_false(state.hosts[A].keeps);
}

static void a_promoted_replica_becomes_the_primary(void **unused)
{
	(void)unused;
	settle();
	says_often(A, OBSERVED_DOWN, 0);
	says_often(B, OBSERVED_PRIMARY, 2);
	expect(CLUSTER_SERVED, HOST_DOWN, HOST_PRIMARY, HOST_REPLICA);
}

/* Writes to it would be lost: one sight of the newer timeline is enough. */
static void a_newer_timeline_fences_the_old_primary_at_once(void **unused)
{
	(void)unused;
	settle();
	assert_true(says(B, OBSERVED_PRIMARY, 2));
	expect(CLUSTER_WITHOUT_PRIMARY, HOST_FENCED, HOST_REPLICA, HOST_REPLICA);
	assert_false(state.hosts[A].keeps);
	says_often(B, OBSERVED_PRIMARY, 2);
	expect(CLUSTER_SERVED, HOST_FENCED, HOST_PRIMARY, HOST_REPLICA);
}

static void a_replica_on_a_newer_timeline_fences_as_well(void **unused)
{
	(void)unused;
	settle();
	says(C, OBSERVED_REPLICA, 2);
	expect(CLUSTER_WITHOUT_PRIMARY, HOST_FENCED, HOST_REPLICA, HOST_REPLICA);
}

static void an_old_primary_that_comes_back_is_fenced(void **unused)
{
	(void)unused;
	settle();
	says_often(A, OBSERVED_DOWN, 0);
	says_often(B, OBSERVED_PRIMARY, 2);
	says_often(B, OBSERVED_DOWN, 0);
	says_often(A, OBSERVED_PRIMARY, 1);
	expect(CLUSTER_WITHOUT_PRIMARY, HOST_FENCED, HOST_DOWN, HOST_REPLICA);
}

static void the_fence_survives_a_change_of_the_configuration(void **unused)
{
	struct cluster_state former;

	(void)unused;
	settle();
	says(B, OBSERVED_PRIMARY, 2);
	former = state;
	cluster_state_init(&state, HOSTS, AGREEMENT);
	cluster_state_remember(&state, former.system_identifier, former.newest_timeline);
	cluster_state_fini(&former);
	says(A, OBSERVED_PRIMARY, 1);
	says(B, OBSERVED_DOWN, 0);
	says(C, OBSERVED_REPLICA, 1);
	expect(CLUSTER_WITHOUT_PRIMARY, HOST_FENCED, HOST_DOWN, HOST_REPLICA);
}

/* Restarted as a replica of the new primary, between two observations. */
static void an_old_primary_that_follows_is_no_rival_meanwhile(void **unused)
{
	(void)unused;
	settle();
	says_often(B, OBSERVED_PRIMARY, 2);
	says(A, OBSERVED_REPLICA, 2);
	expect(CLUSTER_SERVED, HOST_FENCED, HOST_PRIMARY, HOST_REPLICA);
	says(A, OBSERVED_REPLICA, 2);
	says(A, OBSERVED_REPLICA, 2);
	expect(CLUSTER_SERVED, HOST_REPLICA, HOST_PRIMARY, HOST_REPLICA);
}

static void two_primaries_on_one_timeline_are_undecided(void **unused)
{
	(void)unused;
	settle();
	says_often(B, OBSERVED_PRIMARY, 1);
	expect(CLUSTER_UNDECIDED, HOST_RIVAL, HOST_RIVAL, HOST_REPLICA);
	assert_false(state.hosts[A].keeps);
	says_often(A, OBSERVED_DOWN, 0);
	expect(CLUSTER_SERVED, HOST_DOWN, HOST_PRIMARY, HOST_REPLICA);
}

static void foreign_says(size_t host, enum observed what, uint32_t timeline)
{
	for (int i = 0; i < AGREEMENT; i++)
		cluster_state_observe(&state, host, &(struct observation){ .what = what, .timeline = timeline, .system_identifier = 99 });
}

static void hosts_of_different_systems_are_undecided(void **unused)
{
	(void)unused;
	foreign_says(A, OBSERVED_PRIMARY, 9);
	says(B, OBSERVED_REPLICA, 1);
	says(C, OBSERVED_PRIMARY, 1);
	expect(CLUSTER_UNDECIDED, HOST_RIVAL, HOST_REPLICA, HOST_RIVAL);
}

/* Neither becomes it the primary, nor does its timeline fence anybody. */
static void a_stranger_in_a_known_cluster_changes_nothing(void **unused)
{
	(void)unused;
	settle();
	foreign_says(C, OBSERVED_PRIMARY, 9);
	expect(CLUSTER_SERVED, HOST_PRIMARY, HOST_REPLICA, HOST_FOREIGN);
	says_often(A, OBSERVED_DOWN, 0);
	expect(CLUSTER_WITHOUT_PRIMARY, HOST_DOWN, HOST_REPLICA, HOST_FOREIGN);
}

/* As after pg_upgrade. One old host that is left, or only cannot be seen, is enough to wait. */
static void a_system_that_has_been_replaced_as_a_whole_is_followed(void **unused)
{
	(void)unused;
	settle();
	foreign_says(A, OBSERVED_PRIMARY, 1);
	foreign_says(B, OBSERVED_REPLICA, 1);
	says_often(C, OBSERVED_DOWN, 0);
	expect(CLUSTER_WITHOUT_PRIMARY, HOST_FOREIGN, HOST_FOREIGN, HOST_DOWN);
	foreign_says(C, OBSERVED_REPLICA, 1);
	expect(CLUSTER_SERVED, HOST_PRIMARY, HOST_REPLICA, HOST_REPLICA);
	assert_int_equal(state.system_identifier, 99);
}

static void a_host_that_refuses_to_be_looked_at_stays_what_it_was(void **unused)
{
	(void)unused;
	settle();
	says_often(A, OBSERVED_BLIND, 0);
	expect(CLUSTER_SERVED, HOST_PRIMARY, HOST_REPLICA, HOST_REPLICA);
}

static void a_cluster_that_cannot_be_looked_at_is_unobserved(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < HOSTS; i++)
		says(i, OBSERVED_BLIND, 0);
	expect(CLUSTER_UNOBSERVED, HOST_UNKNOWN, HOST_UNKNOWN, HOST_UNKNOWN);
	assert_true(state.hosts[A].keeps && state.hosts[B].keeps && state.hosts[C].keeps);
	settle();
}

/* --- Lag --- */

static const struct lag_wal wal = { 16 << 20, 8192 };

static void stands_at(size_t host, enum observed what, uint64_t asked_us, uint64_t position)
{
	cluster_state_observe(&state, host, &(struct observation){ .what = what, .timeline = 1, .system_identifier = 77,
		.asked_us = asked_us, .now_us = asked_us, .position = position, .wal = wal });
}

static void a_replica_is_as_fresh_as_the_last_position_it_has_passed(void **unused)
{
	(void)unused;
	settle();
	stands_at(A, OBSERVED_PRIMARY, 100, 5000);
	stands_at(A, OBSERVED_PRIMARY, 200, 6000);
	stands_at(A, OBSERVED_PRIMARY, 300, 7000);
	stands_at(B, OBSERVED_REPLICA, 310, 6999);
	assert_int_equal(state.hosts[B].fresh_as_of_us, 200);
	assert_int_equal(state.hosts[B].lag_bytes, 1);
	stands_at(B, OBSERVED_REPLICA, 320, 7000);
	assert_int_equal(state.hosts[B].fresh_as_of_us, 300);
	stands_at(C, OBSERVED_REPLICA, 320, 4999);
	assert_int_equal(state.hosts[C].fresh_as_of_us, 0);
}

/* Seen on real servers: insert 0/14000028, replayed 0/14000000, for ever. */
static void behind_a_page_header_nothing_is_left_to_replay(void **unused)
{
	(void)unused;
	assert_int_equal(lag_insert_position(0x14000028, wal), 0x14000000);
	assert_int_equal(lag_insert_position(0x14002018, wal), 0x14002000);
	assert_int_equal(lag_insert_position(0x14002028, wal), 0x14002028);
	assert_int_equal(lag_insert_position(0x14000028, (struct lag_wal){ 0 }), 0x14000028);
}

static void samples_of_another_history_are_dropped(void **unused)
{
	(void)unused;
	settle();
	stands_at(A, OBSERVED_PRIMARY, 100, 5000);
	stands_at(C, OBSERVED_REPLICA, 110, 5000);
	assert_int_equal(state.hosts[C].fresh_as_of_us, 100);
	says_often(B, OBSERVED_PRIMARY, 2);
	assert_int_equal(state.hosts[C].fresh_as_of_us, 0);
	assert_ptr_equal(state.sampled, &state.hosts[B]);
	assert_int_equal(state.samples.count, 1);
}

static void old_samples_are_thinned_out_and_the_newest_stay(void **unused)
{
	struct lag_samples samples = { 0 };

	(void)unused;
	for (uint64_t i = 1; i <= 1000; i++)
		lag_add(&samples, i, i * 10);
	assert_true(samples.count <= LAG_SAMPLES_MAX);
	assert_int_equal(lag_fresh_as_of(&samples, 10000), 1000);
	assert_int_equal(lag_fresh_as_of(&samples, 9999), 999);
	assert_int_equal(lag_fresh_as_of(&samples, 15), 1);
	assert_int_equal(lag_fresh_as_of(&samples, 9), 0);
	lag_add(&samples, 1001, 10000);
	assert_int_equal(lag_fresh_as_of(&samples, 10000), 1001);
}

/* A primary that is gone has written no more: how old its replicas are goes on being told. */
static void samples_of_a_primary_that_is_down_hold_until_there_is_another(void **unused)
{
	(void)unused;
	settle();
	stands_at(A, OBSERVED_PRIMARY, 100, 5000);
	says_often(A, OBSERVED_DOWN, 0);
	stands_at(B, OBSERVED_REPLICA, 110, 5000);
	assert_int_equal(state.hosts[B].fresh_as_of_us, 100);
	stands_at(C, OBSERVED_REPLICA, 110, 5000);
	says(B, OBSERVED_PRIMARY, 2);
	assert_int_equal(state.hosts[C].fresh_as_of_us, 0);
}

static void a_replica_that_has_replayed_all_gets_fresher_with_each_look_at_the_primary(void **unused)
{
	(void)unused;
	settle();
	stands_at(A, OBSERVED_PRIMARY, 100, 5000);
	stands_at(B, OBSERVED_REPLICA, 110, 5000);
	stands_at(A, OBSERVED_PRIMARY, 200, 5000);
	assert_int_equal(state.hosts[B].fresh_as_of_us, 200);
	stands_at(A, OBSERVED_PRIMARY, 300, 5001);
	assert_int_equal(state.hosts[B].fresh_as_of_us, 200);
}

/* --- Reads --- */

static void reads(size_t host, uint64_t now_us, uint64_t position, enum topology_reads expected)
{
	stands_at(A, OBSERVED_PRIMARY, now_us - 1, 5000);
	stands_at(host, OBSERVED_REPLICA, now_us, position);
	assert_int_equal(state.hosts[host].reads, expected);
}

static void settle_with_limits(uint64_t max_lag_us, uint64_t max_lag_bytes)
{
	settle();
	state.limits = (struct cluster_limits){ max_lag_us, max_lag_bytes, 300 };
	stands_at(A, OBSERVED_PRIMARY, 1000, 4000);
}

static void a_replica_beyond_the_limit_leaves_at_once_and_returns_when_it_has_been_well_for_a_while(void **unused)
{
	(void)unused;
	settle_with_limits(100, 0);
	assert_int_equal(state.hosts[B].reads, READS_UNMEASURED);
	reads(B, 1010, 4000, READS_ALLOWED);
	reads(B, 1100, 4000, READS_ALLOWED);
	reads(B, 1101, 4000, READS_LAG);
	reads(B, 1110, 5000, READS_RETURNING);
	reads(B, 1120, 5000, READS_RETURNING);
	reads(B, 1130, 5000, READS_ALLOWED);
	assert_int_equal(state.barred[READS_LAG], 1);
}

/* Four looks a second at everybody, of whom nobody writes; archive_timeout switches segments every minute, behind which the primary
 * inserts after a page header that no replica replays. */
static void an_idle_hour_is_not_taken_for_lag(void **unused)
{
	enum { SECOND_US = 1000 * 1000, LOOK_US = SECOND_US / 4 };
	const uint64_t segment = UINT64_C(16) << 20;
	uint64_t at_us = SECOND_US;

	(void)unused;
	settle();
	state.limits = (struct cluster_limits){ 1 * SECOND_US, 0, SECOND_US };
	for (uint64_t look = 0; look < 3600 * 4; look++, at_us += LOOK_US) {
		uint64_t start = segment * (2 + look / 240);

		stands_at(A, OBSERVED_PRIMARY, at_us, start + 40);
		stands_at(B, OBSERVED_REPLICA, at_us + 1, start);
		stands_at(C, OBSERVED_REPLICA, at_us + 2, start + 40);
	}
	for (int reason = 0; reason < READS_COUNT; reason++)
		assert_int_equal(state.barred[reason], 0);
	assert_int_equal(state.hosts[B].reads, READS_ALLOWED);
	assert_int_equal(state.hosts[B].lag_bytes, 0);
	assert_int_equal(state.hosts[B].fresh_as_of_us, at_us - LOOK_US);
	assert_int_equal(state.hosts[B].times_barred, 0);
}

/* Else it would come and go with every look. */
static void a_replica_that_is_only_just_within_the_limit_does_not_return(void **unused)
{
	(void)unused;
	settle_with_limits(100, 0);
	reads(B, 1101, 4000, READS_LAG);
	lag_add(&state.samples, 1200, 4999);
	for (uint64_t now_us = 1260; now_us < 1300; now_us += 10)
		reads(B, now_us, 4999, READS_RETURNING);
}

static void bytes_are_a_limit_of_their_own(void **unused)
{
	(void)unused;
	settle_with_limits(0, 1000);
	reads(B, 1010, 4000, READS_ALLOWED);
	reads(B, 1020, 3999, READS_LAG_BYTES);
	reads(B, 1030, 4501, READS_RETURNING);
}

/* It may have been restarted, with less replayed than before. */
static void a_lost_connection_or_an_old_look_takes_the_reads_away(void **unused)
{
	(void)unused;
	settle_with_limits(0, 0);
	reads(B, 1010, 5000, READS_ALLOWED);
	cluster_state_observe(&state, B, &(struct observation){ .what = OBSERVED_LOST, .now_us = 1011 });
	assert_int_equal(state.hosts[B].reads, READS_UNMEASURED);
	assert_int_equal(state.hosts[B].standing, HOST_REPLICA);
	reads(B, 1020, 5000, READS_ALLOWED);
	stands_at(A, OBSERVED_PRIMARY, 1320, 5000);
	assert_int_equal(state.hosts[B].reads, READS_ALLOWED);
	stands_at(A, OBSERVED_PRIMARY, 1321, 5000);
	assert_int_equal(state.hosts[B].reads, READS_UNMEASURED);
}

/* As on Aurora: no positions, no timelines. */
static void a_replica_that_tells_its_lag_needs_no_samples(void **unused)
{
	struct observation look = { .what = OBSERVED_REPLICA, .asked_us = 1000, .now_us = 1001, .tells_lag = true, .lag_us = 30 };

	(void)unused;
	state.limits = (struct cluster_limits){ 100, 0, 300 };
	cluster_state_observe(&state, A, &(struct observation){ .what = OBSERVED_PRIMARY });
	cluster_state_observe(&state, B, &look);
	look.tells_lag = false;
	cluster_state_observe(&state, C, &look);
	expect(CLUSTER_SERVED, HOST_PRIMARY, HOST_REPLICA, HOST_REPLICA);
	cluster_state_observe(&state, C, &look);
	assert_int_equal(state.hosts[C].reads, READS_UNMEASURED);
	look.tells_lag = true;
	cluster_state_observe(&state, B, &look);
	assert_int_equal(state.hosts[B].fresh_as_of_us, 970);
	assert_int_equal(state.hosts[B].reads, READS_ALLOWED);
	look.lag_us = 101;
	cluster_state_observe(&state, B, &look);
	assert_int_equal(state.hosts[B].reads, READS_LAG);
}

/* The endpoint of a cluster and that of its writer: one primary, not two. */
static void two_names_of_one_server_are_one_server(void **unused)
{
	struct observation writer = { .what = OBSERVED_PRIMARY, .server = 5, .shared_name = true };

	(void)unused;
	cluster_state_observe(&state, A, &writer);
	cluster_state_observe(&state, C, &(struct observation){ .what = OBSERVED_REPLICA, .server = 6 });
	writer.shared_name = false;
	cluster_state_observe(&state, B, &writer);
	expect(CLUSTER_SERVED, HOST_ALIAS, HOST_PRIMARY, HOST_REPLICA);
	for (int i = 0; i < AGREEMENT; i++)
		cluster_state_observe(&state, B, &(struct observation){ .what = OBSERVED_DOWN });
	expect(CLUSTER_SERVED, HOST_PRIMARY, HOST_DOWN, HOST_REPLICA);
}

/* Such a name may lead somewhere else with the next connection. */
static void a_shared_name_gets_no_reads(void **unused)
{
	(void)unused;
	settle_with_limits(0, 0);
	for (int i = 0; i < 2; i++)
		cluster_state_observe(&state, B, &(struct observation){ .what = OBSERVED_REPLICA, .timeline = 1, .system_identifier = 77,
			.position = 4000, .asked_us = 1010, .now_us = 1011, .shared_name = true });
	assert_int_equal(state.hosts[B].reads, READS_SHARED_NAME);
}

static void a_host_that_is_added_keeps_nobody_waiting(void **unused)
{
	struct cluster_state former;

	(void)unused;
	settle();
	former = state;
	cluster_state_init(&state, HOSTS, AGREEMENT);
	cluster_state_follow(&state, &former);
	cluster_state_keep_host(&state, A, &former.hosts[A]);
	cluster_state_keep_host(&state, B, &former.hosts[B]);
	cluster_state_add_host(&state, C, &former);
	says(B, OBSERVED_REPLICA, 1);
	expect(CLUSTER_SERVED, HOST_PRIMARY, HOST_REPLICA, HOST_UNKNOWN);
	says(C, OBSERVED_PRIMARY, 2);
	expect(CLUSTER_SERVED, HOST_FENCED, HOST_REPLICA, HOST_PRIMARY);
	cluster_state_fini(&former);
}

static void weight_nothing_and_other_roles_get_no_reads(void **unused)
{
	(void)unused;
	settle_with_limits(0, 0);
	state.hosts[B].weight = 0;
	reads(B, 1010, 5000, READS_UNWEIGHTED);
	assert_int_equal(state.hosts[A].reads, READS_NOT_REPLICA);
}

static void a_reader_may_bear_less_than_the_cluster_allows(void **unused)
{
	struct topology_host host = { .fresh_as_of_us = 1000, .good_until_us = 1200, .eligible = true };

	(void)unused;
	assert_true(topology_may_read(&host, 0, 1200));
	assert_false(topology_may_read(&host, 0, 1201));
	assert_true(topology_may_read(&host, 100, 1100));
	assert_false(topology_may_read(&host, 100, 1101));
	host.eligible = false;
	assert_false(topology_may_read(&host, 0, 1100));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_decided_before_every_host_was_looked_at),
		TEST(a_change_counts_once_enough_observations_agree),
		TEST(connections_to_a_primary_that_is_down_stay_until_there_is_another),
		TEST(a_promoted_replica_becomes_the_primary),
		TEST(a_newer_timeline_fences_the_old_primary_at_once),
		TEST(a_replica_on_a_newer_timeline_fences_as_well),
		TEST(an_old_primary_that_comes_back_is_fenced),
		TEST(the_fence_survives_a_change_of_the_configuration),
		TEST(an_old_primary_that_follows_is_no_rival_meanwhile),
		TEST(two_primaries_on_one_timeline_are_undecided),
		TEST(hosts_of_different_systems_are_undecided),
		TEST(a_stranger_in_a_known_cluster_changes_nothing),
		TEST(a_system_that_has_been_replaced_as_a_whole_is_followed),
		TEST(a_host_that_refuses_to_be_looked_at_stays_what_it_was),
		TEST(a_cluster_that_cannot_be_looked_at_is_unobserved),
		TEST(a_replica_is_as_fresh_as_the_last_position_it_has_passed),
		TEST(behind_a_page_header_nothing_is_left_to_replay),
		TEST(samples_of_another_history_are_dropped),
		TEST(old_samples_are_thinned_out_and_the_newest_stay),
		TEST(samples_of_a_primary_that_is_down_hold_until_there_is_another),
		TEST(a_replica_that_has_replayed_all_gets_fresher_with_each_look_at_the_primary),
		TEST(a_replica_beyond_the_limit_leaves_at_once_and_returns_when_it_has_been_well_for_a_while),
		TEST(an_idle_hour_is_not_taken_for_lag),
		TEST(a_replica_that_is_only_just_within_the_limit_does_not_return),
		TEST(bytes_are_a_limit_of_their_own),
		TEST(a_lost_connection_or_an_old_look_takes_the_reads_away),
		TEST(a_replica_that_tells_its_lag_needs_no_samples),
		TEST(two_names_of_one_server_are_one_server),
		TEST(a_shared_name_gets_no_reads),
		TEST(a_host_that_is_added_keeps_nobody_waiting),
		TEST(weight_nothing_and_other_roles_get_no_reads),
		TEST(a_reader_may_bear_less_than_the_cluster_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
