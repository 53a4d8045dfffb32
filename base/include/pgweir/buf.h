/* A growable run of bytes. A zeroed struct buf is an empty one; pointers into it are good until it grows. */
#ifndef PGWEIR_BUF_H
#define PGWEIR_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/check.h"

struct buf {
	char *bytes;
	size_t size;
	size_t capacity;
};

void buf_fini(struct buf *buf);                    /* Frees and zeroes. */
void buf_fini_secret(struct buf *buf);             /* Wipes first. */
char *buf_reserve(struct buf *buf, size_t more);   /* At least `more` writable bytes at the end. */
void buf_append(struct buf *buf, const void *bytes, size_t size);
void buf_append_text(struct buf *buf, const char *text);       /* Without the NUL. */
void buf_append_cstring(struct buf *buf, const char *text);    /* With the NUL. */
void buf_append_char(struct buf *buf, char c);
void buf_append_u16(struct buf *buf, uint16_t value);          /* Network byte order. */
void buf_append_u32(struct buf *buf, uint32_t value);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);
void buf_drop_front(struct buf *buf, size_t size);
char *buf_take_text(struct buf *buf) MUST_USE;     /* NUL-terminated, now the caller's; the buf is empty after. */

#endif
