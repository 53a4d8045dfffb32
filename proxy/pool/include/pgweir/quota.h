/* A number of server connections that may exist at once, shared by all workers.
 *
 * Pools, databases, users and hosts each have one. Whoever is refused leaves its mark; whoever gives a place back
 * wakes those that left one. */
#ifndef PGWEIR_QUOTA_H
#define PGWEIR_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"

enum { QUOTA_UNLIMITED = 0, QUOTA_WORKERS_MAX = 64 };

struct quota {
	_Atomic int used;
	_Atomic int limit;              /* QUOTA_UNLIMITED: no limit. */
	_Atomic uint64_t refused;       /* A bit for each worker that waits for a place. */
};

void quota_init(struct quota *quota, int limit);
void quota_set_limit(struct quota *quota, int limit);
int quota_used(const struct quota *quota);
/* `extra` places beyond the limit may be used too. */
bool quota_take(struct quota *quota, int extra, unsigned worker) MUST_USE;
/* Undoes a quota_take() that turned out to be of no use; wakes nobody. */
void quota_put_back(struct quota *quota);
/* Both return the workers to wake; they are no longer marked. */
uint64_t quota_refused(struct quota *quota);     /* After the limit has grown. */
uint64_t quota_give(struct quota *quota);

#endif
