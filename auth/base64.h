/* Base64 (RFC 4648), strict: no line breaks, padding where it belongs, no stray bits. */
#ifndef PGWEIR_BASE64_H
#define PGWEIR_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/buf.h"

void base64_append(struct buf *out, const void *bytes, size_t size);

/* At most `capacity` bytes into `out`, their number into `out_size`; false if malformed or too long. */
bool base64_decode(const char *text, size_t size, unsigned char *out, size_t capacity, size_t *out_size) MUST_USE;

#endif
