/* How long things took, counted in buckets that double: up to 64 us, 128 us, … 67 s, and longer.
 *
 * Noting costs a handful of instructions. One thread writes; whoever else reads gets a copy from it. */
#ifndef PGWEIR_HISTOGRAM_H
#define PGWEIR_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_FIRST_BIT = 6,                /* The first bound is 1 << 6 us. */
	HISTOGRAM_BOUNDS = 21,
	HISTOGRAM_BUCKETS,                      /* And one for what is beyond the last bound. */
};

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
};

/* Times are cut to whole microseconds, so that the bucket of a bound holds what is below it. */
static inline unsigned histogram_bucket(uint64_t us)
{
	unsigned bits = 64u - (unsigned)__builtin_clzll(us | ((UINT64_C(1) << HISTOGRAM_FIRST_BIT) - 1));
	unsigned bucket = bits - HISTOGRAM_FIRST_BIT;

	return bucket < HISTOGRAM_BOUNDS ? bucket : HISTOGRAM_BOUNDS;
}

static inline void histogram_note(struct histogram *histogram, uint64_t us)
{
	histogram->counts[histogram_bucket(us)]++;
}

static inline uint64_t histogram_bound_us(unsigned bucket) { return UINT64_C(1) << (HISTOGRAM_FIRST_BIT + bucket); }

uint64_t histogram_count(const struct histogram *histogram);
void histogram_add(struct histogram *sum, const struct histogram *more);
/* What came between two states of one histogram. */
void histogram_subtract(struct histogram *later, const struct histogram *earlier);
/* The time that `share` of the values (0.99) do not exceed, estimated within its bucket; 0 where there are none. */
double histogram_quantile_us(const struct histogram *histogram, double share);

#endif
