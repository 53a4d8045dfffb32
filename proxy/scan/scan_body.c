/* Bodies of functions, cut into statements.
 *
 * Failure story: what is lexed otherwise than PostgreSQL does it makes a piece that does not end, which the scanner calls
 * unknown; then the function may leave anything behind. */
#include "pgweir/scan_body.h"

#include <strings.h>

#include "pgweir/mem.h"
#include "pgweir/scan_tokens.h"
#include "scan_internal.h"

enum { NESTED_MAX = 4 };

static bool is(struct scan_token token, const char *word)
{
	size_t size = (size_t)(token.end - token.at);

	return token.part == SCAN_PART_WORD && strlen(word) == size && strncasecmp(token.at, word, size) == 0;
}

static bool is_one_of(struct scan_token token, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is(token, words[i]))
			return true;
	return false;
}
#define IS_ONE_OF(token, ...) \
	is_one_of((token), (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static bool is_char(struct scan_token token, char c)
{
	return token.part == SCAN_PART_OTHER && *token.at == c;
}

/* --- Statements --- */

static void scan_piece(struct scan_body *body, const char *at, const char *end)
{
	struct scan scan;
	struct scan_names names;

	names.count = names.lost = 0;
	scan_begin(&scan, 0);
	scan.names = &names;
	scan.called = body->called;
	scan.called_arg = body->arg;
	scan_feed(&scan, at, (size_t)(end - at));
	uint32_t effects = scan_end(&scan);

	body->effects |= effects & ~(uint32_t)SCAN_WRITES;
	for (unsigned i = 0; i < names.count; i++) {
		if (names.list[i].effect != SCAN_SETS_CUSTOM)
			continue;
		if (names.list[i].parameter)
			body->computes = true;
		else if (strchr(names.list[i].text, '.'))
			body->custom(names.list[i].text, body->arg);
	}
	body->computes |= names.lost && effects & SCAN_SETS_CUSTOM;
}

static bool may_begin_behind(struct scan_token before)
{
	if (before.part == SCAN_PART_END || is_char(before, ';'))
		return true;
	if (before.part == SCAN_PART_OTHER)
		return before.end - before.at == 2 && *before.at == '>';
	return IS_ONE_OF(before, "begin", "then", "else", "loop", "atomic");
}

/* Elsewhere a statement's first word says nothing, and a CASE has THEN and ELSE as well. */
static bool begins_statement(struct scan_token token)
{
	return IS_ONE_OF(token, "set", "reset", "prepare", "deallocate", "load", "discard", "listen", "unlisten", "declare", "create",
		"call", "do", "execute", "close", "select", "with", "notify");
}

static bool writes(struct scan_token before, struct scan_token token, struct scan_token after)
{
	if (is(token, "insert"))
		return is(after, "into");
	if (is(token, "delete"))
		return is(after, "from");
	if (is(token, "update"))
		return !IS_ONE_OF(before, "for", "key", "on", "do");
	return IS_ONE_OF(token, "merge", "copy", "truncate") && may_begin_behind(before);
}

static bool defines(struct scan_token before, struct scan_token token)
{
	return IS_ONE_OF(token, "create", "alter", "drop", "comment", "grant", "revoke", "import", "refresh", "security")
		&& may_begin_behind(before);
}

static bool runs_text(struct scan_token before, struct scan_token token, struct scan_token after)
{
	if (is(token, "execute"))
		return !IS_ONE_OF(after, "function", "procedure", "on", "privileges");
	return is(token, "do") && may_begin_behind(before);
}

static bool is_string(struct scan_token token)
{
	return token.part == SCAN_PART_STRING || token.part == SCAN_PART_ESCAPED || token.part == SCAN_PART_DOLLAR;
}

static bool text_is_in_view(struct scan_token after)
{
	return is_string(after) || IS_ONE_OF(after, "format", "concat");
}

/* DO has it before or behind its text. */
static bool is_strange_language(struct scan_token before, struct scan_token token)
{
	if (!is(before, "language"))
		return false;
	return !IS_ONE_OF(token, "plpgsql", "sql") && !(is_string(token) && strncasecmp(token.at, "'plpgsql'", 9) == 0);
}

/* Of a text that is put together, `token` is SET or RESET: does what is seen of it end before the setting's name does? Right
 * behind a custom one's ('SET app.tenant_' || x) it may: SET would go on. */
static bool computes_setting(struct scan_token token, const char *end)
{
	bool named = false, custom = false, cut = false;
	struct scan_token name = scan_token_next(token.end, end);

	if (IS_ONE_OF(name, "session", "local"))
		name = scan_token_next(name.end, end);
	if (IS_ONE_OF(name, "role", "time", "authorization", "names", "schema", "transaction", "constraints", "characteristics"))
		return false;
	while ((name.part == SCAN_PART_WORD && !(named && is(name, "to"))) || name.part == SCAN_PART_NAME || is_char(name, '.')) {
		named = !is_char(name, '.');
		custom |= !named;
		cut = name.end == end;
		name = scan_token_next(name.end, end);
	}
	return is_char(name, '%') || (name.part == SCAN_PART_END && (!named || (custom && cut && is(token, "set"))));
}

/* --- Strings that are run --- */

static void read_text(struct scan_body *body, const char *text, size_t size, unsigned nested);

static void read_string(struct scan_body *body, struct scan_token token, unsigned nested)
{
	size_t size = (size_t)(token.end - token.at), used = 0;
	char *copy = mem_alloc(size + 1);
	size_t before, behind;

	scan_token_quotes(&token, &before, &behind);
	for (const char *at = token.at + before; at + behind < token.end; at++) {
		bool first = token.part == SCAN_PART_STRING ? *at == '\'' : token.part == SCAN_PART_ESCAPED && (*at == '\'' || *at == '\\');

		at += first && at + 1 + behind < token.end;
		copy[used++] = *at;
	}
	read_text(body, copy, used, nested + 1);
	mem_free(copy);
}

static void read_strings(struct scan_body *body, const char *text, size_t size, unsigned nested)
{
	const char *end = text + size;

	for (struct scan_token token = scan_token_next(text, end); token.part != SCAN_PART_END; token = scan_token_next(token.end, end))
		if (is_string(token))
			read_string(body, token, nested);
}

static void read_text(struct scan_body *body, const char *text, size_t size, unsigned nested)
{
	const char *end = text + size, *from = text;
	struct scan_token before = { SCAN_PART_END, text, text };
	bool runs = false;

	if (nested > NESTED_MAX) {
		body->opaque = true;
		return;
	}
	for (struct scan_token token = scan_token_next(text, end), after; token.part != SCAN_PART_END; before = token, token = after) {
		after = scan_token_next(token.end, end);
		bool begins = may_begin_behind(before);

		if (begins && token.at > from && (is_char(before, ';') || begins_statement(token))) {
			scan_piece(body, from, token.at);
			from = token.at;
		}
		if (nested && begins && IS_ONE_OF(token, "set", "reset") && computes_setting(token, end))
			body->computes = true;
		if (runs_text(before, token, after)) {
			runs = true;
			body->effects |= SCAN_EXECUTES;
			body->opaque |= is(token, "execute") && !text_is_in_view(after);
		}
		body->writes |= writes(before, token, after);
		body->defines |= defines(before, token);
		body->opaque |= runs && is_strange_language(before, token);
	}
	scan_piece(body, from, end);
	if (runs)
		read_strings(body, text, size, nested);
}

void scan_body(struct scan_body *body, const char *text, size_t size)
{
	read_text(body, text, size, 0);
}
