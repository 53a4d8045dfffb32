/* What a snapshot has beside what others see of it. */
#ifndef PGWEIR_SNAPSHOT_H
#define PGWEIR_SNAPSHOT_H

#include <stdatomic.h>

#include "pgweir/config.h"
#include "pgweir/map.h"

/* A key of [pgweir] that the console's SET replaced. */
struct override {
	char *key, *value;
};

struct snapshot {
	struct config config;          /* First, so that one pointer is the other. */
	atomic_uint references;
	struct map databases, users, clusters, secrets, provisions;
	struct override *overrides;
	size_t override_count;
};

struct snapshot *snapshot_new(const char *path);
/* Once the arrays stand still. */
void snapshot_index(struct snapshot *snapshot);
const struct snapshot *snapshot_of(const struct config *config);
void snapshot_override(struct snapshot *snapshot, const char *key, const char *value);
void snapshot_drop_overrides(struct snapshot *snapshot);

#endif
