#include "pgweir/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic uint64_t fake_us;

static uint64_t read_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_now_us(void)
{
	uint64_t fake = atomic_load_explicit(&fake_us, memory_order_relaxed);

	return fake ? fake : read_us(CLOCK_MONOTONIC);
}

uint64_t clock_now_ms(void)
{
	return clock_now_us() / 1000;
}

int64_t clock_wall_us(void)
{
	uint64_t fake = atomic_load_explicit(&fake_us, memory_order_relaxed);

	return (int64_t)(fake ? fake : read_us(CLOCK_REALTIME));
}

void clock_fake(uint64_t now_us)
{
	atomic_store(&fake_us, now_us);
}
