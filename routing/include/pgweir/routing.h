/* Watching the clusters: which of their hosts is the primary, and how far the others are behind.
 *
 * Every [cluster] with a probe_user is watched by one connection per host, from the control loop; what is found out goes
 * out as a snapshot (topology.h) whenever it has changed; how fresh replicas are is written into it. Of other clusters
 * nothing is known. All but routing_suspect() belongs to the control thread. */
#ifndef PGWEIR_ROUTING_H
#define PGWEIR_ROUTING_H

#include "pgweir/config.h"
#include "pgweir/loop.h"
#include "pgweir/topology.h"

/* Borrows the snapshot. */
typedef void routing_publish_cb(struct topology *topology);

void routing_start(struct loop *control, routing_publish_cb *publish);
void routing_stop(void);        /* When no other thread can call routing_suspect() any more. */

/* Watches what `config` says from now on. Clusters that are watched alike go on without a break; of one whose hosts have
 * changed in part the newest timeline is remembered. */
void routing_configure(struct config *config);

/* A secret has another value: hosts that have refused the login are asked again. */
void routing_renew(void);

/* Something is wrong with a host of the cluster: look at all of them now. Any thread. */
void routing_suspect(const char *cluster);

/* --- For people --- */

/* How often since the start a replica has lost its reads, by reason. Control thread. */
uint64_t routing_barred(enum topology_reads reads);

struct routing_host_facts {
	const char *host;
	uint16_t port;
	enum host_standing standing;
	const char *role;               /* "primary", "replica", or NULL: not known. As last seen. */
	uint32_t timeline;              /* 0: not known. */
	bool measured;                  /* The three below are. */
	uint64_t lag_us, lag_bytes;
	uint64_t fresh_as_of_us;
	const char *last_error;         /* "": the last look went well. */
	const char *source;             /* How its lag is found out: "streaming" or "aurora"; NULL: not known yet. */
	unsigned weight;
	enum topology_reads reads;
	uint64_t times_barred;          /* How often it has lost its reads. */
};

struct routing_cluster_facts {
	const char *name;
	enum cluster_standing standing;
	uint64_t since_us;
	uint32_t newest_timeline;
	const struct routing_host_facts *hosts;
	size_t host_count;
};

typedef void routing_facts_cb(const struct routing_cluster_facts *facts, void *arg);
void routing_describe(routing_facts_cb *visit, void *arg);

#endif
