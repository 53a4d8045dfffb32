/* What the scanner has said about a text before. */
#ifndef PGWEIR_TEXT_CACHE_H
#define PGWEIR_TEXT_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "pgweir/check.h"

struct text_cache;

struct text_cache *text_cache_new(void) MUST_USE;
void text_cache_free(struct text_cache *cache);         /* NULL is fine. */
/* As scan_text() with these flags. */
uint32_t text_cache_effects(struct text_cache *cache, const char *text, size_t size, unsigned flags);
/* Where callers keep what they have made of the text by what has that serial number; 0: nothing yet. NULL: the text is not
 * kept. Valid until the next call. */
uint8_t *text_cache_cause(struct text_cache *cache, const char *text, size_t size, unsigned flags, uint64_t serial);

#endif
