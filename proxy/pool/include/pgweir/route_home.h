/* What all workers share of the routing of one database of a cluster's, by whatever names its clients know it: when it was
 * last written to, and which statements replicas have refused.
 *
 * Made when first asked for, and lives as long as the process. Any thread; nothing here takes a lock but route_home_get(). */
#ifndef PGWEIR_ROUTE_HOME_H
#define PGWEIR_ROUTE_HOME_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/worker.h"

enum { ROUTE_MEMORY_SIZE = 1024 };

/* One per worker, so that nobody writes where others do. */
struct route_writes {
	_Alignas(64) _Atomic uint64_t last_us;
};

struct route_home {
	char *key;
	_Atomic uint64_t serial;        /* Grows with everything that is remembered. */
	_Atomic uint64_t refused[ROUTE_MEMORY_SIZE];    /* A statement's fingerprint above, when it is forgotten (in seconds) below. */
	struct route_writes writes[WORKERS_MAX];
};

struct route_home *route_home_get(const char *cluster, const char *dbname);
void route_homes_free(void);

/* Times are those of clock_now_us(). */
void route_home_wrote(struct route_home *home, unsigned worker, uint64_t at_us);
uint64_t route_home_last_write(const struct route_home *home);

/* Statements go by the hash of their text without literals. */
void route_home_remember(struct route_home *home, uint64_t fingerprint, uint64_t until_us);
bool route_home_remembers(const struct route_home *home, uint64_t fingerprint, uint64_t now_us);

#endif
