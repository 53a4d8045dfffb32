/* From what hosts say to which of them is the primary. No clock, no sockets: observations come in with their time.
 *
 * - A host's role, or its being down, counts once `agreement` observations in a row have said so; the first ever counts
 *   at once. A host that does not let us look stays what it was.
 * - Nothing is decided before every host has been looked at: the first to answer may be an old primary.
 * - The cluster's system identifier is the one that all hosts have at first. Hosts with another are foreign, and never
 *   the primary. But where every host is up and says that it is of another, nothing of the former one is left.
 * - The primary is the one on the newest timeline that any host has ever shown. A timeline counts at once: from then on
 *   primaries of older ones are fenced, also when they come back. Several on the newest: undecided.
 * - Of several names of one server the one that is its own counts.
 * - A replica that falls behind the limits gets no reads at once, and again when `agreement` looks in a row have found it
 *   within half of them. */
#ifndef PGWEIR_CLUSTER_STATE_H
#define PGWEIR_CLUSTER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lag.h"
#include "pgweir/topology.h"

enum observed {
	OBSERVED_NOTHING,
	OBSERVED_LOST,          /* Its connection is gone, and another is being made: what was measured counts no more. */
	OBSERVED_BLIND,         /* It is there and refuses to be looked at: a wrong password, no connection left. */
	OBSERVED_DOWN,
	OBSERVED_PRIMARY,
	OBSERVED_REPLICA,
};

/* All but `what` are only of a primary or a replica, and 0 where the server did not say. */
struct observation {
	enum observed what;
	uint64_t asked_us, now_us;      /* Before the question was sent; when the answer was there. */
	uint64_t system_identifier;
	uint32_t timeline;
	uint64_t position;              /* Inserted, or replayed. */
	struct lag_wal wal;
	bool tells_lag;                 /* A replica that says itself how far it is behind: no positions are compared. */
	uint64_t lag_us;
	uint64_t server;                /* The same for one server by all its names; 0: not known. */
	bool shared_name;               /* The name leads to one server or another. */
	bool moved;                     /* The name has led elsewhere, up to now. */
};

struct host_state {
	enum observed confirmed, pending;       /* NOTHING, DOWN, PRIMARY or REPLICA. */
	unsigned agreeing;              /* Observations in a row that say `pending`. */
	bool looked_at, blind;          /* By the last observation. */
	bool newcomer;                  /* To a cluster that was decided without it. */
	uint64_t system_identifier, position, server;   /* As last said. */
	bool tells_lag, shared_name;
	unsigned moved;                 /* How often its name has led elsewhere from then on. */
	uint32_t timeline, primary_timeline;    /* The latter: when it last was a primary. */
	enum host_standing standing, told_standing;     /* told_…: as it was after the observation before. */
	bool keeps, told_keeps;
	uint64_t measured_us;           /* When a replica's position was last held against the samples; 0: never. */
	uint64_t fresh_as_of_us;        /* Then; 0: not known. */
	uint64_t lag_bytes;
	unsigned weight;
	enum topology_reads reads;
	uint64_t times_barred;          /* How often it has lost them. */
	unsigned well;                  /* Looks in a row that found it within half of the limits. */
	uint64_t good_until_us;         /* The measurement is. */
};

struct cluster_limits {
	uint64_t max_lag_us, max_lag_bytes;     /* 0: none. */
	uint64_t measured_for_us;       /* How long a measurement is good. */
};

struct cluster_state {
	struct host_state *hosts;
	size_t host_count;
	unsigned agreement;
	struct cluster_limits limits;   /* Set by the owner. */
	uint64_t barred[READS_COUNT];   /* How often a replica has lost its reads, by reason. */
	enum cluster_standing standing, told_standing;
	uint64_t system_identifier;     /* 0: not known yet. */
	uint32_t newest_timeline;
	struct lag_samples samples;
	struct host_state *sampled;     /* Whose they are; NULL: there are none. */
	uint32_t sampled_timeline;
};

void cluster_state_init(struct cluster_state *state, size_t host_count, unsigned agreement);
void cluster_state_fini(struct cluster_state *state);

/* What must outlive a change of the configuration, and the process: the cluster's identity and its newest timeline. */
void cluster_state_remember(struct cluster_state *state, uint64_t system_identifier, uint32_t newest_timeline);

/* Takes over what the former one was, but for its hosts. */
void cluster_state_follow(struct cluster_state *state, const struct cluster_state *former);
/* A host of the former cluster goes on as what it is known to be; one that comes to a cluster that had been decided keeps
 * nobody waiting. */
void cluster_state_keep_host(struct cluster_state *state, size_t host, const struct host_state *former);
void cluster_state_add_host(struct cluster_state *state, size_t host, const struct cluster_state *former);

/* True: the standing of the cluster or of a host has changed. */
bool cluster_state_observe(struct cluster_state *state, size_t host, const struct observation *observation);

#endif
