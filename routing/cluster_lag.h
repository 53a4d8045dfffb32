/* How far the replicas of a cluster are behind its primary, and whether they may serve reads. Part of cluster_state_observe(). */
#ifndef PGWEIR_CLUSTER_LAG_H
#define PGWEIR_CLUSTER_LAG_H

#include "cluster_state.h"

/* Takes what has been seen of `host` into what is known of positions; its standing is decided. */
void cluster_lag_follow(struct cluster_state *state, struct host_state *host, const struct observation *observation);
/* Of all hosts; `looked_at` is the one that has just been looked at. */
void cluster_lag_judge(struct cluster_state *state, const struct host_state *looked_at, uint64_t now_us);

#endif
