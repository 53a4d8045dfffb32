/* One cluster under watch: a probe for each host, and what they have found. Control loop only. */
#ifndef PGWEIR_WATCH_H
#define PGWEIR_WATCH_H

#include "cluster_state.h"
#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/list.h"
#include "pgweir/topology.h"
#include "nodes.h"
#include "probe.h"
#include "record.h"

struct watched_host {
	struct watch *watch;
	size_t index;
	const struct config_host *at;   /* Of discovery_host(). */
	struct probe *probe;
	struct error error;             /* Of the last look; "": it went well. */
};

struct watch;

struct watch_callbacks {
	void (*changed)(struct watch *watch);           /* What is published of it has. */
	void (*rewatched)(struct watch *watch);         /* `found` are other hosts than those it watches: it may be freed. */
};

struct watch {
	struct list link;
	void (*changed)(struct watch *watch);
	void (*rewatched)(struct watch *watch);
	struct config *config;          /* A reference: `cluster` lives in it. */
	const struct config_cluster *cluster;
	struct cluster_state state;
	struct watched_host *hosts;     /* state.host_count of them: those that are configured, then those that were found. */
	uint64_t since_us;              /* Since when the standing, or the primary, has been what it is. */
	const struct host_state *primary;
	uint64_t hasty_until_us;
	const struct config_host *found[NODES_MAX];     /* Hosts beyond the configured ones, as the primary last told. */
	size_t found_count;
	struct loop_timer rewatch;
	unsigned found_otherwise;       /* How often in a row other hosts were found than are under watch. */
	struct error nodes_error;       /* Why none could be found; "": all went well. */
	struct record recorded;         /* As on disk, if all went well. */
	unsigned record_failures;       /* Of all clusters, when it was written. */
	uint64_t recorded_us;
	struct topology_cluster *published;     /* Its part of the newest snapshot; NULL: it has none yet. */
};

/* Takes over from `former` (NULL: there is none) what is known of hosts in common, and its found hosts. */
struct watch *watch_new(struct loop *loop, struct config *config, const struct config_cluster *cluster,
	const struct watch *former, const struct watch_callbacks *callbacks) MUST_USE;
void watch_free(struct watch *watch);
void watch_hurry(struct watch *watch);          /* Looks at all of its hosts now. */

/* Whether a watch of `cluster` would be the same; then it can go on with that. */
bool watch_is_of(const struct watch *watch, const struct config_cluster *cluster);
void watch_adopt(struct watch *watch, struct config *config, const struct config_cluster *cluster);
/* If not, it is another cluster by the same name. */
bool watch_has_common_host(const struct config_cluster *one, const struct config_cluster *other);

#endif
