#include "pgweir/topology.h"

#include <stdatomic.h>
#include <string.h>

#include "pgweir/mem.h"

static const char *const host_words[] = {
	[HOST_UNKNOWN] = "unknown",
	[HOST_DOWN] = "down",
	[HOST_PRIMARY] = "up",
	[HOST_REPLICA] = "up",
	[HOST_FENCED] = "fenced",
	[HOST_FOREIGN] = "foreign",
	[HOST_RIVAL] = "rival",
	[HOST_ALIAS] = "alias",
};

static const char *const cluster_words[] = {
	[CLUSTER_LOOKING] = "looking",
	[CLUSTER_SERVED] = "served",
	[CLUSTER_WITHOUT_PRIMARY] = "without primary",
	[CLUSTER_UNDECIDED] = "undecided",
	[CLUSTER_UNOBSERVED] = "unobserved",
};

static const char *const reads_words[READS_COUNT] = {
	[READS_ALLOWED] = "allowed",
	[READS_NOT_REPLICA] = "not_replica",
	[READS_UNWEIGHTED] = "unweighted",
	[READS_SHARED_NAME] = "shared_name",
	[READS_UNMEASURED] = "unmeasured",
	[READS_LAG] = "lag",
	[READS_LAG_BYTES] = "lag_bytes",
	[READS_RETURNING] = "returning",
};

const char *topology_reads_word(enum topology_reads reads)
{
	CHECK((size_t)reads < ARRAY_LEN(reads_words));
	return reads_words[reads];
}

const char *topology_host_word(enum host_standing standing)
{
	CHECK((size_t)standing < ARRAY_LEN(host_words));
	return host_words[standing];
}

const char *topology_cluster_word(enum cluster_standing standing)
{
	CHECK((size_t)standing < ARRAY_LEN(cluster_words));
	return cluster_words[standing];
}

struct topology *topology_new(size_t cluster_count)
{
	struct topology *topology = NEW(struct topology);

	atomic_init(&topology->references, 1);
	topology->clusters = NEW_ARRAY(struct topology_cluster, cluster_count);
	topology->cluster_count = cluster_count;
	return topology;
}

struct topology *topology_ref(struct topology *topology)
{
	if (topology)
		atomic_fetch_add(&topology->references, 1);
	return topology;
}

static void cluster_fini(struct topology_cluster *cluster)
{
	for (size_t i = 0; i < cluster->host_count; i++)
		mem_free(cluster->hosts[i].host);
	mem_free(cluster->hosts);
	mem_free(cluster->name);
}

void topology_unref(struct topology **topology)
{
	struct topology *gone = *topology;

	*topology = NULL;
	if (!gone || atomic_fetch_sub(&gone->references, 1) != 1)
		return;
	for (size_t i = 0; i < gone->cluster_count; i++)
		cluster_fini(&gone->clusters[i]);
	mem_free(gone->clusters);
	mem_free(gone);
}

const struct topology_cluster *topology_find(const struct topology *topology, const char *cluster)
{
	for (size_t i = 0; topology && i < topology->cluster_count; i++)
		if (strcmp(topology->clusters[i].name, cluster) == 0)
			return &topology->clusters[i];
	return NULL;
}

const struct topology_host *topology_find_host(const struct topology_cluster *cluster, const char *host, uint16_t port)
{
	for (size_t i = 0; i < cluster->host_count; i++)
		if (cluster->hosts[i].port == port && strcmp(cluster->hosts[i].host, host) == 0)
			return &cluster->hosts[i];
	return NULL;
}

const struct topology_host *topology_primary(const struct topology_cluster *cluster)
{
	for (size_t i = 0; i < cluster->host_count; i++)
		if (cluster->hosts[i].standing == HOST_PRIMARY)
			return &cluster->hosts[i];
	return NULL;
}

bool topology_may_read(const struct topology_host *host, uint64_t max_lag_us, uint64_t now_us)
{
	if (!atomic_load(&host->eligible) || now_us > atomic_load(&host->good_until_us))
		return false;
	uint64_t fresh_as_of_us = atomic_load(&host->fresh_as_of_us);

	return max_lag_us == 0 || fresh_as_of_us + max_lag_us >= now_us;
}
