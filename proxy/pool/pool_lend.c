/* Lending between workers.
 *
 * Each share shows the others a mark: how many idle connections it has, and since when its oldest waiter waits. A
 * waiter that finds no idle connection at home asks a sibling that shows one; a connection that comes back looks for
 * a sibling's waiter before it goes idle. Both write their own mark before they read the other's (sequentially
 * consistent), so that one of the two always sees the other. */
#include <stdatomic.h>

#include "pgweir/log.h"
#include "pool_internal.h"

static uint64_t own_bit(const struct pool_share *share)
{
	return UINT64_C(1) << share->worker->index;
}

void pool_marks_update(struct pool_share *share)
{
	if (workers_count() <= 1)
		return;
	struct pool_mark *mark = &share->pool->marks[share->worker->index];
	struct pool_waiter *first = pool_first_in_turn(share);
	uint64_t since_us = first ? first->since_us : 0;

	/* Written only when it changes: a line that stays as it is costs the others nothing. */
	if (atomic_load_explicit(&mark->idle, memory_order_relaxed) != (int)share->idle_count)
		atomic_store(&mark->idle, (int)share->idle_count);
	if (atomic_load_explicit(&mark->oldest_wait_us, memory_order_relaxed) == since_us)
		return;
	atomic_store(&mark->oldest_wait_us, since_us);
	bool marked = atomic_load_explicit(&share->pool->waiting, memory_order_relaxed) & own_bit(share);

	if (since_us && !marked)
		atomic_fetch_or(&share->pool->waiting, own_bit(share));
	if (!since_us && marked)
		atomic_fetch_and(&share->pool->waiting, ~own_bit(share));
}

static void arrive(struct loop_letter *letter)
{
	struct backend *backend = CONTAINER_OF(letter, struct backend, letter);
	struct pool_share *share = backend->share;
	struct worker *worker = backend->worker;

	worker_now(worker);
	backend->sink = &backend_unowned_sink;
	backend->owner = backend;
	backend->idle_since_us = worker->now_us;
	pool_attach(backend, share, BACKEND_IDLE);
	conn_attach(&backend->server->conn, worker->loop, backend_event, backend);
	/* Whoever visited the workers meanwhile has not met it. */
	pool_judge(backend);
	if (pool_outdated(backend))
		pool_close(backend, backend->retire ? backend->retire_reason : CLOSE_SERVER_RECONNECT);
	pool_marks_update(share);
	pool_serve(share);
}

static void send_away(struct backend *backend, struct pool_share *to)
{
	pool_detach(backend);
	pool_marks_update(backend->share);
	conn_detach(&backend->server->conn);
	backend->share = to;
	backend->worker = to->worker;
	backend->letter.deliver = arrive;
	loop_post(to->worker->loop, &backend->letter);
}

/* The sibling whose waiter has waited longest, and longer than since `older_than_us`. */
static struct pool_share *neediest_sibling(const struct pool_share *share, uint64_t older_than_us)
{
	uint64_t waiting = atomic_load(&share->pool->waiting) & ~own_bit(share);
	struct pool_share *found = NULL;

	for (unsigned i = 0; waiting; i++, waiting >>= 1) {
		if (!(waiting & 1))
			continue;
		struct pool_mark *mark = &share->pool->marks[i];
		uint64_t since_us = atomic_load(&mark->oldest_wait_us);

		if (!since_us || since_us >= older_than_us)
			continue;
		found = atomic_load(&mark->share);
		older_than_us = since_us;
	}
	return found;
}

bool pool_lend_to_sibling(struct backend *backend, uint64_t older_than_us)
{
	if (!(atomic_load(&backend->share->pool->waiting) & ~own_bit(backend->share)) || conn_blocked(&backend->server->conn))
		return false;
	struct pool_share *to = neediest_sibling(backend->share, older_than_us);

	if (!to || to == backend->share)
		return false;
	send_away(backend, to);
	return true;
}

/* On the worker that was asked. */
static void lend_what_is_idle(struct worker *worker, void *arg)
{
	struct pool *pool = arg;
	struct pool_share *share = atomic_load(&pool->marks[worker->index].share);

	while (share && share->idle_count && !pool_first_in_turn(share)) {
		struct backend *backend = LIST_MEMBER(list_first(&share->idle), struct backend, link);

		if (!pool_lend_to_sibling(backend, UINT64_MAX))
			return;
	}
	/* Whoever has asked in vain must look for itself now. */
	uint64_t waiting = atomic_load(&pool->waiting) & ~(UINT64_C(1) << worker->index);

	if (waiting)
		workers_wake(waiting, pool_worker_retry, NULL);
}

unsigned pool_ask_siblings(struct pool_share *share)
{
	unsigned asked = 0;

	for (unsigned i = 0; i < workers_count() && asked < share->waiter_count; i++) {
		int idle = atomic_load(&share->pool->marks[i].idle);

		if (i == share->worker->index || idle <= 0)
			continue;
		workers_wake(UINT64_C(1) << i, lend_what_is_idle, share->pool);
		asked += (unsigned)idle;
	}
	return asked;
}
