#include "base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buf *out, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		unsigned group = (unsigned)at[i] << 16;

		if (left > 1)
			group |= (unsigned)at[i + 1] << 8;
		if (left > 2)
			group |= at[i + 2];
		buf_append_char(out, alphabet[group >> 18]);
		buf_append_char(out, alphabet[group >> 12 & 63]);
		buf_append_char(out, left > 1 ? alphabet[group >> 6 & 63] : '=');
		buf_append_char(out, left > 2 ? alphabet[group & 63] : '=');
	}
}

/* 0 to 63, or -1. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters to `count` bytes, the last `3 - count` characters being padding. */
static bool decode_group(const char *text, size_t count, unsigned char *out)
{
	unsigned group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i <= count ? digit_value(text[i]) : 0;

		if (value < 0)
			return false;
		group = group << 6 | (unsigned)value;
	}
	/* Bits that belong to no byte must be zero, or two texts would mean the same. */
	if (count < 3 && (group & (count == 1 ? 0xffffu : 0xffu)))
		return false;
	for (size_t i = 0; i < count; i++)
		out[i] = (unsigned char)(group >> (16 - 8 * i));
	return true;
}

bool base64_decode(const char *text, size_t size, unsigned char *out, size_t capacity, size_t *out_size)
{
	size_t done = 0;

	if (size % 4)
		return false;
	for (size_t i = 0; i < size; i += 4) {
		size_t count = 3;

		if (i + 4 == size && text[i + 3] == '=')
			count = text[i + 2] == '=' ? 1 : 2;
		if (capacity - done < count || !decode_group(text + i, count, out + done))
			return false;
		done += count;
	}
	*out_size = done;
	return true;
}
