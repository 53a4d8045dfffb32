/* Failure story: names of users come from configured sections, and versions grow for ever: of a secret the USES_MAX used
 * last are kept. */
#include "pgweir/secret_uses.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"

enum { USES_MAX = 32 };

struct use {
	char *user;
	uint64_t version, count, last_us;
};

struct uses {
	struct use uses[USES_MAX];
	unsigned count;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map table;

static struct uses *get_locked(const char *secret)
{
	struct uses *uses = map_get_text(&table, secret);

	if (!uses) {
		uses = NEW(struct uses);
		map_put_text(&table, secret, uses);
	}
	return uses;
}

/* The one of (user, version), else a free one, else the one used longest ago. */
static struct use *use_of(struct uses *uses, const char *user, uint64_t version)
{
	struct use *oldest = &uses->uses[0];

	for (unsigned i = 0; i < uses->count; i++) {
		struct use *use = &uses->uses[i];

		if (use->version == version && strcmp(use->user, user) == 0)
			return use;
		if (use->last_us < oldest->last_us)
			oldest = use;
	}
	if (uses->count < USES_MAX)
		oldest = &uses->uses[uses->count++];
	mem_free(oldest->user);
	*oldest = (struct use){ .user = mem_strdup(user), .version = version };
	return oldest;
}

void secret_uses_count(const char *secret, const char *user, uint64_t version)
{
	pthread_mutex_lock(&mutex);
	struct use *use = use_of(get_locked(secret), user, version);

	use->count++;
	use->last_us = clock_now_us();
	pthread_mutex_unlock(&mutex);
}

void secret_uses_describe(const char *secret, struct buf *out)
{
	pthread_mutex_lock(&mutex);
	const struct uses *uses = map_get_text(&table, secret);
	const char *between = "";

	for (unsigned i = 0; uses && i < uses->count; i++) {
		const struct use *use = &uses->uses[i];

		buf_printf(out, "%s%s: %" PRIu64 " with version %" PRIu64, between, use->user, use->count, use->version);
		between = "; ";
	}
	pthread_mutex_unlock(&mutex);
}

static bool free_uses(const void *key, size_t size, void *value, void *arg)
{
	struct uses *uses = value;

	(void)key, (void)size, (void)arg;
	for (unsigned i = 0; i < uses->count; i++)
		mem_free(uses->uses[i].user);
	mem_free(uses);
	return true;
}

void secret_uses_forget_all(void)
{
	pthread_mutex_lock(&mutex);
	map_foreach(&table, free_uses, NULL);
	map_fini(&table);
	table = (struct map){ 0 };
	pthread_mutex_unlock(&mutex);
}
