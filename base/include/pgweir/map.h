/* A hash map from byte strings to pointers. Keys are copied in; values are the caller's. */
#ifndef PGWEIR_MAP_H
#define PGWEIR_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry;

struct map {
	struct map_entry **slots;
	size_t slot_count;      /* A power of two, or 0 before the first key. */
	size_t size;
};

uint64_t map_hash(const void *key, size_t size);

void map_fini(struct map *map);                                             /* Frees the keys, not the values. */
void *map_get(const struct map *map, const void *key, size_t size);         /* NULL where there is none. */
void *map_put(struct map *map, const void *key, size_t size, void *value);  /* Returns the value it replaced, or NULL. */
void *map_take(struct map *map, const void *key, size_t size);              /* Removes; returns the value, or NULL. */

void *map_get_text(const struct map *map, const char *key);
void *map_put_text(struct map *map, const char *key, void *value);
void *map_take_text(struct map *map, const char *key);

/* Calls `visit` for each entry until it returns false. The map must not change meanwhile. */
typedef bool map_visit_cb(const void *key, size_t size, void *value, void *arg);
void map_foreach(const struct map *map, map_visit_cb *visit, void *arg);

#endif
