/* A text is a read if all of its statements are SELECT (or EXPLAIN of one), nothing in it writes, locks or has to do with the
 * session, and no name in it is an unsafe function's, relation's or operator's. What is unsafe is made up here, from names
 * that the templates use; what PostgreSQL's own functions do is the business of the catalog's test. */
#include "routes.h"

#include <stdio.h>
#include <string.h>

#include "pgweir/check.h"
#include "pgweir/reads.h"
#include "templates.h"

static const char *const safe[] = { "f", "F", "count", "COUNT", "left", "replace", "a", "B", "foo", "x\"y" };
static const char *const unsafe[] = { "pg_advisory_xact_lock", ";", "--", "a$b$c" };
static const char *const relations[] = { "A b", "/*", "set", "view", "\303\244", "d\001t" };
static const char *const unsafe_operators[] = { "@>", "~~~" };

static struct route_names *names;
static struct {
	unsigned reads, recognized, others, missed[ROUTE_REASONS];
} totals;

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, list[i]) == 0)
			return true;
	return false;
}

/* Every other keyword is the name of a function that is safe. */
static void add_keywords(void)
{
	for (const struct grammar_symbol *symbol = grammar_symbols; symbol->letter; symbol++) {
		if (symbol->letter != 'k')
			continue;
		for (size_t i = 0; symbol->alternatives[i]; i++)
			route_names_add_function(names, symbol->alternatives[i], strlen(symbol->alternatives[i]), i % 2);
	}
}

void routes_start(void)
{
	names = route_names_new();
	add_keywords();
	for (size_t i = 0; i < ARRAY_LEN(safe); i++)
		route_names_add_function(names, safe[i], strlen(safe[i]), true);
	for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
		route_names_add_function(names, unsafe[i], strlen(unsafe[i]), false);
	for (size_t i = 0; i < ARRAY_LEN(relations); i++)
		route_names_add_relation(names, relations[i], strlen(relations[i]));
	for (size_t i = 0; i < ARRAY_LEN(unsafe_operators); i++)
		route_names_add_operator(names, unsafe_operators[i], strlen(unsafe_operators[i]));
}

void routes_end(void)
{
	route_names_free(&names);
}

/* --- What the tree says --- */

static bool is_unsafe_name(const char *text)
{
	return is_one_of(text, relations, ARRAY_LEN(relations)) || is_one_of(text, unsafe_operators, ARRAY_LEN(unsafe_operators));
}

/* Relations, types, columns, operators, cursors: whatever has one of the names, but for what may be a string. */
static bool has_unsafe_name(json_t *tree)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_object(tree)) {
		json_object_foreach(tree, key, value) {
			bool named = strcmp(key, "relname") == 0 || strcmp(key, "schemaname") == 0 || strcmp(key, "aliasname") == 0;
			bool listed = strcmp(key, "names") == 0 || strcmp(key, "name") == 0 || strcmp(key, "fields") == 0;

			if (named && json_is_string(value) && is_unsafe_name(json_string_value(value)))
				return true;
			for (size_t each = 0; listed && each < json_array_size(value); each++) {
				json_t *string = json_object_get(json_object_get(json_array_get(value, each), "String"), "sval");

				if (string && is_unsafe_name(json_string_value(string)))
					return true;
			}
			if (has_unsafe_name(value))
				return true;
		}
	}
	json_array_foreach(tree, i, value)
		if (has_unsafe_name(value))
			return true;
	return false;
}

static bool has_unsafe_call(const struct expected *expected)
{
	for (size_t i = 0; i < expected->names_count; i++) {
		const struct expected_name *name = &expected->names[i];

		if (name->effect == SCAN_CALLS
			&& route_names_function(names, name->text, strlen(name->text)) != ROUTE_FUNCTION_SAFE)
			return true;
	}
	return expected->names_count == EXPECTED_NAMES_MAX;
}

static bool all_select(json_t *stmts)
{
	size_t i;
	json_t *each;

	json_array_foreach(stmts, i, each) {
		const char *type = json_object_iter_key(json_object_iter(json_object_get(each, "stmt")));

		if (!type || (strcmp(type, "SelectStmt") != 0 && strcmp(type, "ExplainStmt") != 0))
			return false;
	}
	return json_array_size(stmts) > 0;
}

/* What a text may do that a read does as well. */
#define HARMLESS_EFFECTS (SCAN_CALLS | SCAN_TIME_LITERAL)

static bool is_read(const struct expected *expected, json_t *stmts)
{
	return all_select(stmts) && !(expected->effects & ~(uint32_t)HARMLESS_EFFECTS) && !expected->sets_somehow
		&& !has_unsafe_call(expected) && !has_unsafe_name(stmts);
}

/* --- What is made of the text --- */

bool routes_check(const char *text, const struct expected *expected, json_t *tree)
{
	bool read = is_read(expected, json_object_get(tree, "stmts"));
	enum route_reason reason = reads_judge(&(struct reads_question){ .text = text, .size = strlen(text), .names = names });

	totals.reads += read;
	totals.others += !read;
	totals.recognized += read && reason == ROUTE_READ;
	if (read && reason != ROUTE_READ)
		totals.missed[reason]++;
	return read || reason != ROUTE_READ;
}

void routes_report(void)
{
	printf("%u texts for the primary; %u reads, of which %u (%.1f %%) were recognized; the others:\n", totals.others, totals.reads,
		totals.recognized, totals.reads ? 100.0 * totals.recognized / totals.reads : 0.0);
	for (enum route_reason reason = 0; reason < ROUTE_REASONS; reason++)
		if (totals.missed[reason])
			printf("%20s %6u\n", route_reason_word(reason), totals.missed[reason]);
	/* A check of nothing finds nothing. */
	CHECK(totals.recognized > totals.reads / 4 && totals.others > 0);
}
