#include "pgweir/quota.h"

#include <stdatomic.h>

void quota_init(struct quota *quota, int limit)
{
	atomic_init(&quota->used, 0);
	atomic_init(&quota->limit, limit);
	atomic_init(&quota->refused, 0);
}

void quota_set_limit(struct quota *quota, int limit)
{
	atomic_store(&quota->limit, limit);
}

int quota_used(const struct quota *quota)
{
	return atomic_load(&quota->used);
}

static bool try_take(struct quota *quota, int extra)
{
	int used = atomic_load(&quota->used);

	for (;;) {
		int limit = atomic_load(&quota->limit);

		if (limit != QUOTA_UNLIMITED && used >= limit + extra)
			return false;
		if (atomic_compare_exchange_weak(&quota->used, &used, used + 1))
			return true;
	}
}

/* The mark is set before the second try, and quota_give() takes a place back before it reads the marks: one of the two
 * always sees the other. */
bool quota_take(struct quota *quota, int extra, unsigned worker)
{
	if (try_take(quota, extra))
		return true;
	atomic_fetch_or(&quota->refused, UINT64_C(1) << worker);
	return try_take(quota, extra);
}

void quota_put_back(struct quota *quota)
{
	atomic_fetch_sub(&quota->used, 1);
}

uint64_t quota_refused(struct quota *quota)
{
	return atomic_load(&quota->refused) ? atomic_exchange(&quota->refused, 0) : 0;
}

uint64_t quota_give(struct quota *quota)
{
	int before = atomic_fetch_sub(&quota->used, 1);

	CHECK(before > 0);
	return quota_refused(quota);
}
