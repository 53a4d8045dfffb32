/* One host under watch: a connection of its own, asked every probe_interval. Control loop only.
 *
 * While a host cannot be reached or does not answer it is tried again, less and less often once it counts as down. */
#ifndef PGWEIR_PROBE_H
#define PGWEIR_PROBE_H

#include "cluster_state.h"
#include "nodes.h"
#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct probe;

/* `error` says why for OBSERVED_DOWN and OBSERVED_BLIND, and is NULL otherwise. Never from within a call; must not free
 * the probe. */
typedef void probe_cb(const struct observation *observation, const struct error *error, void *arg);

/* What the host says of the nodes of its cluster, or why it does not. Same rules. */
typedef void probe_nodes_cb(struct nodes *nodes, const struct error *error, void *arg);

struct probe_options {
	struct config *config;                          /* A reference is kept: the cluster lives in it. */
	const struct config_cluster *cluster;
	const struct config_host *host;                 /* Outlives the probe. */
	probe_nodes_cb *nodes_callback;
};

struct probe *probe_new(struct loop *loop, const struct probe_options *options, probe_cb *callback, void *arg) MUST_USE;
void probe_free(struct probe **probe);                  /* NULL is fine. */
void probe_hurry(struct probe *probe);                  /* Looks now, unless it is looking, or was refused. */
void probe_haste(struct probe *probe, bool hasty);      /* Whether it looks more often than configured. See pace.h. */
const char *probe_source(const struct probe *probe);    /* "streaming", "aurora", or NULL: not known. */
void probe_renew(struct probe *probe);                  /* There may be another password: looks now if it was refused. */

#endif
