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

struct reading {
	wire_pair_cb *pair;
	void *arg;
	struct buf *rest;
	struct error *error;
	struct buf word, argument;
	bool stray;                     /* A word is no switch: `error` says which. */
};

/* As PostgreSQL does it: a dash in the name stands for an underscore, and an empty name is the name of nothing. */
static bool give_pair(struct reading *reading, const char *switch_text, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals)
		return error_set(reading->error, "42601", "%s%s requires a value", switch_text, text);
	*equals = '\0';
	for (char *at = text; *at; at++)
		if (*at == '-')
			*at = '_';
	reading->pair(text, equals + 1, reading->arg);
	return true;
}

static bool refuse(struct reading *reading)
{
	error_set(reading->error, "42601", "invalid command-line argument for server process: %s", reading->word.bytes);
	reading->error->hint = "Try \"postgres --help\" for more information.";
	return false;
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

/* Switches may stand together behind one dash. An argument is what is left of the word, or the next one. */
static bool wants_next_word(const char *word)
{
	static const char with_argument[] = "BCDNSWcdfhkprtv-";
	const char *at = word + 1;

	while (*at && !strchr(with_argument, *at))
		at++;
	return *at && !at[1];
}

/* The word begins at `at` and ends at `next`. Returns where to go on, or NULL where something is wrong. */
static const char *take_switch(struct reading *reading, const char *at, const char *next)
{
	char *word = reading->word.bytes;

	bool apart = wants_next_word(word);

	if (apart && !(next = next_word(next, &reading->argument)))
		return refuse(reading), NULL;
	if (strcmp(word, "-c") == 0)
		return give_pair(reading, "-c ", reading->argument.bytes) ? next : NULL;
	if (word[1] == 'c')
		return give_pair(reading, "-c ", word + 2) ? next : NULL;
	/* Empty it is only as a backslash at the very end, which is not kept: as if there were none. */
	if (apart && !reading->argument.bytes[0])
		return refuse(reading), NULL;
	keep_raw(reading->rest, at, next);
	return next;
}

/* Of these the first one is said, once there is nothing else. */
static const char *pass_stray(struct reading *reading, const char *next)
{
	if (!reading->stray)
		refuse(reading);
	reading->stray = true;
	return next;
}

static const char *take_word(struct reading *reading, const char *at, const char *next)
{
	char *word = reading->word.bytes;

	if (word[0] != '-' || !word[1])
		return pass_stray(reading, next);
	if (word[1] != '-')
		return take_switch(reading, at, next);
	if (word[2])
		return give_pair(reading, "--", word + 2) ? next : NULL;
	/* The end of the switches, behind which servers take nothing. */
	if (next_word(next, &reading->word))
		pass_stray(reading, next);
	return next + strlen(next);
}

bool wire_options_pairs(const char *options, wire_pair_cb *pair, void *arg, struct buf *rest, struct error *error)
{
	struct reading reading = { .pair = pair, .arg = arg, .rest = rest, .error = error };
	const char *at = options, *next = NULL;

	while (at && (next = next_word(at, &reading.word)))
		at = take_word(&reading, at, next);
	buf_fini(&reading.word);
	buf_fini(&reading.argument);
	return at && !reading.stray;
}
