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
};

static const char *const cluster_words[] = {
	[CLUSTER_LOOKING] = "looking",
	[CLUSTER_SERVED] = "served",
	[CLUSTER_WITHOUT_PRIMARY] = "without primary",
	[CLUSTER_UNDECIDED] = "undecided",
	[CLUSTER_UNOBSERVED] = "unobserved",
};

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
