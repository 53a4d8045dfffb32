#include "observation.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "observed.h"
#include "pgweir/clock.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "pgweir/replicas.h"
#include "pgweir/session.h"

/* --- On a worker --- */

static struct observed_pool *pool_for(struct observation *seen, const struct pool_share *share)
{
	const struct pool *home = pool_home(share);
	struct observed_pool *pool = map_get(&seen->found, &home, sizeof(home));

	if (pool)
		return pool;
	pool = NEW(struct observed_pool);
	pool->database = share->pool->database->name;
	pool->user = share->pool->user->name;
	pool->mode = share->replication ? POOL_MODE_SESSION : share->settings.mode;
	map_put(&seen->found, &home, sizeof(home), pool);
	return pool;
}

static void note_backends(struct observation *seen, struct observed_pool *pool, struct list *backends)
{
	LIST_FOREACH(link, next, backends) {
		const struct backend *backend = LIST_MEMBER(link, struct backend, link);
		uint32_t pins = session_pins_of(backend);

		pool->tls += backend->server->conn.ssl != NULL;
		pool->in_transaction += backend->status != 'I';
		pool->pinned += (pins & ~PIN_BIT(PIN_SESSION_MODE)) != 0;
		for (unsigned pin = 0; pins; pin++, pins >>= 1)
			seen->pinned[pin] += pins & 1;
	}
}

/* A pool has its size once more at each replica that it may read from. */
static void note_limit(struct observed_pool *pool, const struct pool_share *share)
{
	uint64_t hosts = 1 + (share->replicas ? share->replicas->count : 0);
	uint64_t limit = (uint64_t)pool_home(share)->quota.limit * hosts;

	if (limit > pool->limit)
		pool->limit = limit;
}

static void note_share(struct observation *seen, struct pool_share *share)
{
	struct observed_pool *pool = pool_for(seen, share);
	struct list *first = list_first(&share->waiters);
	uint64_t wait_us = first ? share->worker->now_us - LIST_MEMBER(first, struct pool_waiter, link)->since_us : 0;

	note_limit(pool, share);
	pool->clients += share->session_count;
	pool->waiting += share->waiter_count;
	pool->active += share->lent_count;
	pool->idle += share->idle_count;
	pool->cleaning += share->cleaning_count;
	pool->opening += share->opening;
	if (wait_us > pool->longest_wait_us)
		pool->longest_wait_us = wait_us;
	note_backends(seen, pool, &share->lent);
	note_backends(seen, pool, &share->idle);
	note_backends(seen, pool, &share->cleaning);
	observed_add_stats(pool, &share->stats, &share->latency);
}

static uint64_t thread_cpu_us(void)
{
	struct timespec used;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) != 0)
		return 0;
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static void add_share(struct pool_share *share, void *arg)
{
	struct observation *seen = arg;
	struct observed_worker *at = &seen->workers[share->worker->index];

	at->waiting += share->waiter_count;
	at->servers += share->lent_count + share->idle_count + share->cleaning_count;
	note_share(seen, share);
	for (unsigned i = 0; share->replicas && i < ROUTE_CAUSES; i++)
		seen->routes[i] += share->replicas->decided[i];
}

static void add_worker(struct worker *worker, void *arg)
{
	struct observation *seen = arg;
	struct observed_worker *at = &seen->workers[worker->index];

	seen->worker_count = worker->index + 1;
	at->sessions = worker->session_count;
	at->tls_sessions = worker->tls_sessions;
	at->cpu_us = thread_cpu_us();
	at->loop_delay_us = worker->loop_delay_us;
	at->loop_delay_total_us = worker->loop_delay_total_us;
	at->loop_delay = worker->loop_delay;
	seen->sessions += at->sessions;
	seen->tls_sessions += at->tls_sessions;
	for (int i = 0; i < CLOSE_REASON_COUNT; i++)
		seen->closed[i] += worker->closed[i];
	for (int i = 0; i < PIN_COUNT; i++)
		seen->pins[i] += session_pins_counted(worker, (enum session_pin)i);
	seen->cancels_delivered += worker->cancels_delivered;
	seen->cancels_unknown += worker->cancels_unknown;
}

/* --- On the control thread --- */

static bool free_found(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

/* What the control thread knows. */
static void add_control(struct observation *seen, const struct config *config)
{
	seen->at_us = clock_now_us();
	observed_group(seen, config);
	observed_clusters(seen, config);
	observed_secrets(seen, config);
	map_foreach(&seen->found, free_found, NULL);
	map_fini(&seen->found);
}

struct observation *observation_ref(struct observation *seen)
{
	seen->refs++;
	return seen;
}

void observation_unref(struct observation **seen)
{
	struct observation *gone = *seen;

	*seen = NULL;
	if (!gone || --gone->refs)
		return;
	map_foreach(&gone->found, free_found, NULL);
	map_fini(&gone->found);
	observed_fini(gone);
	mem_free(gone);
}

/* --- Tours --- */

struct asker {
	struct list link;
	observation_cb *callback;
	void *arg;
};

static struct {
	struct list waiting, served;    /* For the next tour, and by the one under way. */
	struct observation *seen;       /* Being collected; NULL: no tour is under way. */
} tours = { .waiting = { &tours.waiting, &tours.waiting }, .served = { &tours.served, &tours.served } };

static void begin(void);

static void over(void *arg)
{
	struct observation *seen = arg;

	add_control(seen, control_config());
	for (struct list *first = list_first(&tours.served); first; first = list_first(&tours.served)) {
		struct asker *asker = LIST_MEMBER(first, struct asker, link);

		list_remove(first);
		asker->callback(seen, asker->arg);
		mem_free(asker);
	}
	tours.seen = NULL;
	observation_unref(&seen);
	if (!list_empty(&tours.waiting))
		begin();
}

static void begin(void)
{
	static const struct worker_walk walk = { .share = add_share, .last = add_worker };

	for (struct list *first = list_first(&tours.waiting); first; first = list_first(&tours.waiting)) {
		list_remove(first);
		list_push_back(&tours.served, first);
	}
	tours.seen = observation_ref(NEW(struct observation));
	workers_walk(control_loop(), &walk, over, tours.seen);
}

void observation_request(observation_cb *callback, void *arg)
{
	struct asker *asker = NEW(struct asker);

	*asker = (struct asker){ .callback = callback, .arg = arg };
	list_push_back(&tours.waiting, &asker->link);
	if (!tours.seen)
		begin();
}

static void forget(struct list *requests)
{
	LIST_FOREACH(link, next, requests) {
		list_remove(link);
		mem_free(LIST_MEMBER(link, struct asker, link));
	}
}

void observation_stop(void)
{
	forget(&tours.waiting);
	forget(&tours.served);
	observation_unref(&tours.seen);
	observed_forget_names();
}
