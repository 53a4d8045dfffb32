#include "pgweir/pool_share.h"

void pool_latency_seen(const struct pool_latency *latency, struct histogram *seen)
{
	*seen = latency->server;
	histogram_add(seen, &latency->waited);
}
