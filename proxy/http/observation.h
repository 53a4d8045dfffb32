/* All there is to see at one moment, collected from the workers and from what the control thread knows.
 *
 * One tour of the workers serves everybody who asks while it is under way. What comes of it is immutable. */
#ifndef PGWEIR_HTTP_OBSERVATION_H
#define PGWEIR_HTTP_OBSERVATION_H

#include "pgweir/config.h"
#include "pgweir/lease.h"
#include "pgweir/login_counts.h"
#include "pgweir/map.h"
#include "pgweir/pool.h"
#include "pgweir/route_cause.h"
#include "pgweir/routing.h"
#include "pgweir/session_pin.h"

/* Of a pool, or what several of them add up to. */
struct observed_pool {
	const char *database, *user;    /* As long as the process; "other" where there are too many. */
	char *labels;                   /* As an exposition has them. */
	enum pool_mode mode;
	bool by_user;                   /* Of sums: `user` counts too. */
	uint64_t clients, waiting, longest_wait_us;
	uint64_t active, idle, cleaning, opening, in_transaction, pinned, tls, limit;
	struct pool_stats stats;
	struct pool_latency latency;
};

struct observed_worker {
	uint64_t sessions, tls_sessions, waiting, servers, cpu_us;
	uint64_t loop_delay_us, loop_delay_total_us;
	struct histogram loop_delay;
};

struct observed_host {
	char *cluster, *name;           /* "": of a [database]'s own. */
	enum host_standing standing;
	bool watched, measured;
	char *role, *error;             /* NULL: none. */
	uint32_t timeline;
	uint64_t lag_us, lag_bytes, fresh_age_us;
	int connections, limit, allowed;
};

struct observed_cluster {
	char *name;
	enum cluster_standing standing;
	uint64_t since_us;
	uint32_t timeline;
};

struct observed_secret {
	char *name, *provider;
	struct lease *lease;            /* NULL: nothing is known of it. */
	uint64_t good_reads, failed_reads;
};

struct observation {
	unsigned refs;
	uint64_t at_us;
	struct map found;               /* Pools as they are met. */
	struct observed_pool *pools, *databases;        /* With `found`'s added up; in the order of their names. */
	size_t pool_count, database_count;
	struct observed_pool total;
	struct observed_worker workers[WORKERS_MAX];
	unsigned worker_count;
	uint64_t closed[CLOSE_REASON_COUNT];
	uint64_t pinned[PIN_COUNT], pins[PIN_COUNT];    /* Now, and counted. */
	uint64_t routes[ROUTE_CAUSES];
	uint64_t reads_lost[READS_COUNT];       /* By replicas. */
	uint64_t cancels_delivered, cancels_unknown, sessions, tls_sessions;
	struct observed_host *hosts;
	size_t host_count;
	struct observed_cluster *clusters;
	size_t cluster_count;
	struct observed_secret *secrets;
	size_t secret_count;
};

/* How long before the observation that was. What another thread has published since is as old as it can be: new. */
static inline uint64_t observation_age_us(const struct observation *seen, uint64_t then_us)
{
	return seen->at_us > then_us ? seen->at_us - then_us : 0;
}

/* Called once when a tour that began after the request is over. Whoever keeps the observation takes a reference. */
typedef void observation_cb(struct observation *seen, void *arg);
struct observation *observation_ref(struct observation *seen);
void observation_unref(struct observation **seen);      /* NULL is fine. */
void observation_request(observation_cb *callback, void *arg);
void observation_stop(void);            /* After the workers have ended: nobody is called any more. */

#endif
