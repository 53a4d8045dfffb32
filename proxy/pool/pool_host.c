/* Hosts: how many server connections each may have from us.
 *
 * With max_server_conn = auto the server is asked what it allows: by the first login to it, and by one login a minute
 * later on, since a restart may change it. Nobody else opens a connection until the first answer is there.
 *
 * Failure story: a login that was to ask and failed leaves the question to the next one. A server that does not answer
 * it (something else that speaks the protocol) has no limit here, and its own refusals are waited out (pool_open.c). */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "pgweir/mem.h"
#include "pool_internal.h"

enum {
	ASK_AGAIN_AFTER_US = 60000000,
	PEOPLES_PART = 20,              /* Of what the server allows a twentieth is left for people with psql, */
	PEOPLES_LEAST = 2,              /* but no less than this. */
};

static pthread_mutex_t hosts_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map hosts;

struct pool_host *pool_host_get(const struct config_host *at)
{
	char name[300];

	snprintf(name, sizeof(name), "%s:%u", at->host, at->port);
	pthread_mutex_lock(&hosts_mutex);
	struct pool_host *host = map_get_text(&hosts, name);

	if (!host) {
		host = NEW(struct pool_host);
		host->name = mem_strdup(name);
		quota_init(&host->quota, QUOTA_UNLIMITED);
		map_put_text(&hosts, name, host);
	}
	pthread_mutex_unlock(&hosts_mutex);
	return host;
}

static int our_part(int allowed, int fleet_size)
{
	int people = allowed / PEOPLES_PART > PEOPLES_LEAST ? allowed / PEOPLES_PART : PEOPLES_LEAST;
	int part = (allowed - people) / fleet_size;

	return part > 0 ? part : 1;
}

/* True for one login at a time. */
static bool may_ask(struct pool_host *host, uint64_t now_us)
{
	uint64_t answered_us = atomic_load(&host->answered_us);
	bool nobody = false;

	if (answered_us && now_us - answered_us < ASK_AGAIN_AFTER_US)
		return false;
	return atomic_compare_exchange_strong(&host->asking, &nobody, true);
}

bool pool_host_adjust(struct pool_host *host, const struct pool_share *share, bool knows_sql)
{
	int wanted = share->database->cluster->max_server_conn;
	int allowed = atomic_load(&host->allowed);
	bool asks = false;

	if (wanted == CONFIG_AUTO) {
		asks = knows_sql && may_ask(host, share->worker->now_us);
		if (allowed)
			wanted = our_part(allowed, share->config->fleet_size);
		else
			wanted = asks || !knows_sql || atomic_load(&host->answered_us) ? QUOTA_UNLIMITED : 1;
	}
	quota_set_limit(&host->quota, wanted);
	return asks;
}

void pool_host_answered(struct pool_host *host, const struct pool_share *share, int allowed)
{
	atomic_store(&host->allowed, allowed);
	atomic_store(&host->answered_us, share->worker->now_us);
	atomic_store(&host->asking, false);
	pool_host_adjust(host, share, false);
	uint64_t waiting = quota_refused(&host->quota);

	if (waiting)
		workers_wake(waiting, pool_worker_retry, NULL);
}

void pool_host_not_asked(struct pool_host *host)
{
	atomic_store(&host->asking, false);
}

bool pool_host_awaited(const struct pool_host *host)
{
	return atomic_load(&host->asking) && !atomic_load(&host->allowed);
}

struct visit {
	pool_host_cb *callback;
	void *arg;
};

static bool visit_host(const void *key, size_t size, void *value, void *arg)
{
	const struct visit *visit = arg;

	(void)key, (void)size;
	visit->callback(value, visit->arg);
	return true;
}

void pool_host_foreach(pool_host_cb *callback, void *arg)
{
	struct visit visit = { callback, arg };

	pthread_mutex_lock(&hosts_mutex);
	map_foreach(&hosts, visit_host, &visit);
	pthread_mutex_unlock(&hosts_mutex);
}

static bool free_host(const void *key, size_t size, void *value, void *arg)
{
	struct pool_host *host = value;

	(void)key, (void)size, (void)arg;
	mem_free(host->name);
	mem_free(host);
	return true;
}

void pool_hosts_free(void)
{
	map_foreach(&hosts, free_host, NULL);
	map_fini(&hosts);
}
