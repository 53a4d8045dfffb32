/* SHOW POOLS, PINS, THREADS: what the workers' shares add up to. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pgweir/mem.h"
#include "pgweir/replicas.h"
#include "pgweir/session.h"
#include "show.h"

/* What is added up under one name; made when first asked for. */
static void *sum_for(struct job *job, const char *name, size_t size)
{
	void *sum = map_get_text(&job->sums, name);

	if (!sum) {
		sum = mem_alloc(size);
		map_put_text(&job->sums, name, sum);
	}
	return sum;
}

/* --- SHOW POOLS --- */

static const struct column pool_columns[] = {
	{ "database", COLUMN_TEXT },
	{ "user", COLUMN_TEXT },
	{ "cl_active", COLUMN_INT8 },
	{ "cl_waiting", COLUMN_INT8 },
	{ "cl_active_cancel_req", COLUMN_INT8 },
	{ "cl_waiting_cancel_req", COLUMN_INT8 },
	{ "sv_active", COLUMN_INT8 },
	{ "sv_active_cancel", COLUMN_INT8 },
	{ "sv_being_canceled", COLUMN_INT8 },
	{ "sv_idle", COLUMN_INT8 },
	{ "sv_used", COLUMN_INT8 },
	{ "sv_tested", COLUMN_INT8 },
	{ "sv_login", COLUMN_INT8 },
	{ "maxwait", COLUMN_INT8 },
	{ "maxwait_us", COLUMN_INT8 },
	{ "pool_mode", COLUMN_TEXT },
	{ "pool_size", COLUMN_INT8 },
	{ "replication", COLUMN_TEXT },
};
const struct table pools_table = TABLE(pool_columns);

/* Names are the pool's, which lives as long as the process. */
struct pool_sum {
	const struct pool *pool;
	enum pool_mode mode;
	bool replication;
	unsigned clients, waiting, linked, cancelled_active, cancelled, idle, cleaning, opening;
	uint64_t longest_wait_us;
};

static unsigned count_cancelled(struct list *backends)
{
	unsigned count = 0;

	LIST_FOREACH(link, next, backends)
		count += !list_empty(&LIST_MEMBER(link, struct backend, link)->cancel_tickets);
	return count;
}

static void add_share(struct pool_sum *sum, struct pool_share *share)
{
	struct list *first = list_first(&share->waiters);

	sum->pool = pool_home(share);
	sum->mode = share->replication ? POOL_MODE_SESSION : share->settings.mode;
	sum->replication = share->replication;
	sum->clients += share->session_count;
	sum->waiting += share->waiter_count;
	sum->linked += share->lent_count;
	sum->cancelled_active += count_cancelled(&share->lent);
	sum->cancelled += count_cancelled(&share->cleaning);
	sum->idle += share->idle_count;
	sum->cleaning += share->cleaning_count;
	sum->opening += share->opening;
	if (!first)
		return;
	uint64_t wait_us = share->worker->now_us - LIST_MEMBER(first, struct pool_waiter, link)->since_us;

	if (wait_us > sum->longest_wait_us)
		sum->longest_wait_us = wait_us;
}

static void visit_pool(struct pool_share *share, void *arg)
{
	add_share(sum_for(arg, pool_home(share)->key, sizeof(struct pool_sum)), share);
}

static void put_pool(struct result *result, const struct pool_sum *sum)
{
	result_begin(result);
	result_text(result, sum->pool->database->name);
	result_text(result, sum->pool->user->name);
	result_int(result, sum->clients - sum->waiting);
	result_int(result, sum->waiting);
	/* Cancels are not clients of a pool here. */
	result_int(result, 0);
	result_int(result, 0);
	result_int(result, sum->linked);
	result_int(result, sum->cancelled_active);
	result_int(result, sum->cancelled);
	result_int(result, sum->idle);
	result_int(result, 0);
	result_int(result, sum->cleaning - sum->cancelled);
	result_int(result, sum->opening);
	result_int(result, (int64_t)(sum->longest_wait_us / 1000000));
	result_int(result, (int64_t)(sum->longest_wait_us % 1000000));
	result_text(result, show_pool_mode(sum->mode));
	result_int(result, sum->pool->quota.limit);
	result_text(result, sum->replication ? "yes" : "no");
	result_end(result);
}

struct sorted {
	const struct pool_sum **sums;
	size_t count;
};

static bool append(const void *key, size_t size, void *value, void *arg)
{
	struct sorted *sorted = arg;

	(void)key, (void)size;
	sorted->sums[sorted->count++] = value;
	return true;
}

static int by_name(const void *a, const void *b)
{
	const struct pool_sum *left = *(const struct pool_sum *const *)a;
	const struct pool_sum *right = *(const struct pool_sum *const *)b;
	int order = strcmp(left->pool->database->name, right->pool->database->name);

	if (order == 0)
		order = strcmp(left->pool->user->name, right->pool->user->name);
	return order ? order : left->replication - right->replication;
}

static void put_pools(struct job *job)
{
	struct sorted sorted = { NEW_ARRAY(const struct pool_sum *, job->sums.size + 1), 0 };

	map_foreach(&job->sums, append, &sorted);
	qsort(sorted.sums, sorted.count, sizeof(struct pool_sum *), by_name);
	for (size_t i = 0; i < sorted.count; i++)
		put_pool(&job->result, sorted.sums[i]);
	mem_free(sorted.sums);
	show_done(job);
}

void show_pools(struct job *job)
{
	static const struct worker_walk walk = { .share = visit_pool };

	job_walk(job, &walk, put_pools);
}

/* --- SHOW PINS --- */

static const struct column pin_columns[] = {
	{ "reason", COLUMN_TEXT },
	{ "count", COLUMN_INT8 },
};
const struct table pins_table = TABLE(pin_columns);

struct pin_sum {
	int64_t counts[PIN_COUNT];
};

static void visit_pins(struct list *link, void *arg)
{
	struct pin_sum *sum = sum_for(arg, "", sizeof(*sum));

	for (unsigned pin = 0; pin < PIN_COUNT; pin++)
		sum->counts[pin] += (LIST_MEMBER(link, struct session, link)->pins & PIN_BIT(pin)) != 0;
}

static void put_pins(struct job *job)
{
	const struct pin_sum *sum = sum_for(job, "", sizeof(*sum));

	for (int pin = 0; pin < PIN_COUNT; pin++) {
		result_begin(&job->result);
		result_text(&job->result, session_pin_name((enum session_pin)pin));
		result_int(&job->result, sum->counts[pin]);
		result_end(&job->result);
	}
	show_done(job);
}

void show_pins(struct job *job)
{
	static const struct worker_walk walk = { .session = visit_pins };

	job_walk(job, &walk, put_pins);
}

/* --- SHOW THREADS --- */

static const struct column thread_columns[] = {
	{ "worker", COLUMN_INT8 },
	{ "clients", COLUMN_INT8 },
	{ "waiting", COLUMN_INT8 },
	{ "servers_lent", COLUMN_INT8 },
	{ "servers_idle", COLUMN_INT8 },
	{ "cpu_us", COLUMN_INT8 },
	{ "cancels_delivered", COLUMN_INT8 },
	{ "cancels_unknown", COLUMN_INT8 },
	{ "draining", COLUMN_TEXT },
	{ "servers", COLUMN_INT8 },
	{ "tls_clients", COLUMN_INT8 },
	{ "loop_delay_us", COLUMN_INT8 },       /* Of the last tick, of which there are 20 in a second, */
	{ "loop_delay_p99_us", COLUMN_INT8 },   /* and of all since the start. */
};
const struct table threads_table = TABLE(thread_columns);

static int64_t thread_cpu_us(void)
{
	struct timespec used;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) != 0)
		return 0;
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

/* Of the worker at hand. */
struct thread_sum {
	unsigned waiting, lent, idle, cleaning;
};

static void visit_thread_share(struct pool_share *share, void *arg)
{
	struct thread_sum *sum = sum_for(arg, "", sizeof(*sum));

	sum->waiting += share->waiter_count;
	sum->lent += share->lent_count;
	sum->idle += share->idle_count;
	sum->cleaning += share->cleaning_count;
}

static void put_thread(struct worker *worker, void *arg)
{
	struct job *job = arg;
	struct result *result = &job->result;
	struct thread_sum *sum = sum_for(job, "", sizeof(*sum));

	result_begin(result);
	result_int(result, worker->index);
	result_int(result, worker->session_count);
	result_int(result, sum->waiting);
	result_int(result, sum->lent);
	result_int(result, sum->idle);
	result_int(result, thread_cpu_us());
	result_int(result, (int64_t)worker->cancels_delivered);
	result_int(result, (int64_t)worker->cancels_unknown);
	result_text(result, worker->draining ? "yes" : "no");
	result_int(result, sum->lent + sum->idle + sum->cleaning);
	result_int(result, worker->tls_sessions);
	result_int(result, (int64_t)worker->loop_delay_us);
	result_int(result, (int64_t)histogram_quantile_us(&worker->loop_delay, 0.99));
	result_end(result);
	*sum = (struct thread_sum){ 0 };
}

void show_threads(struct job *job)
{
	static const struct worker_walk walk = { .share = visit_thread_share, .last = put_thread };

	job_walk(job, &walk, show_done);
}
