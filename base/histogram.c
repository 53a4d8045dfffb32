#include "pgweir/histogram.h"

uint64_t histogram_count(const struct histogram *histogram)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += histogram->counts[i];
	return count;
}

void histogram_add(struct histogram *sum, const struct histogram *more)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		sum->counts[i] += more->counts[i];
}

void histogram_subtract(struct histogram *later, const struct histogram *earlier)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		later->counts[i] -= earlier->counts[i];
}

/* Beyond the last bound nothing is known but that it was exceeded. */
static double within_us(unsigned bucket, double part)
{
	double from_us = bucket ? (double)histogram_bound_us(bucket - 1) : 0;
	double to_us = bucket < HISTOGRAM_BOUNDS ? (double)histogram_bound_us(bucket) : from_us;

	return from_us + (to_us - from_us) * part;
}

double histogram_quantile_us(const struct histogram *histogram, double share)
{
	double wanted = share * (double)histogram_count(histogram), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		double here = (double)histogram->counts[i];

		if (here > 0 && seen + here >= wanted)
			return within_us(i, (wanted - seen) / here);
		seen += here;
	}
	return 0;
}
