/* One cluster under watch: a probe for each host, and what they have found. Control loop only. */
#ifndef PGWEIR_WATCH_H
#define PGWEIR_WATCH_H

#include "cluster_state.h"
#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/list.h"
#include "pgweir/topology.h"
#include "probe.h"
#include "record.h"

struct watched_host {
	struct watch *watch;
	size_t index;
	struct probe *probe;
	struct error error;             /* Of the last look; "": it went well. */
};

struct watch {
	struct list link;
	struct config *config;          /* A reference: `cluster` lives in it. */
	const struct config_cluster *cluster;
	struct cluster_state state;
	struct watched_host *hosts;
	uint64_t since_us;              /* Since when the standing, or the primary, has been what it is. */
	const struct host_state *primary;
	uint64_t hasty_until_us;
	struct record recorded;         /* As on disk, if all went well. */
	unsigned record_failures;       /* Of all clusters, when it was written. */
	uint64_t recorded_us;
	struct topology_cluster *published;     /* Its part of the newest snapshot; NULL: it has none yet. */
};

#endif
