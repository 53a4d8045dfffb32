#include "pgweir/routing.h"

#include <stdatomic.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/list.h"
#include "pgweir/mem.h"
#include "discovery.h"
#include "publish.h"
#include "record.h"
#include "watch.h"

static struct {
	struct loop *loop;
	struct list watches;
	uint64_t barred_before[READS_COUNT];    /* By clusters that are watched no longer. */
	_Atomic bool running;
} routing;

/* --- Watching --- */

static struct watch *find(const char *cluster)
{
	LIST_FOREACH(link, next, &routing.watches)
		if (strcmp(LIST_MEMBER(link, struct watch, link)->cluster->name, cluster) == 0)
			return LIST_MEMBER(link, struct watch, link);
	return NULL;
}

static void publish(struct watch *watch)
{
	(void)watch;
	publish_all(&routing.watches);
}

static void end(struct watch *watch)
{
	for (size_t i = 0; i < READS_COUNT; i++)
		routing.barred_before[i] += watch->state.barred[i];
	watch_free(watch);
}

static void start(struct config *config, const struct config_cluster *cluster, const struct watch *former);

/* With other hosts than before. */
static void start_again(struct watch *watch)
{
	start(watch->config, watch->cluster, watch);
	end(watch);
	publish_all(&routing.watches);
}

/* `former` stands before it in the list, and must end. */
static void start(struct config *config, const struct config_cluster *cluster, const struct watch *former)
{
	static const struct watch_callbacks callbacks = { publish, start_again };
	struct watch *watch = watch_new(routing.loop, config, cluster, former, &callbacks);

	list_push_back(&routing.watches, &watch->link);
}

static void configure_cluster(struct config *config, const struct config_cluster *cluster)
{
	struct watch *watch = find(cluster->name);

	if (!watch) {
		start(config, cluster, NULL);
		return;
	}
	if (watch_is_of(watch, cluster)) {
		watch_adopt(watch, config, cluster);
		return;
	}
	start(config, cluster, watch_has_common_host(watch->cluster, cluster) ? watch : NULL);
	end(watch);
}

void routing_configure(struct config *config)
{
	LIST_FOREACH(link, next, &routing.watches) {
		struct watch *watch = LIST_MEMBER(link, struct watch, link);
		const struct config_cluster *cluster = config_find_cluster(config, watch->cluster->name);

		if (!cluster || !cluster->probe_user)
			end(watch);
	}
	for (size_t i = 0; i < config->cluster_count; i++)
		if (config->clusters[i].probe_user)
			configure_cluster(config, &config->clusters[i]);
	publish_all(&routing.watches);
}

void routing_renew(void)
{
	LIST_FOREACH(link, next, &routing.watches) {
		struct watch *watch = LIST_MEMBER(link, struct watch, link);

		for (size_t i = 0; i < watch->state.host_count; i++)
			probe_renew(watch->hosts[i].probe);
	}
}

/* --- Suspicion --- */

struct suspicion {
	struct loop_letter letter;
	char *cluster;
};

static void drop(struct loop_letter *letter)
{
	struct suspicion *suspicion = CONTAINER_OF(letter, struct suspicion, letter);

	mem_free(suspicion->cluster);
	mem_free(suspicion);
}

static void look_now(struct loop_letter *letter)
{
	struct watch *watch = find(CONTAINER_OF(letter, struct suspicion, letter)->cluster);

	if (watch)
		watch_hurry(watch);
	drop(letter);
}

void routing_suspect(const char *cluster)
{
	if (!atomic_load(&routing.running))
		return;
	struct suspicion *suspicion = NEW(struct suspicion);

	suspicion->letter = (struct loop_letter){ .deliver = look_now, .drop = drop };
	suspicion->cluster = mem_strdup(cluster);
	loop_post(routing.loop, &suspicion->letter);
}

/* --- Start and end --- */

void routing_start(struct loop *control, routing_publish_cb *publish_cb)
{
	routing.loop = control;
	publish_start(publish_cb);
	list_init(&routing.watches);
	atomic_store(&routing.running, true);
}

void routing_stop(void)
{
	if (!atomic_exchange(&routing.running, false))
		return;
	LIST_FOREACH(link, next, &routing.watches)
		end(LIST_MEMBER(link, struct watch, link));
	publish_stop();
	record_stop();
	discovery_stop();
}

/* --- For people --- */

uint64_t routing_barred(enum topology_reads reads)
{
	uint64_t count = routing.barred_before[reads];

	LIST_FOREACH(link, next, &routing.watches)
		count += LIST_MEMBER(link, struct watch, link)->state.barred[reads];
	return count;
}

static struct routing_host_facts facts_of(const struct watch *watch, size_t i)
{
	const struct host_state *host = &watch->state.hosts[i];
	bool replica = host->confirmed == OBSERVED_REPLICA, primary = host->confirmed == OBSERVED_PRIMARY;

	return (struct routing_host_facts){
		.host = watch->hosts[i].at->host,
		.port = watch->hosts[i].at->port,
		.standing = host->standing,
		.role = replica ? "replica" : primary ? "primary" : NULL,
		.timeline = host->timeline,
		.measured = host->fresh_as_of_us != 0,
		.lag_us = host->measured_us > host->fresh_as_of_us ? host->measured_us - host->fresh_as_of_us : 0,
		.lag_bytes = host->lag_bytes,
		.fresh_as_of_us = host->fresh_as_of_us,
		.last_error = watch->hosts[i].error.text,
		.source = probe_source(watch->hosts[i].probe),
		.weight = host->weight,
		.reads = host->reads, .times_barred = host->times_barred,
	};
}

void routing_describe(routing_facts_cb *visit, void *arg)
{
	if (!atomic_load(&routing.running))
		return;
	LIST_FOREACH(link, next, &routing.watches) {
		const struct watch *watch = LIST_MEMBER(link, struct watch, link);
		size_t count = watch->state.host_count;
		struct routing_host_facts *hosts = NEW_ARRAY(struct routing_host_facts, count);

		for (size_t i = 0; i < count; i++)
			hosts[i] = facts_of(watch, i);
		visit(&(struct routing_cluster_facts){ .name = watch->cluster->name, .standing = watch->state.standing,
			.since_us = watch->since_us, .newest_timeline = watch->state.newest_timeline, .hosts = hosts, .host_count = count }, arg);
		mem_free(hosts);
	}
}
