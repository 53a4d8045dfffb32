/* What is remembered has one place each, by its hash: what comes later takes it over. So the memory is bounded, and what is
 * forgotten too early is refused once more. */
#include "pgweir/route_home.h"

#include <pthread.h>
#include <stdatomic.h>

#include "pgweir/map.h"
#include "pgweir/mem.h"

enum { SECOND_US = 1000 * 1000, EXPIRY_BITS = 32 };

static pthread_mutex_t homes_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map homes;

struct route_home *route_home_get(const char *cluster, const char *dbname)
{
	char *key = mem_printf("%s\n%s", cluster, dbname);

	pthread_mutex_lock(&homes_mutex);
	struct route_home *home = map_get_text(&homes, key);

	if (!home) {
		home = mem_alloc_aligned(sizeof(*home));
		home->key = key;
		key = NULL;
		map_put_text(&homes, home->key, home);
	}
	pthread_mutex_unlock(&homes_mutex);
	mem_free(key);
	return home;
}

static bool free_home(const void *key, size_t size, void *value, void *arg)
{
	struct route_home *home = value;

	(void)key, (void)size, (void)arg;
	mem_free(home->key);
	mem_free(home);
	return true;
}

void route_homes_free(void)
{
	map_foreach(&homes, free_home, NULL);
	map_fini(&homes);
}

void route_home_wrote(struct route_home *home, unsigned worker, uint64_t at_us)
{
	atomic_store_explicit(&home->writes[worker].last_us, at_us, memory_order_release);
}

uint64_t route_home_last_write(const struct route_home *home)
{
	uint64_t last_us = 0;

	for (unsigned i = 0; i < workers_count(); i++) {
		uint64_t at_us = atomic_load_explicit(&home->writes[i].last_us, memory_order_acquire);

		last_us = at_us > last_us ? at_us : last_us;
	}
	return last_us;
}

/* The entry without its expiry. */
static uint64_t tag_of(uint64_t fingerprint)
{
	return fingerprint >> EXPIRY_BITS << EXPIRY_BITS;
}

void route_home_remember(struct route_home *home, uint64_t fingerprint, uint64_t until_us)
{
	uint64_t entry = tag_of(fingerprint) | (uint32_t)(until_us / SECOND_US + 1);

	atomic_store_explicit(&home->refused[fingerprint % ROUTE_MEMORY_SIZE], entry, memory_order_relaxed);
	atomic_fetch_add(&home->serial, 1);
}

bool route_home_remembers(const struct route_home *home, uint64_t fingerprint, uint64_t now_us)
{
	uint64_t entry = atomic_load_explicit(&home->refused[fingerprint % ROUTE_MEMORY_SIZE], memory_order_relaxed);

	return entry && tag_of(entry) == tag_of(fingerprint) && (uint32_t)entry > now_us / SECOND_US;
}
