/* The replicas of a pool, as one worker sees them, and which of them gets a read.
 *
 * A pool's share at a replica is a share like others, with connections, waiters and a quota of its own, whose connections
 * go to that one host. Where its connections cannot be had, its waiters are refused at once: they read elsewhere. */
#ifndef PGWEIR_REPLICAS_H
#define PGWEIR_REPLICAS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/pool_share.h"
#include "pgweir/route_cause.h"

/* Of a share at a replica. */
struct pool_place {
	char *host;
	uint16_t port;
	struct pool *home;              /* What clients take it for a part of. */
	bool out;                       /* When it was last looked at it got no reads. */
	uint64_t returned_us;           /* Since when it gets some again; 0: it always has. */
	uint64_t latency_us, measured_us;       /* A moving average of what answers took; 0: not known. */
	unsigned stuck;                 /* Sessions that stay with it. */
};

/* The pool under whose name the share is shown. */
static inline struct pool *pool_home(const struct pool_share *share)
{
	return share->place ? share->place->home : share->pool;
}

struct pool_replica {
	struct pool_share *share;
	const struct topology_host *known;      /* In the worker's topology. */
};

enum { POOL_REPLICAS_MAX = 32 };

struct pool_replicas {
	bool current;
	unsigned count;
	struct pool_replica all[POOL_REPLICAS_MAX];
	uint64_t random;
	uint64_t decided[ROUTE_CAUSES]; /* By enum route_reason and enum route_cause. */
};

struct replica_wish {
	uint64_t see_all_until_us;      /* What was committed before must be there; 0: anything goes. */
	struct pool_share *last;        /* Where the session read last, or NULL. */
	uint64_t last_read_us;          /* It goes elsewhere only where as much is to be seen as there was then; 0: anywhere. */
	bool stale;                     /* If none is fresh enough, any that is up. */
};

/* A share at a replica that may get the read; NULL: none, for `*why`. */
struct pool_share *pool_replica_choose(struct pool_share *share, const struct replica_wish *wish, enum route_cause *why);
/* Never NULL. */
struct pool_replicas *pool_replicas_of(struct pool_share *share);
void pool_replica_answered(struct pool_share *replica, uint64_t took_us);
/* The session whose `*place` it is stays with `replica` from now on, or with none. */
void pool_replica_stick(struct pool_share **place, struct pool_share *replica);

#endif
