/* What happens with time: waiters that time out, connections that age. */
#include <stdatomic.h>
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/trials.h"
#include "pool_internal.h"

enum { TICKS_PER_SECOND = 1000 / WORKER_TICK_MS };

static void time_out_waiters(struct pool_share *share, uint64_t now_us)
{
	uint64_t limit_us = share->settings.query_wait_timeout_us;

	for (struct list *first = list_first(&share->waiters); first && limit_us; first = list_first(&share->waiters)) {
		struct pool_waiter *waiter = LIST_MEMBER(first, struct pool_waiter, link);

		if (waiter->since_us + limit_us > now_us)
			return;
		pool_waiter_cancel(waiter);
		share->stats.wait_timeouts++;
		waiter->granted(waiter, POOL_TIMED_OUT, NULL);
	}
}

static void time_out_cleaning(struct pool_share *share, uint64_t now_us)
{
	LIST_FOREACH(link, next, &share->cleaning) {
		struct backend *backend = LIST_MEMBER(link, struct backend, link);

		if (backend->cleaning_deadline_us < now_us)
			pool_close(backend, CLOSE_SERVER_CLEANING_FAILED);
	}
}

/* Whoever changes a password on the server first leaves those that are open as the only ones that work. */
static bool is_precious(const struct backend *backend)
{
	const struct server *server = backend->server;

	return atomic_load_explicit(&backend->share->pool->password_refused, memory_order_relaxed)
		|| (server->trials && trials_refusing(server->trials));
}

static bool has_expired(const struct backend *backend, uint64_t now_us)
{
	struct trials *trials = backend->server->trials;

	return backend->expires_us && backend->expires_us < now_us && (!trials || trials_may_recycle(trials));
}

/* Why an idle connection should go, or CLOSE_REASON_COUNT. */
static enum close_reason aged(const struct backend *backend, uint64_t now_us)
{
	const struct pool_share *share = backend->share;
	uint64_t idle_limit_us = share->settings.server_idle_timeout_us;
	bool spare = quota_used(&share->pool->quota) > share->settings.min_pool_size;

	if (pool_outdated(backend))
		return CLOSE_SERVER_RECONNECT;
	/* Its client has left meanwhile, and servers have room for few of them. */
	if (share->replication)
		return CLOSE_SERVER_IDLE_TIMEOUT;
	if (is_precious(backend))
		return CLOSE_REASON_COUNT;
	if (has_expired(backend, now_us))
		return CLOSE_SERVER_LIFETIME;
	if (spare && idle_limit_us && backend->idle_since_us + idle_limit_us < now_us)
		return CLOSE_SERVER_IDLE_TIMEOUT;
	return CLOSE_REASON_COUNT;
}

static void check(struct backend *backend)
{
	pool_detach(backend);
	pool_attach(backend, backend->share, BACKEND_CLEANING);
	pool_marks_update(backend->share);
	backend->check_due = true;
	backend->checked = true;
	backend_clean_start(backend);
}

static void look_after_idle(struct pool_share *share, uint64_t now_us)
{
	uint64_t check_delay_us = share->settings.server_check_delay_us;
	bool checks = share->settings.check_query && *share->settings.check_query && check_delay_us;

	LIST_FOREACH(link, next, &share->idle) {
		struct backend *backend = LIST_MEMBER(link, struct backend, link);
		enum close_reason reason = aged(backend, now_us);

		if (reason != CLOSE_REASON_COUNT)
			pool_close(backend, reason);
		else if (checks && backend->checked_us + check_delay_us < now_us)
			check(backend);
	}
}

static void retire_old_ones(struct pool_share *share, uint64_t now_us)
{
	LIST_FOREACH(link, next, &share->lent) {
		struct backend *backend = LIST_MEMBER(link, struct backend, link);

		if (!backend->retire && !is_precious(backend) && has_expired(backend, now_us)) {
			backend->retire = true;
			backend->retire_reason = CLOSE_SERVER_LIFETIME;
		}
	}
}

/* --- Databases that must be idle ---
 *
 * The server looks for others as the statement begins, and waits five seconds at most until they are gone. Letters to the workers
 * come in order, so that the end of one never comes before its beginning. */

enum { VACANT_FOR_US = 10 * 1000 * 1000 };

static void vacate(struct worker *worker, void *arg)
{
	const char *dbname = arg;

	worker_now(worker);
	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (strcmp(share->dbname, dbname) != 0)
			continue;
		if (share->vacant_until_us < worker->now_us)
			share->vacant_for = 0;
		share->vacant_for++;
		share->vacant_until_us = worker->now_us + VACANT_FOR_US;
		pool_close_idle(share, CLOSE_SERVER_VACATED);
	}
}

static void end_vacancy(struct worker *worker, void *arg)
{
	const char *dbname = arg;

	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (strcmp(share->dbname, dbname) != 0 || !share->vacant_for)
			continue;
		if (--share->vacant_for == 0)
			share->vacant_until_us = 0;
	}
}

static void vacated(void *arg)
{
	mem_free(arg);
}

void pool_vacate(struct backend *backend, const char *dbname)
{
	backend->vacating = true;
	buf_append_cstring(&backend->vacates, dbname);
	workers_visit(backend->worker->loop, vacate, vacated, mem_strdup(dbname));
}

void pool_vacate_ends(struct backend *backend)
{
	const struct buf *names = &backend->vacates;

	for (size_t at = 0; at < names->size; at += strlen(names->bytes + at) + 1)
		workers_visit(backend->worker->loop, end_vacancy, vacated, mem_strdup(names->bytes + at));
	backend->vacating = false;
	buf_fini(&backend->vacates);
}

void pool_worker_tick(struct worker *worker)
{
	bool each_second = worker->ticks % TICKS_PER_SECOND == 0;

	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (share->waiter_count) {
			time_out_waiters(share, worker->now_us);
			pool_serve(share);
		}
		if (share->cleaning_count)
			time_out_cleaning(share, worker->now_us);
		if (!each_second)
			continue;
		retire_old_ones(share, worker->now_us);
		look_after_idle(share, worker->now_us);
		if (share->vacant_until_us < worker->now_us)
			pool_open_minimum(share);
	}
}
