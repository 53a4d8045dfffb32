/* Lists of functions: where they are kept, and how they are found. */
#include "pgweir/functions.h"

#include <stdatomic.h>

#include "functions_internal.h"
#include "pgweir/mem.h"

static pthread_mutex_t homes_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map homes;

struct functions_home *functions_home_get(const char *key)
{
	pthread_mutex_lock(&homes_mutex);
	struct functions_home *home = map_get_text(&homes, key);

	if (!home) {
		home = NEW(struct functions_home);
		home->key = mem_strdup(key);
		pthread_mutex_init(&home->mutex, NULL);
		map_put_text(&homes, key, home);
	}
	pthread_mutex_unlock(&homes_mutex);
	return home;
}

struct functions_home *functions_home_find(const char *key)
{
	pthread_mutex_lock(&homes_mutex);
	struct functions_home *home = map_get_text(&homes, key);

	pthread_mutex_unlock(&homes_mutex);
	return home;
}

static bool free_home(const void *key, size_t size, void *value, void *arg)
{
	struct functions_home *home = value;

	(void)key, (void)size, (void)arg;
	functions_unref(&home->current);
	pthread_mutex_destroy(&home->mutex);
	mem_free(home->key);
	mem_free(home);
	return true;
}

void functions_homes_free(void)
{
	map_foreach(&homes, free_home, NULL);
	map_fini(&homes);
}

struct functions *functions_current(struct functions_home *home)
{
	pthread_mutex_lock(&home->mutex);
	struct functions *functions = home->current;

	if (functions)
		atomic_fetch_add(&functions->references, 1);
	pthread_mutex_unlock(&home->mutex);
	return functions;
}

void functions_replace(struct functions_home *home, struct functions *functions)
{
	pthread_mutex_lock(&home->mutex);
	struct functions *old = home->current;
	bool keep = functions->failed && old && !old->failed && old->epoch == functions->epoch;

	if (keep)
		old = functions;
	else
		home->current = functions;
	atomic_store(&home->serial, home->current->serial);
	pthread_mutex_unlock(&home->mutex);
	functions_unref(&old);
}

static bool free_mark(const void *key, size_t size, void *value, void *arg)
{
	struct functions_mark *mark = value;

	(void)key, (void)size, (void)arg;
	state_unref(&mark->custom);
	mem_free(mark);
	return true;
}

void functions_unref(struct functions **functions)
{
	struct functions *gone = *functions;

	*functions = NULL;
	if (!gone || atomic_fetch_sub(&gone->references, 1) > 1)
		return;
	map_foreach(&gone->by_name, free_mark, NULL);
	map_fini(&gone->by_name);
	state_unref(&gone->any.custom);
	state_unref(&gone->on_write.custom);
	state_unref(&gone->on_read.custom);
	state_unref(&gone->on_ddl.custom);
	route_names_free(&gone->names);
	mem_free(gone);
}

const struct functions_mark *functions_find(const struct functions *functions, const char *name, size_t size)
{
	return functions->failed ? &functions->any : map_get(&functions->by_name, name, size);
}

static bool is_due(const struct functions *functions, uint64_t refreshed_us, uint64_t now_us)
{
	/* Whoever set out last may have lost its connection. */
	return now_us >= functions->refresh_us && (refreshed_us == 0 || now_us >= refreshed_us + FUNCTIONS_RETRY_US);
}

bool functions_refresh_is_due(const struct functions_home *home, const struct functions *functions, uint64_t now_us)
{
	return is_due(functions, atomic_load_explicit(&home->refreshed_us, memory_order_relaxed), now_us);
}

bool functions_refresh_is_mine(struct functions_home *home, const struct functions *functions, uint64_t now_us)
{
	uint64_t refreshed_us = atomic_load(&home->refreshed_us);

	return is_due(functions, refreshed_us, now_us) && atomic_compare_exchange_strong(&home->refreshed_us, &refreshed_us, now_us);
}
