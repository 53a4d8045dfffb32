/* Effects of texts that come again and again, so that most are not scanned a second time. One per worker.
 *
 * A slot holds one text, whole: equal hashes decide nothing. Texts that are never the same cost a copy each. */
#include "text_cache.h"

#include <string.h>

#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "pgweir/scan.h"

enum {
	SLOTS = 512,
	TEXT_MIN = 24,                  /* Shorter ones are scanned as fast as they are found. */
	TEXT_MAX = 484,
};

struct slot {
	uint64_t hash;
	uint32_t effects;
	uint16_t size;                  /* 0: empty. */
	uint16_t flags;
	char text[TEXT_MAX];
};

struct text_cache {
	struct slot slots[SLOTS];
};

struct text_cache *text_cache_new(void)
{
	return NEW(struct text_cache);
}

static bool holds(const struct slot *slot, const char *text, size_t size, unsigned flags, uint64_t hash)
{
	return slot->hash == hash && slot->size == size && slot->flags == flags && memcmp(slot->text, text, size) == 0;
}

uint32_t text_cache_effects(struct text_cache *cache, const char *text, size_t size, unsigned flags)
{
	if (size < TEXT_MIN || size > TEXT_MAX)
		return scan_text(text, size, flags, NULL);
	uint64_t hash = map_hash(text, size);
	struct slot *slot = &cache->slots[hash % SLOTS];

	if (holds(slot, text, size, flags, hash))
		return slot->effects;
	slot->hash = hash;
	slot->effects = scan_text(text, size, flags, NULL);
	slot->size = (uint16_t)size;
	slot->flags = (uint16_t)flags;
	memcpy(slot->text, text, size);
	return slot->effects;
}
