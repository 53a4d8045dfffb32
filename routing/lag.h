/* How far a replica is behind, by our own clock.
 *
 * Before each question to the primary the time is noted: a sample says that whatever was committed before `asked_us`
 * lies below `position`. A replica that has replayed a sample's position is as fresh as its time. An upper bound, right on
 * an idle primary too, and independent of the servers' clocks. */
#ifndef PGWEIR_LAG_H
#define PGWEIR_LAG_H

#include <stddef.h>
#include <stdint.h>

enum { LAG_SAMPLES_MAX = 256 };

struct lag_sample {
	uint64_t asked_us, position;
};

/* Oldest first; a zeroed one is empty. */
struct lag_samples {
	struct lag_sample all[LAG_SAMPLES_MAX];
	size_t count;
};

/* Sizes of the primary's WAL; 0 where they are not known. */
struct lag_wal {
	uint32_t segment_size, page_size;
};

/* An insert position that lies right behind a page's header, where no record has been written yet, is the page's start:
 * that is where a replica that has replayed everything stands. */
uint64_t lag_insert_position(uint64_t position, struct lag_wal wal);

void lag_add(struct lag_samples *samples, uint64_t asked_us, uint64_t position);
void lag_forget(struct lag_samples *samples);
/* 0: it is behind all of them, or there is none. */
uint64_t lag_fresh_as_of(const struct lag_samples *samples, uint64_t replayed);
/* How many bytes of the last sample are still to be replayed. */
uint64_t lag_bytes(const struct lag_samples *samples, uint64_t replayed);

#endif
