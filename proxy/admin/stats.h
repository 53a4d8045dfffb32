/* Counters of the pools, summed by database; and what they were at the end of each stats_period, for averages. */
#ifndef PGWEIR_ADMIN_STATS_H
#define PGWEIR_ADMIN_STATS_H

#include "pgweir/map.h"
#include "pgweir/pool.h"

/* Control thread; more than once is fine. */
void stats_start(void);
void stats_stop(void);

/* Adds the share's to `sums`, from database names to struct pool_stats. On its worker's thread. */
void stats_collect(const struct pool_share *share, struct map *sums);

/* What happened per second (counts, bytes) or per transaction, query (times) in the last whole period. */
struct stats_averages {
	uint64_t transactions, queries, server_assignments, received_bytes, sent_bytes;
	uint64_t transaction_us, query_us, wait_us;
	uint64_t client_parses, server_parses, binds;
};
/* `now`: as it is at present, which counts as long as no period has passed. */
struct stats_averages stats_averages_of(const char *database_name, const struct pool_stats *now);

#endif
