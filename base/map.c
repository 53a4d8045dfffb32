/* Chained buckets; the table doubles when it holds as many keys as slots. */
#include "pgweir/map.h"

#include <string.h>

#include "pgweir/mem.h"

struct map_entry {
	struct map_entry *next;
	void *value;
	uint64_t hash;
	size_t size;
	char key[];
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9fb21c651e98df25u;
	return hash ^ (hash >> 32);
}

static uint64_t word_at(const unsigned char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

enum { LANES = 4, STRIDE = LANES * sizeof(uint64_t) };

/* Whole strides, each lane by itself: one multiplication need not wait for the other. */
static uint64_t mix_strides(uint64_t hash, const unsigned char *at, size_t strides)
{
	uint64_t lanes[LANES] = { hash, ~hash, hash + 1, ~hash + 1 };

	for (; strides > 0; strides--, at += STRIDE)
		for (size_t i = 0; i < LANES; i++)
			lanes[i] = mix(lanes[i], word_at(at + i * sizeof(uint64_t)));
	for (size_t i = 1; i < LANES; i++)
		lanes[0] = mix(lanes[0], lanes[i]);
	return lanes[0];
}

/* Eight bytes at a time: some keys are whole texts. Keys come from authenticated clients and from the configuration, and
 * every map is bounded. */
uint64_t map_hash(const void *key, size_t size)
{
	const unsigned char *at = key;
	uint64_t hash = 0xcbf29ce484222325u ^ size, word = 0;

	if (size >= 2 * STRIDE) {
		hash = mix_strides(hash, at, size / STRIDE);
		at += size - size % STRIDE;
		size %= STRIDE;
	}
	for (; size >= sizeof(word); size -= sizeof(word), at += sizeof(word))
		hash = mix(hash, word_at(at));
	word = 0;
	if (size)
		memcpy(&word, at, size);
	return mix(mix(hash, word), size);
}

static struct map_entry **find(const struct map *map, const void *key, size_t size, uint64_t hash)
{
	if (!map->slot_count)
		return NULL;
	struct map_entry **at = &map->slots[hash & (map->slot_count - 1)];

	while (*at && !((*at)->hash == hash && (*at)->size == size && memcmp((*at)->key, key, size) == 0))
		at = &(*at)->next;
	return at;
}

static void grow(struct map *map)
{
	size_t slot_count = map->slot_count ? map->slot_count * 2 : 8;
	struct map_entry **slots = NEW_ARRAY(struct map_entry *, slot_count);

	for (size_t i = 0; i < map->slot_count; i++) {
		struct map_entry *entry = map->slots[i];

		while (entry) {
			struct map_entry *next = entry->next;

			entry->next = slots[entry->hash & (slot_count - 1)];
			slots[entry->hash & (slot_count - 1)] = entry;
			entry = next;
		}
	}
	mem_free(map->slots);
	map->slots = slots;
	map->slot_count = slot_count;
}

void map_fini(struct map *map)
{
	for (size_t i = 0; i < map->slot_count; i++) {
		while (map->slots[i]) {
			struct map_entry *entry = map->slots[i];

			map->slots[i] = entry->next;
			mem_free(entry);
		}
	}
	mem_free(map->slots);
	*map = (struct map){ 0 };
}

void *map_get(const struct map *map, const void *key, size_t size)
{
	struct map_entry **at = find(map, key, size, map_hash(key, size));

	return at && *at ? (*at)->value : NULL;
}

void *map_put(struct map *map, const void *key, size_t size, void *value)
{
	uint64_t hash = map_hash(key, size);
	struct map_entry **at = find(map, key, size, hash);

	if (at && *at) {
		void *old = (*at)->value;

		(*at)->value = value;
		return old;
	}
	if (map->size >= map->slot_count)
		grow(map);
	struct map_entry *entry = mem_alloc(sizeof(*entry) + size);
	struct map_entry **slot = &map->slots[hash & (map->slot_count - 1)];

	*entry = (struct map_entry){ .next = *slot, .value = value, .hash = hash, .size = size };
	memcpy(entry->key, key, size);
	*slot = entry;
	map->size++;
	return NULL;
}

void *map_take(struct map *map, const void *key, size_t size)
{
	struct map_entry **at = find(map, key, size, map_hash(key, size));

	if (!at || !*at)
		return NULL;
	struct map_entry *entry = *at;
	void *value = entry->value;

	*at = entry->next;
	mem_free(entry);
	map->size--;
	return value;
}

void *map_get_text(const struct map *map, const char *key)
{
	return map_get(map, key, strlen(key));
}

void *map_put_text(struct map *map, const char *key, void *value)
{
	return map_put(map, key, strlen(key), value);
}

void *map_take_text(struct map *map, const char *key)
{
	return map_take(map, key, strlen(key));
}

void map_foreach(const struct map *map, map_visit_cb *visit, void *arg)
{
	for (size_t i = 0; i < map->slot_count; i++)
		for (struct map_entry *entry = map->slots[i]; entry; entry = entry->next)
			if (!visit(entry->key, entry->size, entry->value, arg))
				return;
}
