/* Effects of texts that come again and again, so that most are not scanned a second time. One per worker.
 *
 * A slot holds one text, whole: equal hashes decide nothing. A short text is kept at once, in its slot. A long one is kept
 * when its hash comes for the second time, so that texts that are never the same cost no copy. */
#include "text_cache.h"

#include <string.h>

#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "pgweir/scan.h"

enum {
	SHORT_SLOTS = 512,
	SHORT_MIN = 24,                 /* Shorter ones are scanned as fast as they are found. */
	SHORT_MAX = 484,
	LONG_SLOTS = 128,
	LONG_MAX = 16384,
};

struct slot {
	uint64_t hash;
	uint32_t effects;
	uint16_t size;                  /* 0: empty. */
	uint16_t flags;
	uint64_t serial;                /* Of what `cause` was judged by. */
	uint8_t cause;                  /* The caller's; 0: not known. */
};

struct short_slot {
	struct slot slot;
	char text[SHORT_MAX];
};

struct long_slot {
	struct slot slot;
	char *text;                     /* Of slot.size bytes; NULL: the hash has come once. */
};

struct text_cache {
	struct short_slot short_ones[SHORT_SLOTS];
	struct long_slot long_ones[LONG_SLOTS];
};

struct text_cache *text_cache_new(void)
{
	return NEW(struct text_cache);
}

void text_cache_free(struct text_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < LONG_SLOTS; i++)
		mem_free(cache->long_ones[i].text);
	mem_free(cache);
}

static bool fits(const struct slot *slot, const struct slot *wanted)
{
	return slot->hash == wanted->hash && slot->size == wanted->size && slot->flags == wanted->flags;
}

static struct slot *slot_of_short(struct text_cache *cache, const char *text, struct slot wanted)
{
	struct short_slot *kept = &cache->short_ones[wanted.hash % SHORT_SLOTS];

	if (fits(&kept->slot, &wanted) && memcmp(kept->text, text, wanted.size) == 0)
		return &kept->slot;
	wanted.effects = scan_text(text, wanted.size, wanted.flags, NULL);
	kept->slot = wanted;
	memcpy(kept->text, text, wanted.size);
	return &kept->slot;
}

static struct slot *slot_of_long(struct text_cache *cache, const char *text, struct slot wanted)
{
	struct long_slot *kept = &cache->long_ones[wanted.hash % LONG_SLOTS];
	bool again = fits(&kept->slot, &wanted);

	if (again && kept->text && memcmp(kept->text, text, wanted.size) == 0)
		return &kept->slot;
	wanted.effects = scan_text(text, wanted.size, wanted.flags, NULL);
	mem_free(kept->text);
	*kept = (struct long_slot){ .slot = wanted };
	if (again)
		kept->text = mem_dup(text, wanted.size);
	return &kept->slot;
}

static struct slot *slot_of(struct text_cache *cache, const char *text, size_t size, unsigned flags)
{
	struct slot wanted = { .hash = map_hash(text, size), .size = (uint16_t)size, .flags = (uint16_t)flags };

	return size <= SHORT_MAX ? slot_of_short(cache, text, wanted) : slot_of_long(cache, text, wanted);
}

uint32_t text_cache_effects(struct text_cache *cache, const char *text, size_t size, unsigned flags)
{
	if (size < SHORT_MIN || size > LONG_MAX)
		return scan_text(text, size, flags, NULL);
	return slot_of(cache, text, size, flags)->effects;
}

uint8_t *text_cache_cause(struct text_cache *cache, const char *text, size_t size, unsigned flags, uint64_t serial)
{
	if (size == 0 || size > LONG_MAX)
		return NULL;
	struct slot *slot = slot_of(cache, text, size, flags);

	if (slot->serial != serial)
		slot->cause = 0;
	slot->serial = serial;
	return &slot->cause;
}
