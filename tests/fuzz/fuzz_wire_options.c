/* The startup parameter `options` against a second, plainer reading of PostgreSQL's rules: first all words, then the
 * switches. And nothing a client leaves in `rest` may swallow what is appended to it. */
#include <ctype.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"

enum { WORDS_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void note_pair(const char *name, const char *value, void *arg)
{
	buf_append_cstring(arg, name);
	buf_append_cstring(arg, value);
}

/* As the comment above pg_split_opts() in PostgreSQL says it. */
static size_t split(const char *at, char **words)
{
	size_t count = 0;

	for (;;) {
		struct buf word = { 0 };
		bool escaped = false;

		while (isspace((unsigned char)*at))
			at++;
		if (!*at)
			return count;
		for (; *at && (escaped || !isspace((unsigned char)*at)); at++) {
			bool escape = *at == '\\' && !escaped;

			if (!escape)
				buf_append_char(&word, *at);
			escaped = escape;
		}
		words[count++] = buf_take_text(&word);
	}
}

static bool expect_pair(char *word, struct buf *out)
{
	char *equals = strchr(word, '=');

	if (!equals)
		return false;
	for (char *at = word; at < equals; at++)
		if (*at == '-')
			*at = '_';
	*equals = '\0';
	note_pair(word, equals + 1, out);
	return true;
}

static bool expect(char **words, size_t count, struct buf *out)
{
	bool stray = false;

	for (size_t i = 0; i < count; i++) {
		const char *word = words[i];
		bool setting = strncmp(word, "-c", 2) == 0 || strncmp(word, "--", 2) == 0;

		if (strcmp(word, "--") == 0)
			return i + 1 == count && !stray;
		if (word[0] != '-' || !word[1]) {
			stray = true;
			continue;
		}
		bool alone = strcspn(word + 1, "BCDNSWcdfhkprtv-") == strlen(word + 2);

		if (alone && ++i == count)
			return false;
		if (alone && !setting && !*words[i])
			return false;
		if (setting && !expect_pair(words[i] + (alone ? 0 : 2), out))
			return false;
	}
	return !stray;
}

static bool expected(const char *options, struct buf *out)
{
	static char *words[WORDS_MAX];
	size_t count = split(options, words);
	bool good = expect(words, count, out);

	for (size_t i = 0; i < count; i++)
		mem_free(words[i]);
	return good;
}

static void check_rest(struct buf *rest)
{
	struct buf pairs = { 0 }, left = { 0 };
	struct error error;

	buf_append_text(rest, " -c own=1");
	char *options = buf_take_text(rest);

	CHECK(wire_options_pairs(options, note_pair, &pairs, &left, &error));
	CHECK(pairs.size == sizeof("own\0001") && memcmp(pairs.bytes, "own\0001", pairs.size) == 0);
	mem_free(options);
	buf_fini(&pairs);
	buf_fini(&left);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct buf pairs = { 0 }, wanted = { 0 }, rest = { 0 };
	struct error error;

	if (size >= WORDS_MAX)
		return 0;
	char *options = mem_strndup((const char *)bytes, size);
	bool good = wire_options_pairs(options, note_pair, &pairs, &rest, &error);

	CHECK(good == expected(options, &wanted));
	CHECK(pairs.size == wanted.size && (!pairs.size || memcmp(pairs.bytes, wanted.bytes, pairs.size) == 0));
	if (good)
		check_rest(&rest);
	mem_free(options);
	buf_fini(&pairs);
	buf_fini(&wanted);
	buf_fini(&rest);
	return 0;
}
