/* Comma-separated lists, which stay text in the snapshot. */
#include <string.h>

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
