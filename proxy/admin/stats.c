/* A snapshot of all counters at the end of each stats_period, and the averages of the period between two of them. */
#include "stats.h"

#include "pgweir/clock.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"

enum { COUNTERS = sizeof(struct pool_stats) / sizeof(uint64_t), PERIOD_WITHOUT_SETTING_MS = 60000 };
_Static_assert(COUNTERS * sizeof(uint64_t) == sizeof(struct pool_stats), "a pool's statistics are counters throughout");

static bool started;
static struct loop_timer timer;
static struct map latest;               /* By database: struct pool_stats as of `latest_us`. */
static uint64_t latest_us;
static struct map averages;             /* struct stats_averages of the period that ended then. */
static bool period_has_passed;

static bool free_value(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

static void clear(struct map *map)
{
	map_foreach(map, free_value, NULL);
	map_fini(map);
	*map = (struct map){ 0 };
}

void stats_collect(const struct pool_share *share, struct map *sums)
{
	struct pool_stats *sum = map_get_text(sums, share->database_name);

	if (!sum) {
		sum = NEW(struct pool_stats);
		map_put_text(sums, share->database_name, sum);
	}
	for (size_t i = 0; i < COUNTERS; i++)
		((uint64_t *)sum)[i] += ((const uint64_t *)&share->stats)[i];
}

static struct stats_averages average(const struct pool_stats *from, const struct pool_stats *to, uint64_t elapsed_us)
{
	struct pool_stats change;

	for (size_t i = 0; i < COUNTERS; i++)
		((uint64_t *)&change)[i] = ((const uint64_t *)to)[i] - ((const uint64_t *)from)[i];
	double seconds = elapsed_us ? (double)elapsed_us / 1e6 : 1;
#define PER_SECOND(counter) ((uint64_t)((double)(counter) / seconds))
	return (struct stats_averages){
		.transactions = PER_SECOND(change.transactions),
		.queries = PER_SECOND(change.queries),
		.server_assignments = PER_SECOND(change.server_assignments),
		.received_bytes = PER_SECOND(change.received_bytes),
		.sent_bytes = PER_SECOND(change.sent_bytes),
		.transaction_us = change.transactions ? change.transaction_us / change.transactions : 0,
		.query_us = change.queries ? change.query_us / change.queries : 0,
		.wait_us = PER_SECOND(change.wait_us),
		.client_parses = PER_SECOND(change.client_parses),
		.server_parses = PER_SECOND(change.server_parses),
		.binds = PER_SECOND(change.binds),
	};
#undef PER_SECOND
}

struct stats_averages stats_averages_of(const char *database_name, const struct pool_stats *now)
{
	static const struct pool_stats nothing;
	const struct stats_averages *found = map_get_text(&averages, database_name);

	if (found)
		return *found;
	if (period_has_passed)
		return (struct stats_averages){ 0 };
	return average(&nothing, now, clock_now_us() - control_started_us());
}

/* --- The end of a period --- */

struct snapshot {
	struct map sums;
	uint64_t elapsed_us;
};

static void visit(struct pool_share *share, void *arg)
{
	stats_collect(share, &((struct snapshot *)arg)->sums);
}

static bool average_one(const void *key, size_t size, void *value, void *arg)
{
	static const struct pool_stats nothing;
	const struct snapshot *snapshot = arg;
	const struct pool_stats *before = map_get(&latest, key, size);
	struct stats_averages *result = NEW(struct stats_averages);

	*result = average(before ? before : &nothing, value, snapshot->elapsed_us);
	map_put(&averages, key, size, result);
	return true;
}

static void restart_timer(void)
{
	uint64_t period_ms = control_config()->stats_period_ms;

	loop_timer_start(&timer, period_ms ? period_ms : PERIOD_WITHOUT_SETTING_MS);
}

static void take(void *arg)
{
	struct snapshot *snapshot = arg;
	uint64_t now_us = clock_now_us();

	snapshot->elapsed_us = now_us - latest_us;
	if (latest_us) {
		clear(&averages);
		map_foreach(&snapshot->sums, average_one, snapshot);
		period_has_passed = true;
	}
	clear(&latest);
	latest = snapshot->sums;
	latest_us = now_us;
	mem_free(snapshot);
	if (started)
		restart_timer();
	else
		stats_stop();
}

static void period_ends(void *unused)
{
	static const struct worker_walk walk = { .share = visit };

	(void)unused;
	workers_walk(control_loop(), &walk, take, NEW(struct snapshot));
}

void stats_start(void)
{
	if (started)
		return;
	started = true;
	loop_timer_init(&timer, control_loop(), period_ends, NULL);
	period_ends(NULL);
}

void stats_stop(void)
{
	if (started)
		loop_timer_stop(&timer);
	started = false;
	clear(&latest);
	clear(&averages);
	latest_us = 0;
	period_has_passed = false;
}
