/* Hosts that the configuration does not name: what the primary says of its cluster's nodes. Control loop only. */
#ifndef PGWEIR_DISCOVERY_H
#define PGWEIR_DISCOVERY_H

#include "nodes.h"
#include "pgweir/config.h"

/* Where a host is, as long as the process: snapshots and connections point to it. */
const struct config_host *discovery_host(const char *host, uint16_t port) MUST_USE;
void discovery_stop(void);

/* Of `nodes` those that are not among the configured ones; at most `max`. */
size_t discovery_find(const struct nodes *nodes, const struct config_cluster *cluster, const struct config_host **found,
	size_t max);

#endif
