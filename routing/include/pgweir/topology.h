/* What is known of the clusters' hosts, as a snapshot.
 *
 * The control plane observes hosts and publishes a snapshot whenever something in here has changed; workers hold
 * references. Only clusters with a probe_user are in it: of the others nothing is known. All of it is immutable, but for
 * the atomics: what changes with each look is written into the newest snapshot in place. */
#ifndef PGWEIR_TOPOLOGY_H
#define PGWEIR_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/check.h"

struct config_host;

enum host_standing {
	HOST_UNKNOWN,           /* Not looked at yet, or it lets nobody look. */
	HOST_DOWN,
	HOST_PRIMARY,
	HOST_REPLICA,
	HOST_FENCED,            /* A primary of a timeline that has been left: it gets no write. */
	HOST_FOREIGN,           /* Of another database system than the cluster. */
	HOST_RIVAL,             /* One of several primaries, and nothing tells which is right. */
	HOST_ALIAS,             /* Another name of a server that is in the list by a better one. */
	HOST_STANDING_COUNT,
};

enum cluster_standing {
	CLUSTER_LOOKING,        /* Not every host has been looked at. */
	CLUSTER_SERVED,         /* It has a primary. */
	CLUSTER_WITHOUT_PRIMARY,
	CLUSTER_UNDECIDED,      /* Several primaries, or hosts of different systems. */
	CLUSTER_UNOBSERVED,     /* Hosts let nobody look: connections find out for themselves. */
};

/* Whether a host gets reads, or why not. */
enum topology_reads {
	READS_ALLOWED,
	READS_NOT_REPLICA,
	READS_UNWEIGHTED,       /* Its weight is 0. */
	READS_SHARED_NAME,      /* A name that leads to one server or another: what is measured may not be what is read. */
	READS_UNMEASURED,       /* No recent look has told how far it is behind. */
	READS_LAG,              /* It is further behind than max_lag, */
	READS_LAG_BYTES,        /* or than max_lag_bytes. */
	READS_RETURNING,        /* It was, and has not been well for long enough yet. */
	READS_COUNT,
};

/* Times are those of clock_now_us(). */
struct topology_host {
	const struct config_host *at;           /* To connect to: there as long as the process, configured or not. */
	char *host;
	uint16_t port;
	enum host_standing standing;
	bool keeps;             /* Connections to it may stay, */
	unsigned moved;         /* if they were made when this was the same: its name has led elsewhere since. */
	unsigned weight;
	_Atomic uint64_t fresh_as_of_us;        /* Of a replica: whatever was committed before is there. 0: not known. */
	_Atomic uint64_t good_until_us;         /* Later than this the two others do not count: nobody has looked. */
	_Atomic bool eligible;                  /* For reads, by the cluster's limits. See topology_may_read(). */
};

struct topology_cluster {
	char *name;
	enum cluster_standing standing;
	struct topology_host *hosts;
	size_t host_count;
};

struct topology {
	_Atomic unsigned references;
	struct topology_cluster *clusters;
	size_t cluster_count;
};

struct topology *topology_new(size_t cluster_count) MUST_USE;         /* With one reference, to be filled in at once. */
struct topology *topology_ref(struct topology *topology);             /* Any thread. NULL stays NULL. */
void topology_unref(struct topology **topology);                      /* Any thread; NULL is fine. */

/* NULL where there is none; `topology` may be NULL. */
const struct topology_cluster *topology_find(const struct topology *topology, const char *cluster);
const struct topology_host *topology_find_host(const struct topology_cluster *cluster, const char *host, uint16_t port);
const struct topology_host *topology_primary(const struct topology_cluster *cluster);

/* Whether the replica may get reads of somebody who bears a lag of `max_lag_us`; 0: whatever the cluster allows. Of a
 * host whose freshness is not known only the latter is true. Any thread. */
bool topology_may_read(const struct topology_host *host, uint64_t max_lag_us, uint64_t now_us);

const char *topology_host_word(enum host_standing standing);
const char *topology_cluster_word(enum cluster_standing standing);
const char *topology_reads_word(enum topology_reads reads);

#endif
