/* The scanner against PostgreSQL's own grammar (libpg_query): statements of every kind, spelled in hostile ways; of those
 * that parse, the scanner must miss no effect, no name and no call that the parse tree has, and nothing may be called a read
 * that is none.
 *
 * Usage: scan_grammar [TEXTS [SEED]]. What the scanner sees and the tree has not is counted, and is no fault. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <pg_query.h>

#include "expected.h"
#include "pgweir/buf.h"
#include "pgweir/mem.h"
#include "routes.h"
#include "templates.h"

enum { TEXTS = 60000, DEPTH_MAX = 7, EFFECTS = 32, CALLS_BYTES = 4096, FAULTS_SHOWN = 20 };

static struct {
	unsigned texts, parsed, faults, unknown;
	unsigned needless[EFFECTS], expected[EFFECTS];
} totals;

static uint64_t state;

static size_t pick(size_t count)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (size_t)((state * 0x9e3779b97f4a7c15u) >> 33) % count;
}

static size_t count_of(const char *const *list)
{
	size_t count = 0;

	while (list[count])
		count++;
	return count;
}

static bool is_word_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || (byte & 0x80)
		|| (byte && strchr("_$'\".", byte));
}

/* What PostgreSQL skips; nothing at all only beside punctuation, where it makes no other token. */
static void put_blank(struct buf *text, char next)
{
	static const char *const blanks[] = {
		" ", "\n", "\t ", " /* ; ' */ ", "/**/", "/* /* \" */ $$ */", " -- ';\n", "--\r\n", "\r\n", "\f", " /*\n--*/ ",
	};
	char last = text->size ? text->bytes[text->size - 1] : ' ';
	bool glued = last == '(' || last == ',' || last == ';' || next == '(' || next == ')' || next == ',' || next == ';';

	if (pick(3) > 0 || !is_word_byte(last))
		buf_append_text(text, glued && pick(2) ? "" : " ");
	else
		buf_append_text(text, blanks[pick(ARRAY_LEN(blanks))]);
}

static void put_word(struct buf *text, const char *word, size_t size)
{
	size_t how = pick(4);

	put_blank(text, word[0]);
	for (size_t i = 0; i < size; i++) {
		bool upper = word[i] >= 'A' && word[i] <= 'Z';

		buf_append_char(text, upper && (how == 1 || (how == 2 && pick(2))) ? (char)(word[i] | ' ') : word[i]);
	}
}

static void put_template(struct buf *text, const char *template, int depth);

/* Deep down the first alternatives are taken, which are plain. */
static void put_symbol(struct buf *text, char letter, int depth)
{
	for (const struct grammar_symbol *symbol = grammar_symbols; symbol->letter; symbol++) {
		if (symbol->letter != letter)
			continue;
		size_t count = count_of(symbol->alternatives);

		put_template(text, symbol->alternatives[depth > DEPTH_MAX ? 0 : pick(count)], depth + 1);
		return;
	}
	CHECK(!"a symbol that is none");
}

/* "%k" in quotes is put together without blanks. */
static void put_quoted_symbol(struct buf *text, const char *template)
{
	put_blank(text, '"');
	buf_append_char(text, '"');
	for (const struct grammar_symbol *symbol = grammar_symbols; symbol->letter; symbol++)
		if (symbol->letter == template[2])
			buf_append_text(text, symbol->alternatives[pick(count_of(symbol->alternatives))]);
	buf_append_char(text, '"');
}

static void put_template(struct buf *text, const char *template, int depth)
{
	while (*template) {
		size_t size = strcspn(template, " ");

		if (template[0] == '%' && size == 2)
			put_symbol(text, template[1], depth);
		else if (template[0] == '"' && template[1] == '%')
			put_quoted_symbol(text, template);
		else if (strchr("'$eEnNuU\"", template[0]) && strpbrk(template, "'$\""))
			size = strlen(template), put_word(text, template, size);        /* A literal, blanks and all. */
		else
			put_word(text, template, size);
		template += size;
		template += *template == ' ';
	}
}

struct seen {
	struct scan_names names;
	char calls[CALLS_BYTES];        /* "\nf\ng\n" */
	uint32_t effects, statements;
};

static void note_call(const char *name, size_t size, void *arg)
{
	struct seen *seen = arg;
	size_t used = strlen(seen->calls);

	if (used + size + 2 < sizeof(seen->calls))
		snprintf(seen->calls + used, sizeof(seen->calls) - used, "%s\n", name);
}

static void look(struct seen *seen, const char *text)
{
	struct scan scan;

	*seen = (struct seen){ .calls = "\n" };
	scan_begin(&scan, 0);
	scan.names = &seen->names;
	scan.called = note_call;
	scan.called_arg = seen;
	for (size_t at = 0, size = strlen(text), piece; at < size; at += piece) {
		piece = 1 + pick(size - at);
		scan_feed(&scan, text + at, piece);
	}
	seen->effects = scan_end(&scan);
	seen->statements = scan.statements;
}

static void fault(const char *text, const char *what, uint32_t effects, const char *name)
{
	if (totals.faults++ < FAULTS_SHOWN)
		printf("%s: effects %x name %s\n    %s\n", what, effects, name ? name : "", text);
}

static bool is_name(const struct scan_name *seen, const struct expected_name *name)
{
	if (seen->effect != name->effect || seen->parameter != name->parameter)
		return false;
	if (!name->text || seen->all)
		return !name->text && seen->all;
	/* Names of settings have no case. */
	return (name->effect == SCAN_SETS_CUSTOM ? strcasecmp : strcmp)(seen->text, name->text) == 0;
}

static bool has_name(const struct seen *seen, const struct expected_name *name)
{
	char line[256];

	snprintf(line, sizeof(line), "\n%s\n", name->text ? name->text : "");
	if (name->effect == SCAN_CALLS)
		return strstr(seen->calls, line) || strlen(seen->calls) > CALLS_BYTES / 2;
	for (int i = 0; i < seen->names.count; i++)
		if (is_name(&seen->names.list[i], name))
			return true;
	return seen->names.lost;
}

static void compare(const char *text, const struct expected *expected)
{
	struct seen seen;

	look(&seen, text);
	if (seen.effects & SCAN_UNKNOWN) {
		totals.unknown++;
		return;
	}
	if (expected->effects & ~seen.effects)
		fault(text, "missed", expected->effects & ~seen.effects, NULL);
	if (expected->sets_somehow && !(seen.effects & (SCAN_SETS | SCAN_SETS_LOCAL)))
		fault(text, "missed", SCAN_SETS | SCAN_SETS_LOCAL, NULL);
	if (expected->loses && !seen.names.lost)
		fault(text, "not lost", SCAN_SETS_CUSTOM, NULL);
	if (expected->statements != seen.statements)
		fault(text, "statements", seen.statements, NULL);
	for (size_t i = 0; i < expected->names_count; i++)
		if (!has_name(&seen, &expected->names[i]))
			fault(text, "unnamed", expected->names[i].effect, expected->names[i].text);
	for (int i = 0; i < EFFECTS; i++) {
		totals.needless[i] += (seen.effects & ~expected->effects) >> i & 1;
		totals.expected[i] += expected->effects >> i & 1;
	}
}

static void check(const char *text)
{
	PgQueryParseResult result = pg_query_parse(text);

	totals.texts++;
	if (!result.error) {
		json_t *tree = json_loads(result.parse_tree, 0, NULL);
		struct expected expected;

		/* The tree of some hostile names is no JSON that can be read. */
		if (tree) {
			totals.parsed++;
			expected_from_tree(&expected, tree);
			compare(text, &expected);
			if (!routes_check(text, &expected, tree))
				fault(text, "called a read", expected.effects, NULL);
			json_decref(tree);
		}
	}
	pg_query_free_parse_result(result);
}

/* Each other one is what a replica might serve, which is rare among statements of every kind. */
static void make_text(struct buf *text)
{
	static const char *const queries[] = {
		"%q", "%q", "%q", "%q", "( %q )", "TABLE %t", "VALUES ( %e )", "WITH %n AS ( %q ) %q", "WITH %n ( a ) AS ( %q ) %q",
		"EXPLAIN %q", "EXPLAIN ( ANALYZE ) %q", "SELECT %e %n , %e FROM %t %n WHERE %e", "SELECT %e OPERATOR ( s . %n ) %e", NULL,
	};
	size_t statements = pick(4) ? 1 : 1 + pick(3);
	const char *const *templates = pick(2) ? grammar_statements : queries;

	for (size_t i = 0; i < statements; i++) {
		put_template(text, templates[pick(count_of(templates))], 0);
		if (pick(3) == 0 || i + 1 < statements)
			put_word(text, ";", 1);
	}
}

static bool report(void)
{
	printf("%u texts, %u parsed, %u unknown, %u faults\n", totals.texts, totals.parsed, totals.unknown, totals.faults);
	printf("effect: expected, needless\n");
	for (int i = 0; i < EFFECTS; i++)
		if (totals.expected[i] || totals.needless[i])
			printf("1 << %2d: %6u %6u\n", i, totals.expected[i], totals.needless[i]);
	/* Templates that no longer parse check nothing. */
	return totals.faults == 0 && totals.parsed > totals.texts / 4;
}

int main(int argc, char **argv)
{
	unsigned texts = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : TEXTS;

	routes_start();
	state = argc > 2 ? strtoull(argv[2], NULL, 10) : 20240601;
	for (unsigned i = 0; i < texts; i++) {
		struct buf buf = { 0 };

		make_text(&buf);
		char *text = buf_take_text(&buf);

		check(text);
		mem_free(text);
	}
	bool good = report();

	routes_report();
	routes_end();

	pg_query_exit();
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
