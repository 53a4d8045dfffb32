/* SHOW CLUSTERS and SHOW HOSTS. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "pgweir/routing.h"
#include "show.h"

enum { HOST_NAME_SIZE = 300 };

static const char *name_of(const struct routing_host_facts *host, char name[HOST_NAME_SIZE])
{
	snprintf(name, HOST_NAME_SIZE, "%s:%u", host->host, host->port);
	return name;
}

/* --- SHOW CLUSTERS --- */

static const struct column cluster_columns[] = {
	{ "cluster", COLUMN_TEXT },
	{ "primary", COLUMN_TEXT },
	{ "timeline", COLUMN_INT8 },
	{ "state", COLUMN_TEXT },
	{ "hosts", COLUMN_INT8 },
	{ "replicas_up", COLUMN_INT8 },
	{ "since", COLUMN_TEXT },
	{ "paused", COLUMN_INT8 },
};
const struct table clusters_table = TABLE(cluster_columns);

static void put_number(struct result *result, uint64_t value, bool known)
{
	if (known)
		result_int(result, (int64_t)value);
	else
		result_null(result);
}

static void put_cluster(const struct routing_cluster_facts *facts, void *arg)
{
	struct result *result = arg;
	const struct routing_host_facts *primary = NULL;
	char name[HOST_NAME_SIZE];
	int replicas = 0;

	for (size_t i = 0; i < facts->host_count; i++) {
		if (facts->hosts[i].standing == HOST_PRIMARY)
			primary = &facts->hosts[i];
		replicas += facts->hosts[i].standing == HOST_REPLICA;
	}
	result_begin(result);
	result_text(result, facts->name);
	result_text(result, primary ? name_of(primary, name) : NULL);
	put_number(result, facts->newest_timeline, facts->newest_timeline > 0);
	result_text(result, topology_cluster_word(facts->standing));
	result_int(result, (int64_t)facts->host_count);
	result_int(result, replicas);
	show_time(result, clock_now_us(), facts->since_us);
	result_int(result, atomic_load(&pool_cluster_get(facts->name)->paused));
	result_end(result);
}

void show_clusters(struct job *job)
{
	routing_describe(put_cluster, &job->result);
	show_done(job);
}

/* --- SHOW HOSTS --- */

static const struct column host_columns[] = {
	{ "host", COLUMN_TEXT },
	{ "current_connections", COLUMN_INT8 },
	{ "max_connections", COLUMN_INT8 },
	{ "server_allows", COLUMN_INT8 },
	{ "cluster", COLUMN_TEXT },
	{ "role", COLUMN_TEXT },
	{ "state", COLUMN_TEXT },
	{ "timeline", COLUMN_INT8 },
	{ "lag_ms", COLUMN_INT8 },
	{ "lag_bytes", COLUMN_INT8 },
	{ "fresh_as_of_age_ms", COLUMN_INT8 },
	{ "source", COLUMN_TEXT },
	{ "weight", COLUMN_INT8 },
	{ "eligible", COLUMN_INT8 },
	{ "reason", COLUMN_TEXT },
	{ "reads_lost", COLUMN_INT8 },
	{ "last_error", COLUMN_TEXT },
};
const struct table hosts_table = TABLE(host_columns);

/* As with other limits 0 is: none. */
static void put_connections(struct result *result, const char *name, struct pool_host *host)
{
	int allowed = host ? atomic_load(&host->allowed) : 0;

	result_text(result, name);
	result_int(result, host ? quota_used(&host->quota) : 0);
	result_int(result, host ? atomic_load(&host->quota.limit) : 0);
	put_number(result, (uint64_t)allowed, allowed > 0);
}

static void put_observed(struct result *result, const char *cluster, const struct routing_host_facts *host)
{
	uint64_t now_us = clock_now_us();

	result_text(result, cluster);
	result_text(result, host->role);
	result_text(result, topology_host_word(host->standing));
	put_number(result, host->timeline, host->timeline > 0);
	put_number(result, host->lag_us / 1000, host->measured);
	put_number(result, host->lag_bytes, host->measured);
	put_number(result, (now_us - host->fresh_as_of_us) / 1000, host->measured);
	result_text(result, host->source);
	result_int(result, host->weight);
	result_int(result, host->reads == READS_ALLOWED);
	result_text(result, topology_reads_word(host->reads));
	result_int(result, (int64_t)host->times_barred);
	result_text(result, host->last_error[0] ? host->last_error : NULL);
}

static void collect_host(struct pool_host *host, void *arg)
{
	map_put_text(arg, host->name, host);
}

struct hosts {
	struct result *result;
	struct map connected;           /* By name: struct pool_host, those that no cluster has shown yet. */
	struct map *all;
};

static void put_hosts_of_cluster(const struct routing_cluster_facts *facts, void *arg)
{
	struct hosts *hosts = arg;

	for (size_t i = 0; i < facts->host_count; i++) {
		char name[HOST_NAME_SIZE];

		name_of(&facts->hosts[i], name);
		map_take_text(&hosts->connected, name);
		result_begin(hosts->result);
		put_connections(hosts->result, name, map_get_text(hosts->all, name));
		put_observed(hosts->result, facts->name, &facts->hosts[i]);
		result_end(hosts->result);
	}
}

static bool put_unobserved(const void *key, size_t size, void *value, void *arg)
{
	struct pool_host *host = value;
	struct result *result = arg;

	(void)key, (void)size;
	result_begin(result);
	put_connections(result, host->name, host);
	for (size_t i = 4; i < ARRAY_LEN(host_columns); i++)
		result_null(result);
	result_end(result);
	return true;
}

void show_hosts(struct job *job)
{
	struct map all = { 0 };
	struct hosts hosts = { .result = &job->result, .all = &all };

	pool_host_foreach(collect_host, &all);
	pool_host_foreach(collect_host, &hosts.connected);
	routing_describe(put_hosts_of_cluster, &hosts);
	map_foreach(&hosts.connected, put_unobserved, &job->result);
	map_fini(&hosts.connected);
	map_fini(&all);
	show_done(job);
}
