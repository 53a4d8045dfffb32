/* What an observation is made of, beside the workers' part. */
#ifndef PGWEIR_HTTP_OBSERVED_H
#define PGWEIR_HTTP_OBSERVED_H

#include "observation.h"

void observed_add_stats(struct observed_pool *sum, const struct pool_stats *stats, const struct pool_latency *latency);
/* Pools and databases out of what was found: those beyond metrics_max_pools become one, "other". */
void observed_group(struct observation *seen, const struct config *config);
void observed_clusters(struct observation *seen, const struct config *config);
void observed_secrets(struct observation *seen, const struct config *config);
/* What a host is, with the role it has. */
const char *observed_standing_word(enum host_standing standing);
void observed_fini(struct observation *seen);
void observed_forget_names(void);

#endif
