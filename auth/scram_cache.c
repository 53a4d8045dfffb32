/* Derived keys by (password, salt, iterations): a table of sets, each with its oldest entry replaced first. The place
 * of an entry is found through a keyed hash, so the table holds no password and nobody can aim at a set. */
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "pgweir/mem.h"
#include "scram.h"

enum { CACHE_SETS = 512, CACHE_WAYS = 4, CACHE_TAG_SIZE = SCRAM_KEY_SIZE };

struct cache_entry {
	unsigned char tag[CACHE_TAG_SIZE];
	struct scram_keys keys;
	uint64_t used;          /* 0: empty. */
};

static struct {
	pthread_mutex_t mutex;
	bool keyed;
	unsigned char key[SCRAM_KEY_SIZE];
	uint64_t uses;
	struct cache_entry entries[CACHE_SETS][CACHE_WAYS];
} cache = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void make_tag(const char *password, const struct scram_salt *salt, unsigned char tag[CACHE_TAG_SIZE])
{
	struct buf text = { 0 };

	if (!cache.keyed) {
		CHECK(RAND_bytes(cache.key, sizeof(cache.key)) == 1);
		cache.keyed = true;
	}
	buf_append_u32(&text, salt->iterations);
	buf_append_u32(&text, (uint32_t)salt->size);
	buf_append(&text, salt->bytes, salt->size);
	buf_append_text(&text, password);
	scram_hmac(cache.key, sizeof(cache.key), text.bytes, text.size, tag);
	buf_fini_secret(&text);
}

static struct cache_entry *find_set(const unsigned char tag[CACHE_TAG_SIZE])
{
	uint32_t number;

	memcpy(&number, tag, sizeof(number));
	return cache.entries[number % CACHE_SETS];
}

static bool lookup(const unsigned char tag[CACHE_TAG_SIZE], struct scram_keys *keys)
{
	struct cache_entry *set = find_set(tag);

	for (size_t i = 0; i < CACHE_WAYS; i++) {
		if (!set[i].used || memcmp(set[i].tag, tag, CACHE_TAG_SIZE) != 0)
			continue;
		set[i].used = ++cache.uses;
		*keys = set[i].keys;
		return true;
	}
	return false;
}

static void remember(const unsigned char tag[CACHE_TAG_SIZE], const struct scram_keys *keys)
{
	struct cache_entry *set = find_set(tag);
	struct cache_entry *victim = set;

	for (size_t i = 1; i < CACHE_WAYS; i++)
		if (set[i].used < victim->used)
			victim = &set[i];
	memcpy(victim->tag, tag, CACHE_TAG_SIZE);
	victim->keys = *keys;
	victim->used = ++cache.uses;
}

void scram_cached_keys(const char *password, const struct scram_salt *salt, struct scram_keys *keys)
{
	unsigned char tag[CACHE_TAG_SIZE];

	pthread_mutex_lock(&cache.mutex);
	make_tag(password, salt, tag);
	bool found = lookup(tag, keys);
	pthread_mutex_unlock(&cache.mutex);
	if (found)
		return;
	/* Not under the lock: it takes milliseconds. Two threads may do the same work; the result is the same. */
	scram_keys_derive(password, salt, keys);
	pthread_mutex_lock(&cache.mutex);
	remember(tag, keys);
	pthread_mutex_unlock(&cache.mutex);
}

void scram_cache_wipe(void)
{
	pthread_mutex_lock(&cache.mutex);
	mem_wipe(cache.entries, sizeof(cache.entries));
	pthread_mutex_unlock(&cache.mutex);
}
