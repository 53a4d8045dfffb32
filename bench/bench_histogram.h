/* Latencies in logarithmic buckets, after HdrHistogram: 64 buckets to each power of two, so that a quantile is at
 * most 1.6 % too high, whatever its size. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
	uint64_t total;
	uint64_t max_ns;
};

void histogram_add(struct histogram *histogram, uint64_t value_ns);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The upper edge of the bucket in which the share `quantile` (0 to 1) of the values is reached; 0 when empty. */
uint64_t histogram_quantile_ns(const struct histogram *histogram, double quantile);

#endif
