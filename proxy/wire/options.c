/* The startup parameter `options`: words separated by blanks, a backslash takes the next character as it is. */
#include <ctype.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"

/* Unescapes the next word into `word`; returns where to go on, or NULL at the end. */
static const char *next_word(const char *at, struct buf *word)
{
	word->size = 0;
	while (isspace((unsigned char)*at))
		at++;
	if (!*at)
		return NULL;
	for (; *at && !isspace((unsigned char)*at); at++) {
		if (*at == '\\' && !*++at)
			break;          /* A backslash at the very end takes nothing and is dropped. */
		buf_append_char(word, *at);
	}
	buf_append_char(word, '\0');
	return at;
}

/* `name=value`; as PostgreSQL does, a dash in a name stands for an underscore. */
static bool give_pair(char *text, wire_pair_cb *pair, void *arg)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text)
		return false;
	*equals = '\0';
	for (char *at = text; *at; at++)
		if (*at == '-')
			*at = '_';
	pair(text, equals + 1, arg);
	return true;
}

/* The last backslash of an odd run escapes what comes behind it. At the end of the options that would be the blank
 * of whoever appends to `rest`, whose switch then became part of the client's word. */
static bool ends_in_escape(const char *from, const char *to)
{
	bool escape = false;

	while (to > from && *--to == '\\')
		escape = !escape;
	return escape;
}

static void keep_raw(struct buf *rest, const char *from, const char *to)
{
	while (isspace((unsigned char)*from))
		from++;
	if (ends_in_escape(from, to))
		to--;
	if (rest->size)
		buf_append_char(rest, ' ');
	buf_append(rest, from, (size_t)(to - from));
}

bool wire_options_pairs(const char *options, wire_pair_cb *pair, void *arg, struct buf *rest)
{
	struct buf word = { 0 };
	const char *at = options;
	bool good = true;

	for (const char *next; good && (next = next_word(at, &word)); at = next) {
		if (strcmp(word.bytes, "--") == 0) {
			/* The end of the switches, behind which servers take nothing; or what a switch that is kept is about. */
			good = !rest->size && !next_word(next, &word);
			break;
		}
		if (strncmp(word.bytes, "--", 2) == 0) {
			good = give_pair(word.bytes + 2, pair, arg);
		} else if (strcmp(word.bytes, "-c") == 0) {
			next = next_word(next, &word);
			good = next && give_pair(word.bytes, pair, arg);
			if (!next)
				break;
		} else if (strncmp(word.bytes, "-c", 2) == 0) {
			good = give_pair(word.bytes + 2, pair, arg);
		} else {
			keep_raw(rest, at, next);
		}
	}
	buf_fini(&word);
	return good;
}
