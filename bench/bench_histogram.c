#include "bench_histogram.h"

#define SUB_COUNT (1u << HISTOGRAM_SUB_BITS)

/* Values below SUB_COUNT have a bucket each; above, the leading bits after the first one choose it. */
static unsigned bucket_of(uint64_t value)
{
	unsigned shift;

	if (value < SUB_COUNT)
		return (unsigned)value;
	shift = (unsigned)(63 - __builtin_clzll(value)) - HISTOGRAM_SUB_BITS;
	return ((shift + 1) << HISTOGRAM_SUB_BITS) + (unsigned)((value >> shift) & (SUB_COUNT - 1));
}

static uint64_t upper_edge(unsigned bucket)
{
	unsigned shift;

	if (bucket < SUB_COUNT)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	return (((uint64_t)SUB_COUNT + (bucket & (SUB_COUNT - 1)) + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value_ns)
{
	histogram->counts[bucket_of(value_ns)]++;
	histogram->total++;
	if (value_ns > histogram->max_ns)
		histogram->max_ns = value_ns;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->counts[i] += from->counts[i];
	into->total += from->total;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, double quantile)
{
	double wanted = quantile * (double)histogram->total;
	uint64_t seen = 0;

	if (histogram->total == 0)
		return 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if ((double)seen < wanted || seen == 0)
			continue;
		return upper_edge(i) < histogram->max_ns ? upper_edge(i) : histogram->max_ns;
	}
	return histogram->max_ns;
}
