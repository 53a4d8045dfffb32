#include "aws_canonical.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/mem.h"

static const char hex_digits[] = "0123456789ABCDEF";

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-_.~", c));
}

static void encode(struct buf *out, const char *text, size_t size, const char *safe)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_unreserved(text[i]) || (c && strchr(safe, c))) {
			buf_append_char(out, text[i]);
		} else {
			buf_append_char(out, '%');
			buf_append_char(out, hex_digits[c >> 4]);
			buf_append_char(out, hex_digits[c & 15]);
		}
	}
}

void aws_encode(struct buf *out, const char *text)
{
	encode(out, text, strlen(text), "");
}

/* --- Pairs --- */

void aws_pairs_fini(struct aws_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		mem_free(pairs->pairs[i].name);
		mem_secret_free(pairs->pairs[i].value);
	}
	mem_free(pairs->pairs);
	*pairs = (struct aws_pairs){ 0 };
}

void aws_pairs_add(struct aws_pairs *pairs, char *name, char *value)
{
	if (pairs->count == pairs->capacity) {
		pairs->capacity = pairs->capacity ? pairs->capacity * 2 : 8;
		pairs->pairs = mem_realloc(pairs->pairs, pairs->capacity * sizeof(*pairs->pairs));
	}
	pairs->pairs[pairs->count++] = (struct aws_pair){ name, value };
}

static int compare(const void *a, const void *b)
{
	const struct aws_pair *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : strcmp(left->value, right->value);
}

void aws_pairs_sort(struct aws_pairs *pairs)
{
	if (pairs->count)
		qsort(pairs->pairs, pairs->count, sizeof(*pairs->pairs), compare);
}

void aws_pairs_join(const struct aws_pairs *pairs, struct buf *out)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (i)
			buf_append_char(out, '&');
		buf_append_text(out, pairs->pairs[i].name);
		buf_append_char(out, '=');
		buf_append_text(out, pairs->pairs[i].value);
	}
}

void aws_pairs_join_names(const struct aws_pairs *pairs, struct buf *out)
{
	for (size_t i = 0; i < pairs->count; i++) {
		if (i)
			buf_append_char(out, ';');
		buf_append_text(out, pairs->pairs[i].name);
	}
}

/* --- Queries --- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

/* One spelling for what may come in several: what is encoded is decoded first. */
static char *encoded_again(const char *text, size_t size)
{
	struct buf plain = { 0 }, out = { 0 };

	for (size_t i = 0; i < size; i++) {
		bool escape = text[i] == '%' && i + 2 < size && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;

		buf_append_char(&plain, escape ? (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])) : text[i]);
		i += escape ? 2 : 0;
	}
	encode(&out, plain.bytes, plain.size, "");
	buf_fini_secret(&plain);
	return buf_take_text(&out);
}

void aws_canonical_query(struct aws_pairs *pairs, const char *query)
{
	while (query && *query) {
		size_t size = strcspn(query, "&");
		size_t name_size = strcspn(query, "=&");
		size_t value_at = name_size < size ? name_size + 1 : size;

		if (size)
			aws_pairs_add(pairs, encoded_again(query, name_size), encoded_again(query + value_at, size - value_at));
		query += size;
		query += *query == '&';
	}
}

/* --- Headers --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void append_trimmed(struct buf *out, const char *value)
{
	bool blank = false, begun = false;

	for (; *value; value++) {
		if (is_blank(*value)) {
			blank = true;
			continue;
		}
		if (blank && begun)
			buf_append_char(out, ' ');
		buf_append_char(out, *value);
		blank = false;
		begun = true;
	}
}

static bool comes_earlier(const struct aws_header *headers, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcasecmp(headers[i].name, headers[at].name) == 0)
			return true;
	return false;
}

static char *lower(const char *name)
{
	char *text = mem_strdup(name);

	for (char *c = text; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	return text;
}

/* Values of one name keep the order in which they are sent. */
void aws_canonical_headers(struct aws_pairs *pairs, const struct aws_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buf value = { 0 };

		if (comes_earlier(headers, i))
			continue;
		append_trimmed(&value, headers[i].value);
		for (size_t k = i + 1; k < count; k++) {
			if (strcasecmp(headers[k].name, headers[i].name) != 0)
				continue;
			buf_append_char(&value, ',');
			append_trimmed(&value, headers[k].value);
		}
		aws_pairs_add(pairs, lower(headers[i].name), buf_take_text(&value));
	}
	aws_pairs_sort(pairs);
}

/* --- Paths --- */

static void drop_segment(struct buf *path)
{
	while (path->size && path->bytes[path->size - 1] != '/')
		path->size--;
	path->size -= path->size > 0;
}

/* Segment by segment, each with the slash before it. */
static void normalize(struct buf *out, const char *path)
{
	while (*path) {
		path += strspn(path, "/");
		size_t size = strcspn(path, "/");

		if (size == 2 && memcmp(path, "..", 2) == 0) {
			drop_segment(out);
		} else if (size && !(size == 1 && *path == '.')) {
			buf_append_char(out, '/');
			buf_append(out, path, size);
		}
		path += size;
		if (*path == '/' && path[strspn(path, "/")] == '\0') {
			buf_append_char(out, '/');
			break;
		}
	}
	if (!out->size)
		buf_append_char(out, '/');
}

void aws_canonical_path(struct buf *out, const char *path, bool as_is)
{
	struct buf normal = { 0 };

	if (as_is)
		buf_append_text(&normal, path);
	else
		normalize(&normal, path);
	encode(out, normal.bytes, normal.size, "/");
	buf_fini(&normal);
}
