/* Comma-separated lists, which stay text in the snapshot. */
#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/config.h"
#include "pgweir/mem.h"

/* The item at `at` without blanks; returns what follows it, NULL after the last. */
static const char *cut(const char *at, const char **item, size_t *size)
{
	const char *end = at + strcspn(at, ",");
	const char *next = *end ? end + 1 : NULL;

	at += strspn(at, " \t\n");
	while (end > at && strchr(" \t\n", end[-1]))
		end--;
	*item = at;
	*size = end > at ? (size_t)(end - at) : 0;
	return next;
}

bool config_list_has(const char *list, const char *user)
{
	size_t wanted = strlen(user);

	if (!list || wanted == 0)
		return false;
	while (list) {
		const char *item;
		size_t size;

		list = cut(list, &item, &size);
		if (size == wanted && memcmp(item, user, size) == 0)
			return true;
	}
	return false;
}

char *config_list_next(const char **rest)
{
	const char *item;
	size_t size;

	if (!*rest || **rest == '\0')
		return NULL;
	*rest = cut(*rest, &item, &size);
	return mem_strndup(item, size);
}

/* What stands in the quotes that `*at` opens; `*at` is behind them. NULL: they are not closed. */
static char *cut_quoted(const char **at)
{
	struct buf item = { 0 };

	for (const char *next = *at + 1; *next; next++) {
		if (*next == '"' && next[1] != '"') {
			*at = next + 1;
			return buf_take_text(&item);
		}
		next += *next == '"';
		buf_append_char(&item, *next);
	}
	buf_fini(&item);
	return NULL;
}

char *config_name_next(const char **rest, bool *good)
{
	const char *at = *rest ? *rest + strspn(*rest, " \t\n") : "";

	*good = true;
	if (*at != '"')
		return config_list_next(rest);
	char *item = cut_quoted(&at);

	at += strspn(at, " \t\n");
	*good = item && (*at == ',' || !*at);
	if (!*good) {
		mem_free(item);
		return NULL;
	}
	*rest = *at ? at + 1 : NULL;
	return item;
}
