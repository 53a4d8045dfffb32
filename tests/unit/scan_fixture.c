/* A text scanned in every way that it may come. */
#include "scan_fixture.h"

#include <stdio.h>

static void put(char *list, size_t room, const char *name, size_t size)
{
	size_t used = strlen(list);

	assert_int_equal(strlen(name), size);
	if (used + size + 2 <= room)
		snprintf(list + used, room - used, "%s ", name);
}

static void note_call(const char *name, size_t size, void *arg)
{
	struct scanned *scanned = arg;

	put(scanned->calls, sizeof(scanned->calls), name, size);
}

void scan_note_mention(const char *name, size_t size, void *arg)
{
	struct scanned *scanned = arg;

	put(scanned->mentions, sizeof(scanned->mentions), name, size);
}

/* Each piece in memory of its own size that is gone when the next one comes. */
static void feed(struct scan *scan, const char *bytes, size_t size)
{
	char *exact = mem_dup(bytes, size);

	scan_feed(scan, exact, size);
	memset(exact, '\'', size);
	mem_free(exact);
}

static struct scanned scan_pieces(const char *text, size_t size, unsigned flags, size_t first, size_t others)
{
	struct scanned scanned = { 0 };
	struct scan scan;
	struct scan_filter all;
	size_t piece = first;

	memset(&all, 0xff, sizeof(all));
	scan_begin(&scan, flags);
	scan.filter = &all;
	scan.mentioned = scan_note_mention;
	scan.names = &scanned.names;
	scan.called = note_call;
	scan.called_arg = &scanned;
	for (size_t at = 0; at < size; at += piece, piece = others) {
		piece = piece < size - at ? piece : size - at;
		feed(&scan, text + at, piece);
	}
	scanned.effects = scan_end(&scan);
	scanned.statements = scan.statements;
	scanned.facts = scan.facts;
	/* Where they lie depends on the cut. */
	for (int i = 0; i < scanned.names.count; i++)
		scanned.names.list[i].spelled = NULL, scanned.names.list[i].spelled_size = 0;
	return scanned;
}

static void expect_same(const struct scanned *one, const struct scanned *other, const char *text, size_t cut)
{
	if (one->effects != other->effects || one->statements != other->statements)
		fail_msg("\"%s\" cut at %zu: effects %x, not %x; %u statements, not %u", text, cut, other->effects, one->effects,
			other->statements, one->statements);
	if (memcmp(&one->names, &other->names, sizeof(one->names)) != 0 || strcmp(one->calls, other->calls) != 0)
		fail_msg("\"%s\" cut at %zu: other names or calls", text, cut);
	if (one->facts != other->facts || strcmp(one->mentions, other->mentions) != 0)
		fail_msg("\"%s\" cut at %zu: other facts or mentions", text, cut);
}

struct scanned scan_every_way(const char *text, size_t size, unsigned flags)
{
	struct scanned whole = scan_pieces(text, size, flags, size, size);

	for (size_t first = 1; first <= size; first++) {
		struct scanned cut = scan_pieces(text, size, flags, first, size);

		expect_same(&whole, &cut, text, first);
	}
	for (size_t piece = 1; piece <= 3; piece++) {
		struct scanned pieces = scan_pieces(text, size, flags, piece, piece);

		expect_same(&whole, &pieces, text, 0);
	}
	return whole;
}

static void spell_names(const struct scan_names *names, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (int i = 0; i < names->count; i++) {
		const struct scan_name *name = &names->list[i];

		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", name->all ? "*" : name->text);
		if (name->parameter)
			used += (size_t)snprintf(text + used, size - used, "$%u", name->parameter);
	}
	if (names->lost)
		snprintf(text + used, size - used, "!");
}

static void expect_row(const struct scan_row *row, const char *text, uint32_t more)
{
	struct scanned scanned = scan_every_way(text, strlen(text), row->flags);
	char names[SCAN_NAMES_MAX * (SCAN_WORD_MAX + 2)];

	spell_names(&scanned.names, names, sizeof(names));
	if (scanned.effects != (row->effects | more))
		fail_msg("\"%s\": effects %x, not %x", text, scanned.effects, row->effects | more);
	if (strcmp(names, row->names ? row->names : "") != 0)
		fail_msg("\"%s\": names \"%s\", not \"%s\"", text, names, row->names);
}

/* Each row also behind another statement and a comment. */
void scan_expect_rows(const struct scan_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *behind = mem_printf("select 'a;' /* ' */ ;-- set\n%s", rows[i].text);

		expect_row(&rows[i], rows[i].text, 0);
		expect_row(&rows[i], behind, 0);
		mem_free(behind);
	}
}
