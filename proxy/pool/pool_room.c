/* Room for one more connection where a limit is used up: what has lain idle longest within the limit is closed.
 *
 * Failure story: where nothing lies idle the waiter waits. The other workers are asked, and each that has something idle
 * closes one; their places wake whoever was refused one. Pools with waiters of their own keep what they have. */
#include "pool_internal.h"

/* `limited` is what the scope is about: a pool, a database, a user or a host. */
static bool counts_in(const struct backend *backend, enum pool_scope scope, const void *limited)
{
	const struct pool *pool = backend->share->pool;
	const void *const counts[POOL_SCOPE_COUNT] = {
		[POOL_SCOPE_POOL] = pool,
		[POOL_SCOPE_DATABASE] = pool->database,
		[POOL_SCOPE_USER] = pool->user,
		[POOL_SCOPE_HOST] = backend->host,
	};

	return counts[scope] == limited;
}

static struct backend *older(struct backend *one, struct backend *other)
{
	if (!one || !other)
		return one ? one : other;
	return other->idle_since_us < one->idle_since_us ? other : one;
}

static struct backend *oldest_idle(struct pool_share *share, enum pool_scope scope, const void *limited)
{
	struct backend *found = NULL;

	LIST_FOREACH(link, next, &share->idle) {
		struct backend *backend = LIST_MEMBER(link, struct backend, link);

		if (counts_in(backend, scope, limited))
			found = older(found, backend);
	}
	return found;
}

/* Idle connections of `own` fit none of its waiters, or it would not ask. */
static bool close_oldest(struct worker *worker, const struct pool_share *own, enum pool_scope scope, const void *limited)
{
	struct backend *found = NULL;

	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (share == own || !share->waiter_count)
			found = older(found, oldest_idle(share, scope, limited));
	}
	if (!found)
		return false;
	pool_close(found, CLOSE_SERVER_EVICTED);
	return true;
}

static void close_of_database(struct worker *worker, void *arg) { close_oldest(worker, NULL, POOL_SCOPE_DATABASE, arg); }
static void close_of_user(struct worker *worker, void *arg) { close_oldest(worker, NULL, POOL_SCOPE_USER, arg); }
static void close_of_host(struct worker *worker, void *arg) { close_oldest(worker, NULL, POOL_SCOPE_HOST, arg); }

static void *limited_of(const struct pool_share *share, struct pool_host *host, enum pool_scope scope)
{
	void *const limited[POOL_SCOPE_COUNT] = {
		[POOL_SCOPE_POOL] = share->pool,
		[POOL_SCOPE_DATABASE] = share->pool->database,
		[POOL_SCOPE_USER] = share->pool->user,
		[POOL_SCOPE_HOST] = host,
	};

	return limited[scope];
}

bool pool_make_room(struct pool_share *share, struct pool_host *host, enum pool_scope scope)
{
	return close_oldest(share->worker, share, scope, limited_of(share, host, scope));
}

void pool_ask_for_room(struct pool_share *share, struct pool_host *host, enum pool_scope scope)
{
	/* Siblings lend what their shares of the pool have idle. */
	static worker_visit_cb *const close[POOL_SCOPE_COUNT] = {
		[POOL_SCOPE_DATABASE] = close_of_database,
		[POOL_SCOPE_USER] = close_of_user,
		[POOL_SCOPE_HOST] = close_of_host,
	};

	if (close[scope])
		workers_wake(~(UINT64_C(1) << share->worker->index), close[scope], limited_of(share, host, scope));
}
