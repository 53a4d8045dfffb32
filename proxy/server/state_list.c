/* A list of names as SET takes it.
 *
 * SET stores each name the way quote_identifier() writes it: in quotes if it is a key word or has other than lower-case
 * letters, digits and underscores. Key words differ between versions; but none has a digit, and none begins with "pg_". */
#include <string.h>

#include "state_list.h"

static const char *const quoted_lists[] = {
	"local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries", "temp_tablespaces",
	"unix_socket_directories",
};

static const char digits[] = "0123456789";
static const char plain[] = "abcdefghijklmnopqrstuvwxyz_0123456789";

bool state_list_is_quoted(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(quoted_lists); i++)
		if (strcmp(quoted_lists[i], name) == 0)
			return true;
	return false;
}

static bool needs_no_quotes(const char *name, size_t size)
{
	size_t run = strcspn(name, digits);
	bool has_digit = run < size;
	bool known = (size == 6 && memcmp(name, "public", 6) == 0) || (size > 3 && memcmp(name, "pg_", 3) == 0);

	return run > 0 && (has_digit || known);
}

static bool needs_quotes(const char *name, size_t size)
{
	return size > 0 && (strspn(name, digits) > 0 || strspn(name, plain) < size);
}

/* The name at `*at`, without its quotes; `*at` moves behind it. Size 0: there is none that is certain. */
static size_t take_name(const char **at, const char **name)
{
	bool quoted = **at == '"';

	*name = *at + quoted;
	size_t size = quoted ? strcspn(*name, "\"\\'") : strspn(*name, plain);

	*at = *name + size + quoted;
	if (quoted)
		return (*name)[size] == '"' && needs_quotes(*name, size) ? size : 0;
	return needs_no_quotes(*name, size) ? size : 0;
}

bool state_list_put(const char *value, struct buf *sql)
{
	size_t before = sql->size;

	for (;;) {
		const char *name;
		size_t size = take_name(&value, &name);

		if (!size || (*value && strncmp(value, ", ", 2) != 0))
			break;
		buf_append_char(sql, '\'');
		buf_append(sql, name, size);
		buf_append_char(sql, '\'');
		if (!*value)
			return true;
		buf_append_char(sql, ',');
		value += 2;
	}
	sql->size = before;
	return false;
}
