#include "publish.h"

#include <stdatomic.h>

#include "pgweir/mem.h"

static struct {
	routing_publish_cb *callback;
	struct topology *newest;        /* A reference. */
} publishing;

static void fill_cluster(struct topology_cluster *to, const struct watch *watch)
{
	to->name = mem_strdup(watch->cluster->name);
	to->standing = watch->state.standing;
	to->host_count = watch->state.host_count;
	to->hosts = NEW_ARRAY(struct topology_host, to->host_count);
	for (size_t i = 0; i < to->host_count; i++) {
		const struct host_state *host = &watch->state.hosts[i];

		to->hosts[i] = (struct topology_host){
			.at = watch->hosts[i].at, .host = mem_strdup(watch->hosts[i].at->host), .port = watch->hosts[i].at->port,
			.standing = host->standing, .keeps = host->keeps, .moved = host->moved, .weight = host->weight,
		};
	}
}

void publish_freshness(struct watch *watch)
{
	for (size_t i = 0; watch->published && i < watch->published->host_count; i++) {
		const struct host_state *host = &watch->state.hosts[i];
		struct topology_host *to = &watch->published->hosts[i];

		atomic_store(&to->fresh_as_of_us, host->fresh_as_of_us);
		atomic_store(&to->good_until_us, host->good_until_us);
		atomic_store(&to->eligible, host->reads == READS_ALLOWED);
	}
}

void publish_all(struct list *watches)
{
	size_t count = 0;

	LIST_FOREACH(link, next, watches)
		count++;
	struct topology *topology = topology_new(count);

	count = 0;
	LIST_FOREACH(link, next, watches) {
		struct watch *watch = LIST_MEMBER(link, struct watch, link);

		fill_cluster(&topology->clusters[count], watch);
		watch->published = &topology->clusters[count++];
		publish_freshness(watch);
	}
	publishing.callback(topology);
	topology_unref(&publishing.newest);
	publishing.newest = topology;
}

void publish_start(routing_publish_cb *callback)
{
	publishing.callback = callback;
}

void publish_stop(void)
{
	topology_unref(&publishing.newest);
}
