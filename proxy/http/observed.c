/* Names that have had a row of their own keep it as long as the process runs, so that no counter ever goes back. */
#include "observed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exposition.h"
#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "pgweir/secrets.h"

static const char other[] = "other";

/* --- Which names have rows of their own --- */

static struct map admitted_pools, admitted_databases;

static bool admit(struct map *admitted, const char *key, int most)
{
	if (map_get_text(admitted, key))
		return true;
	if (admitted->size >= (size_t)most)
		return false;
	map_put_text(admitted, key, admitted);
	return true;
}

void observed_forget_names(void)
{
	map_fini(&admitted_pools);
	map_fini(&admitted_databases);
	admitted_pools = admitted_databases = (struct map){ 0 };
}

/* --- Adding up --- */

static void add_all(void *sum, const void *more, size_t size)
{
	for (size_t i = 0; i < size / sizeof(uint64_t); i++)
		((uint64_t *)sum)[i] += ((const uint64_t *)more)[i];
}

void observed_add_stats(struct observed_pool *sum, const struct pool_stats *stats, const struct pool_latency *latency)
{
	_Static_assert(sizeof(*stats) % sizeof(uint64_t) == 0 && sizeof(*latency) % sizeof(uint64_t) == 0, "counters throughout");

	add_all(&sum->stats, stats, sizeof(*stats));
	add_all(&sum->latency, latency, sizeof(*latency));
}

static void add_pool(struct observed_pool *sum, const struct observed_pool *pool)
{
	uint64_t longest_us = sum->longest_wait_us > pool->longest_wait_us ? sum->longest_wait_us : pool->longest_wait_us;

	add_all(&sum->clients, &pool->clients, offsetof(struct observed_pool, stats) - offsetof(struct observed_pool, clients));
	sum->longest_wait_us = longest_us;
	observed_add_stats(sum, &pool->stats, &pool->latency);
}

struct grouping {
	struct map *admitted;
	struct map index;               /* By key: 1 + the place in `sums`. */
	struct buf key;                 /* Of the pool at hand. */
	struct observed_pool *sums;     /* Zeroed. */
	size_t count;
	int most;
	bool by_user;
};

static void put_key(struct buf *key, const struct grouping *grouping, const struct observed_pool *pool)
{
	key->size = 0;
	buf_append_text(key, pool->database);
	if (grouping->by_user) {
		buf_append_char(key, '\n');
		buf_append_text(key, pool->user);
	}
	buf_append_char(key, '\0');
}

static void add_to_group(struct grouping *grouping, const struct observed_pool *pool)
{
	put_key(&grouping->key, grouping, pool);
	const char *key = grouping->key.bytes;
	bool own = admit(grouping->admitted, key, grouping->most);
	size_t place = (size_t)(uintptr_t)map_get_text(&grouping->index, own ? key : "");

	if (!place) {
		struct observed_pool *sum = &grouping->sums[grouping->count];

		sum->database = own ? pool->database : other;
		sum->user = own ? pool->user : other;
		sum->mode = pool->mode;
		sum->by_user = grouping->by_user;
		place = ++grouping->count;
		map_put_text(&grouping->index, own ? key : "", (void *)(uintptr_t)place);
	}
	add_pool(&grouping->sums[place - 1], pool);
}

static int by_name(const void *a, const void *b)
{
	const struct observed_pool *left = a, *right = b;
	int order = strcmp(left->database, right->database);

	return order ? order : strcmp(left->user, right->user);
}

/* Pools of a name, be it for replication or not, are one. */
static struct observed_pool *group(struct grouping *grouping, struct observed_pool *const *pools, size_t count)
{
	grouping->sums = NEW_ARRAY(struct observed_pool, count + 1);
	for (size_t i = 0; i < count; i++)
		add_to_group(grouping, pools[i]);
	map_fini(&grouping->index);
	buf_fini(&grouping->key);
	for (size_t i = 0; i < grouping->count; i++) {
		struct observed_pool *sum = &grouping->sums[i];
		struct buf labels = { 0 };

		exposition_label(&labels, "database", sum->database);
		if (sum->by_user)
			exposition_label(&labels, "user", sum->user);
		sum->labels = buf_take_text(&labels);
	}
	return grouping->sums;
}

struct gathered {
	struct observed_pool **pools;
	size_t count;
};

static bool gather(const void *key, size_t size, void *value, void *arg)
{
	struct gathered *gathered = arg;

	(void)key, (void)size;
	gathered->pools[gathered->count++] = value;
	return true;
}

static int by_pointed_name(const void *a, const void *b)
{
	return by_name(*(struct observed_pool *const *)a, *(struct observed_pool *const *)b);
}

void observed_group(struct observation *seen, const struct config *config)
{
	struct gathered gathered = { NEW_ARRAY(struct observed_pool *, seen->found.size + 1), 0 };
	struct grouping pools = { .admitted = &admitted_pools, .most = config->metrics_max_pools, .by_user = true };
	struct grouping databases = { .admitted = &admitted_databases, .most = config->metrics_max_pools,
		.by_user = config->metrics_per_user };

	map_foreach(&seen->found, gather, &gathered);
	qsort(gathered.pools, gathered.count, sizeof(struct observed_pool *), by_pointed_name);
	seen->pools = group(&pools, gathered.pools, gathered.count);
	seen->pool_count = pools.count;
	seen->databases = group(&databases, gathered.pools, gathered.count);
	seen->database_count = databases.count;
	for (size_t i = 0; i < gathered.count; i++)
		add_pool(&seen->total, gathered.pools[i]);
	mem_free(gathered.pools);
}

/* --- Hosts --- */

static const char *const standing_words[] = {
	[HOST_UNKNOWN] = "unknown",
	[HOST_DOWN] = "down",
	[HOST_PRIMARY] = "primary",
	[HOST_REPLICA] = "replica",
	[HOST_FENCED] = "fenced",
	[HOST_FOREIGN] = "foreign",
	[HOST_RIVAL] = "rival",
	[HOST_ALIAS] = "alias",
};

const char *observed_standing_word(enum host_standing standing)
{
	return standing_words[standing];
}

struct hosts {
	struct observation *seen;
	struct map connected;           /* By name: struct pool_host. */
	size_t most;
};

static void collect_host(struct pool_host *host, void *arg)
{
	map_put_text(arg, host->name, host);
}

static struct observed_host *next_host(struct hosts *hosts, const char *cluster, const char *name)
{
	struct observation *seen = hosts->seen;

	if (seen->host_count == hosts->most)
		return NULL;
	seen->hosts = mem_realloc(seen->hosts, (seen->host_count + 1) * sizeof(*seen->hosts));
	struct observed_host *added = &seen->hosts[seen->host_count++];

	*added = (struct observed_host){ .cluster = mem_strdup(cluster), .name = mem_strdup(name) };
	return added;
}

static void note_connections(struct observed_host *host, const struct pool_host *from)
{
	host->connections = from ? quota_used(&from->quota) : 0;
	host->limit = from ? from->quota.limit : 0;
	host->allowed = from ? from->allowed : 0;
}

static void note_facts(struct hosts *hosts, const struct routing_cluster_facts *cluster, const struct routing_host_facts *facts)
{
	char name[300];

	snprintf(name, sizeof(name), "%s:%u", facts->host, facts->port);
	struct observed_host *host = next_host(hosts, cluster->name, name);

	if (!host)
		return;
	note_connections(host, map_take_text(&hosts->connected, name));
	host->watched = true;
	host->standing = facts->standing;
	host->measured = facts->measured;
	host->role = mem_strdup(facts->role);
	host->error = facts->last_error[0] ? mem_strdup(facts->last_error) : NULL;
	host->timeline = facts->timeline;
	host->lag_us = facts->lag_us;
	host->lag_bytes = facts->lag_bytes;
	host->fresh_age_us = facts->measured ? clock_now_us() - facts->fresh_as_of_us : 0;
}

static void note_cluster(const struct routing_cluster_facts *facts, void *arg)
{
	struct hosts *hosts = arg;
	struct observation *seen = hosts->seen;

	seen->clusters = mem_realloc(seen->clusters, (seen->cluster_count + 1) * sizeof(*seen->clusters));
	seen->clusters[seen->cluster_count++] = (struct observed_cluster){ .name = mem_strdup(facts->name),
		.standing = facts->standing, .since_us = facts->since_us, .timeline = facts->newest_timeline };
	for (size_t i = 0; i < facts->host_count; i++)
		note_facts(hosts, facts, &facts->hosts[i]);
}

static bool note_unwatched(const void *key, size_t size, void *value, void *arg)
{
	const struct pool_host *from = value;
	struct observed_host *host = next_host(arg, "", from->name);

	(void)key, (void)size;
	if (host)
		note_connections(host, from);
	return true;
}

void observed_clusters(struct observation *seen, const struct config *config)
{
	struct hosts hosts = { .seen = seen, .most = (size_t)config->metrics_max_pools };

	pool_host_foreach(collect_host, &hosts.connected);
	routing_describe(note_cluster, &hosts);
	for (int reads = 0; reads < READS_COUNT; reads++)
		seen->reads_lost[reads] = routing_barred((enum topology_reads)reads);
	map_foreach(&hosts.connected, note_unwatched, &hosts);
	map_fini(&hosts.connected);
}

/* --- Secrets --- */

void observed_secrets(struct observation *seen, const struct config *config)
{
	size_t most = (size_t)config->metrics_max_pools;
	size_t count = config->secret_count < most ? config->secret_count : most;

	seen->secrets = NEW_ARRAY(struct observed_secret, count);
	for (size_t i = 0; i < count; i++) {
		const struct config_secret *section = &config->secrets[i];
		struct observed_secret *secret = &seen->secrets[seen->secret_count++];

		*secret = (struct observed_secret){ .name = mem_strdup(section->name), .provider = mem_strdup(section->provider),
			.lease = lease_find(section->name) };
		secrets_reads(section->name, &secret->good_reads, &secret->failed_reads);
	}
}

/* --- The end --- */

static void free_pools(struct observed_pool *pools, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mem_free(pools[i].labels);
	mem_free(pools);
}

void observed_fini(struct observation *seen)
{
	free_pools(seen->pools, seen->pool_count);
	free_pools(seen->databases, seen->database_count);
	for (size_t i = 0; i < seen->host_count; i++) {
		mem_free(seen->hosts[i].cluster);
		mem_free(seen->hosts[i].name);
		mem_free(seen->hosts[i].role);
		mem_free(seen->hosts[i].error);
	}
	mem_free(seen->hosts);
	for (size_t i = 0; i < seen->cluster_count; i++)
		mem_free(seen->clusters[i].name);
	mem_free(seen->clusters);
	for (size_t i = 0; i < seen->secret_count; i++) {
		mem_free(seen->secrets[i].name);
		mem_free(seen->secrets[i].provider);
		lease_unref(&seen->secrets[i].lease);
	}
	mem_free(seen->secrets);
}
