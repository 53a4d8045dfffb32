#include "pgweir/buf.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/mem.h"

enum { BUF_FIRST_CAPACITY = 64, BUF_ZEROED_MAX = 65536 };

void buf_fini(struct buf *buf)
{
	mem_free(buf->bytes);
	*buf = (struct buf){ 0 };
}

void buf_fini_secret(struct buf *buf)
{
	if (buf->bytes)
		mem_wipe(buf->bytes, buf->capacity);
	buf_fini(buf);
}

/* Not realloc(): that would leave the bytes behind in memory that is free again, and they may be a secret's. Zeroing what
 * is large would take longer than filling it. */
static void move_to(struct buf *buf, size_t capacity)
{
	char *bytes = capacity > BUF_ZEROED_MAX ? mem_alloc_unset(capacity) : mem_alloc(capacity);

	if (buf->bytes) {
		memcpy(bytes, buf->bytes, buf->size);
		mem_wipe(buf->bytes, buf->capacity);
		mem_free(buf->bytes);
	}
	buf->bytes = bytes;
	buf->capacity = capacity;
}

char *buf_reserve(struct buf *buf, size_t more)
{
	if (buf->capacity - buf->size < more) {
		size_t capacity = buf->capacity ? buf->capacity : BUF_FIRST_CAPACITY;

		CHECK(more <= SIZE_MAX / 4 && buf->size <= SIZE_MAX / 4);       /* Or the doubling would wrap around. */
		while (capacity - buf->size < more)
			capacity *= 2;
		move_to(buf, capacity);
	}
	return buf->bytes + buf->size;
}

void buf_append(struct buf *buf, const void *bytes, size_t size)
{
	if (size == 0)
		return;
	memcpy(buf_reserve(buf, size), bytes, size);
	buf->size += size;
}

void buf_append_text(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_cstring(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text) + 1);
}

void buf_append_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_append_u16(struct buf *buf, uint16_t value)
{
	value = htons(value);
	buf_append(buf, &value, sizeof(value));
}

void buf_append_u32(struct buf *buf, uint32_t value)
{
	value = htonl(value);
	buf_append(buf, &value, sizeof(value));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	int size = vsnprintf(NULL, 0, format, args);
	CHECK(size >= 0);
	char *at = buf_reserve(buf, (size_t)size + 1);
	vsnprintf(at, (size_t)size + 1, format, again);
	va_end(again);
	buf->size += (size_t)size;
}

void buf_drop_front(struct buf *buf, size_t size)
{
	CHECK(size <= buf->size);
	if (size == 0)
		return;
	memmove(buf->bytes, buf->bytes + size, buf->size - size);
	buf->size -= size;
}

char *buf_take_text(struct buf *buf)
{
	*buf_reserve(buf, 1) = '\0';
	char *text = buf->bytes;
	*buf = (struct buf){ 0 };
	return text;
}
