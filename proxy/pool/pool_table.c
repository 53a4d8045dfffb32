/* What all workers share: pools, databases, users, hosts. Entries are made when first asked for and live as long as the
 * process: there are as many as an operator's names, and pointers to them never go stale. */
#include <pthread.h>
#include <stdatomic.h>

#include "pgweir/functions.h"
#include "pgweir/mem.h"
#include "pgweir/route_home.h"
#include "pool_internal.h"

static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map pools, databases, users, clusters;
static bool all_paused;                 /* Under the mutex. */

struct pool_database *pool_database_find(const char *name)
{
	pthread_mutex_lock(&table_mutex);
	struct pool_database *database = map_get_text(&databases, name);
	pthread_mutex_unlock(&table_mutex);
	return database;
}

static struct pool_database *database_get_locked(const char *name)
{
	struct pool_database *database = map_get_text(&databases, name);

	if (database)
		return database;
	database = NEW(struct pool_database);
	database->name = mem_strdup(name);
	quota_init(&database->quota, QUOTA_UNLIMITED);
	atomic_init(&database->paused, all_paused);
	map_put_text(&databases, name, database);
	return database;
}

struct pool_database *pool_database_get(const char *name)
{
	pthread_mutex_lock(&table_mutex);
	struct pool_database *database = database_get_locked(name);
	pthread_mutex_unlock(&table_mutex);
	return database;
}

struct pool_cluster *pool_cluster_get(const char *name)
{
	pthread_mutex_lock(&table_mutex);
	struct pool_cluster *cluster = map_get_text(&clusters, name);

	if (!cluster) {
		cluster = NEW(struct pool_cluster);
		cluster->name = mem_strdup(name);
		map_put_text(&clusters, name, cluster);
	}
	pthread_mutex_unlock(&table_mutex);
	return cluster;
}

static bool resume_cluster(const void *key, size_t size, void *value, void *arg)
{
	struct pool_cluster *cluster = value;

	(void)key, (void)size, (void)arg;
	atomic_store(&cluster->paused, false);
	return true;
}

void pool_cluster_resume_all(void)
{
	pthread_mutex_lock(&table_mutex);
	map_foreach(&clusters, resume_cluster, NULL);
	pthread_mutex_unlock(&table_mutex);
}

static bool note_paused_cluster(const void *key, size_t size, void *value, void *arg)
{
	const struct pool_cluster *cluster = value;
	bool *any = arg;

	(void)key, (void)size;
	*any |= atomic_load(&cluster->paused);
	return true;
}

bool pool_any_cluster_paused(void)
{
	bool any = false;

	pthread_mutex_lock(&table_mutex);
	map_foreach(&clusters, note_paused_cluster, &any);
	pthread_mutex_unlock(&table_mutex);
	return any;
}

static struct pool_user *user_get_locked(const char *name)
{
	struct pool_user *user = map_get_text(&users, name);

	if (user)
		return user;
	user = NEW(struct pool_user);
	user->name = mem_strdup(name);
	quota_init(&user->quota, QUOTA_UNLIMITED);
	map_put_text(&users, name, user);
	return user;
}

static struct pool *pool_new(const char *name, const char *database_name, const char *user)
{
	struct pool *pool = mem_alloc_aligned(sizeof(*pool));

	pool->key = mem_strdup(name);
	pool->database = database_get_locked(database_name);
	pool->user = user_get_locked(user);
	quota_init(&pool->quota, QUOTA_UNLIMITED);
	statement_table_init(&pool->statements);
	pthread_mutex_init(&pool->welcomes_mutex, NULL);
	list_init(&pool->welcomes);
	return pool;
}

struct pool *pool_get(const char *name, const char *database_name, const char *user)
{
	pthread_mutex_lock(&table_mutex);
	struct pool *pool = map_get_text(&pools, name);

	if (!pool) {
		pool = pool_new(name, database_name, user);
		map_put_text(&pools, name, pool);
	}
	pthread_mutex_unlock(&table_mutex);
	return pool;
}

static void quotas_of(struct pool_share *share, struct pool_host *host, struct quota *quotas[POOL_SCOPE_COUNT])
{
	quotas[POOL_SCOPE_POOL] = &share->pool->quota;
	quotas[POOL_SCOPE_DATABASE] = &share->pool->database->quota;
	quotas[POOL_SCOPE_USER] = &share->pool->user->quota;
	quotas[POOL_SCOPE_HOST] = &host->quota;
}

static void give(struct quota *quota)
{
	uint64_t waiting = quota_give(quota);

	if (waiting)
		workers_wake(waiting, pool_worker_retry, NULL);
}

enum pool_scope pool_quotas_take(struct pool_share *share, struct pool_host *host, int extra)
{
	struct quota *quotas[POOL_SCOPE_COUNT];
	int taken = 0;

	quotas_of(share, host, quotas);
	while (taken < POOL_SCOPE_COUNT && quota_take(quotas[taken], taken == POOL_SCOPE_POOL ? extra : 0, share->worker->index))
		taken++;
	enum pool_scope full = (enum pool_scope)taken;

	while (full != POOL_SCOPE_COUNT && taken > 0)
		quota_put_back(quotas[--taken]);
	return full;
}

void pool_quotas_give(struct pool_share *share, struct pool_host *host)
{
	struct quota *quotas[POOL_SCOPE_COUNT];

	quotas_of(share, host, quotas);
	for (int i = POOL_SCOPE_COUNT - 1; i >= 0; i--)
		give(quotas[i]);
}

struct visit {
	pool_database_cb *callback;
	void *arg;
};

static bool visit_database(const void *key, size_t size, void *value, void *arg)
{
	struct visit *visit = arg;

	(void)key;
	(void)size;
	visit->callback(value, visit->arg);
	return true;
}

void pool_database_foreach(pool_database_cb *callback, void *arg)
{
	struct visit visit = { callback, arg };

	pthread_mutex_lock(&table_mutex);
	map_foreach(&databases, visit_database, &visit);
	pthread_mutex_unlock(&table_mutex);
}

static bool pause_one(const void *key, size_t size, void *value, void *arg)
{
	struct pool_database *database = value;
	const bool *paused = arg;

	(void)key, (void)size;
	atomic_store(&database->paused, *paused);
	return true;
}

void pool_pause_all(bool paused)
{
	pthread_mutex_lock(&table_mutex);
	all_paused = paused;
	map_foreach(&databases, pause_one, &paused);
	pthread_mutex_unlock(&table_mutex);
}

static bool reconnect_one(const void *key, size_t size, void *value, void *arg)
{
	struct pool_database *database = value;

	(void)key, (void)size, (void)arg;
	atomic_fetch_add(&database->reconnect, 1);
	return true;
}

void pool_reconnect(struct pool_database *database)
{
	pthread_mutex_lock(&table_mutex);
	if (database)
		reconnect_one(NULL, 0, database, NULL);
	else
		map_foreach(&databases, reconnect_one, NULL);
	pthread_mutex_unlock(&table_mutex);
}

bool pool_all_paused(void)
{
	pthread_mutex_lock(&table_mutex);
	bool paused = all_paused;
	pthread_mutex_unlock(&table_mutex);
	return paused;
}

static bool free_pool(const void *key, size_t size, void *value, void *arg)
{
	struct pool *pool = value;

	(void)key, (void)size, (void)arg;
	statement_table_fini(&pool->statements);
	pthread_mutex_destroy(&pool->welcomes_mutex);
	mem_free(pool->key);
	mem_free(pool);
	return true;
}

/* Databases, users and clusters begin with their name. */
static bool free_named(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(*(char **)value);
	mem_free(value);
	return true;
}

void pools_free(void)
{
	struct map *named[] = { &databases, &users, &clusters };

	map_foreach(&pools, free_pool, NULL);
	map_fini(&pools);
	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		map_foreach(named[i], free_named, NULL);
		map_fini(named[i]);
	}
	pool_hosts_free();
	functions_homes_free();
	route_homes_free();
}
