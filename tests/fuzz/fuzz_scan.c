/* The SQL scanner: the first byte is the flags, the second says how the text is cut; every cut must tell the same.
 *
 * And what holds of any text: effects are only added, names end, each has its effect in the answer, those of settings have
 * a dot, a comment or a blank in front changes nothing, and a lost scanner stays lost. */
#include "pgweir/check.h"
#include "pgweir/mem.h"
#include "pgweir/scan.h"

#include <string.h>

enum { FLAGS = SCAN_AMBIGUOUS_BYTES | SCAN_BACKSLASH_STRINGS };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct seen {
	struct scan_names names;
	uint64_t calls;         /* A hash of them, and of all names. */
	uint32_t effects, statements, facts, padding;
};

static void note_call(const char *name, size_t size, void *arg)
{
	struct seen *seen = arg;

	CHECK(size <= SCAN_WORD_MAX && name[size] == '\0');
	for (size_t i = 0; i <= size; i++)
		seen->calls = seen->calls * 31 + (uint8_t)name[i];
}

/* Each piece lies in memory of its own size, and is gone when the next comes. */
static void feed(struct scan *scan, const char *text, size_t size)
{
	char *exact = mem_dup(text, size);
	uint32_t before = scan->effects;

	scan_feed(scan, exact, size);
	CHECK((scan->effects & before) == before);
	memset(exact, '(', size);
	mem_free(exact);
}

/* A step of 0 is all at once. */
static struct seen look(const char *front, const char *text, size_t size, unsigned flags, size_t step)
{
	struct seen seen = { 0 };
	struct scan scan;
	struct scan_filter all;

	memset(&all, 0xff, sizeof(all));
	scan_begin(&scan, flags);
	scan.filter = &all;
	scan.mentioned = note_call;
	scan.names = &seen.names;
	scan.called = note_call;
	scan.called_arg = &seen;
	feed(&scan, front, strlen(front));
	for (size_t at = 0, piece; at < size; at += piece) {
		piece = step && step < size - at ? step : size - at;
		feed(&scan, text + at, piece);
	}
	seen.effects = scan_end(&scan);
	/* Where a name lies depends on the pieces. */
	for (int i = 0; i < SCAN_NAMES_MAX; i++) {
		seen.names.list[i].spelled = NULL;
		seen.names.list[i].spelled_size = 0;
	}
	seen.statements = scan.statements;
	seen.facts = scan.facts;
	return seen;
}

static bool is_custom_setting(const struct scan_name *name)
{
	for (int i = 0; i < name->size; i++)
		if (name->text[i] >= 'A' && name->text[i] <= 'Z')
			return false;
	return memchr(name->text, '.', name->size);
}

static void check_names(const struct seen *seen)
{
	CHECK(seen->names.count <= SCAN_NAMES_MAX);
	for (int i = 0; i < seen->names.count; i++) {
		const struct scan_name *name = &seen->names.list[i];

		CHECK(name->effect & seen->effects);
		CHECK(name->size <= SCAN_WORD_MAX && name->text[name->size] == '\0' && !(name->all && name->size));
		if (name->effect == SCAN_SETS_CUSTOM)
			CHECK(!name->all && (name->parameter ? name->size == 0 : is_custom_setting(name)));
		else
			CHECK(name->parameter == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size < 2)
		return 0;
	const char *text = (const char *)bytes + 2;
	unsigned flags = bytes[0] & FLAGS;
	struct seen whole = look("", text, size - 2, flags, 0);
	struct seen ways[] = {
		look("", text, size - 2, flags, 1),
		look("", text, size - 2, flags, 2u + bytes[1]),
		look(" /* ' */\n;--\"\n", text, size - 2, flags, 17),
	};

	check_names(&whole);
	if (whole.effects & SCAN_CALLS_SET_CONFIG)
		CHECK(whole.effects & (SCAN_SETS | SCAN_SETS_LOCAL));
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		CHECK(memcmp(&ways[i], &whole, sizeof(whole)) == 0);
	CHECK(scan_text(text, size - 2, flags, NULL) == whole.effects);
	return 0;
}
