/* What a cluster must not forget when pgweir is restarted: its system identifier and the newest timeline seen, in a small
 * file of its own below [pgweir] state_dir.
 *
 * Reading happens in the call; files are written on a thread of their own, whole or not at all. */
#ifndef PGWEIR_RECORD_H
#define PGWEIR_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/config.h"

struct record {
	uint64_t system_identifier;
	uint32_t newest_timeline;
};

/* False: there is none that can be used. Whatever is wrong with it is logged. */
bool record_read(const char *folder, const struct config_cluster *cluster, struct record *record) MUST_USE;

/* Failures are logged, and counted. */
void record_write(const char *folder, const struct config_cluster *cluster, const struct record *record);
unsigned record_failures(void);

/* Writes what is still to be written. */
void record_stop(void);

#endif
