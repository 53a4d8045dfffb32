/* From one state to another, as SQL.
 *
 * What may go wrong goes wrong on the server: a value it does not take, a role that is gone. Then the transaction
 * fails as a whole, and the caller learns it from the reply.
 *
 * The text has to mean the same whatever the session's settings are at the time, since it runs under `from` and the
 * values were given under `to`: function names are qualified (search_path), a backslash is only ever written inside
 * E'' (standard_conforming_strings), and text beyond ASCII travels as hexadecimal digits (client_encoding: in Shift
 * JIS and its like the second byte of a character may look like a backslash).
 *
 * SET costs the server a fraction of what a SELECT does; set_config() is for the values that SET would take otherwise. */
#include <stdbool.h>
#include <string.h>

#include "state_list.h"

/* More in one SELECT gain nothing, and a target list holds 1664. */
enum { SETS_PER_SELECT_MAX = 64 };

/* What is set, or reset, apart from the rest. A new session_authorization takes the role away, so the role is last. */
static const char *const authorizations[] = { "session_authorization", "role" };

static bool is_authorization(const char *name)
{
	return strcmp(name, authorizations[0]) == 0 || strcmp(name, authorizations[1]) == 0;
}

static bool is_encoding(const char *name)
{
	return strcmp(name, "client_encoding") == 0;
}

static bool is_prepared(const char *name)
{
	return state_pair_statement(&(struct state_pair){ .name = (char *)(uintptr_t)name }) != NULL;
}

/* Settings without an order of their own, client_encoding among them. */
static bool is_plain(const char *name)
{
	return !is_authorization(name) && !is_prepared(name);
}

static bool is_ordinary(const char *name)
{
	return is_plain(name) && !is_encoding(name);
}

bool state_text_is_ascii(const char *text)
{
	for (; *text; text++)
		if (*text & 0x80)
			return false;
	return true;
}

static void put_hexadecimal(const char *text, struct buf *sql)
{
	buf_append_text(sql, "pg_catalog.convert_from(pg_catalog.decode('");
	for (; *text; text++)
		buf_printf(sql, "%02x", (unsigned char)*text);
	buf_append_text(sql, "','hex'),pg_catalog.pg_client_encoding())");
}

static void put_literal(const char *text, struct buf *sql)
{
	bool backslash = strchr(text, '\\') != NULL;

	if (!state_text_is_ascii(text)) {
		put_hexadecimal(text, sql);
		return;
	}
	buf_append_text(sql, backslash ? "E'" : "'");
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_append_char(sql, *text);
		buf_append_char(sql, *text);
	}
	buf_append_char(sql, '\'');
}

/* A setting's name where the grammar wants identifiers. Both parts of a custom one are always quoted: either may be a
 * key word ("app.user"). Of the server's own names none is, but for those that mean something else after RESET. */
static void put_name(const char *name, struct buf *sql)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
	static const char *const taken[] = { "all", "session", "time", "transaction" };
	bool quoted = name[strspn(name, letters)] != '\0';

	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		quoted |= strcmp(name, taken[i]) == 0;
	if (!quoted) {
		buf_append_text(sql, name);
		return;
	}
	buf_append_char(sql, '"');
	for (; *name; name++) {
		if (*name == '.') {
			buf_append_text(sql, "\".\"");
			continue;
		}
		if (*name == '"')
			buf_append_char(sql, '"');
		buf_append_char(sql, *name);
	}
	buf_append_char(sql, '"');
}

/* Parts of names as SQL takes them: none is empty, and none is longer than 63 bytes (NAMEDATALEN), else it were cut. */
static bool is_spelled_in_sql(const char *name)
{
	for (;;) {
		size_t size = strcspn(name, ".");

		if (size == 0 || size > 63)
			return false;
		if (!name[size])
			return true;
		name += size + 1;
	}
}

static void put_reset(const char *name, struct buf *sql)
{
	if (!is_spelled_in_sql(name)) {
		buf_append_text(sql, "SELECT pg_catalog.set_config(");
		put_literal(name, sql);
		buf_append_text(sql, ",NULL,false);");
		return;
	}
	buf_append_text(sql, "RESET ");
	put_name(name, sql);
	buf_append_char(sql, ';');
}

/* Texts beyond ASCII are an expression. */
static bool put_set(const struct state_pair *pair, struct buf *sql)
{
	bool list = state_list_is_quoted(pair->name);
	size_t before = sql->size;

	if (!state_text_is_ascii(pair->value) || !is_spelled_in_sql(pair->name))
		return false;
	buf_append_text(sql, "SET ");
	put_name(pair->name, sql);
	buf_append_text(sql, " TO ");
	if (list && !state_list_put(pair->value, sql)) {
		sql->size = before;
		return false;
	}
	if (!list)
		put_literal(pair->value, sql);
	buf_append_char(sql, ';');
	return true;
}

static void put_call(const struct state_pair *pair, struct buf *sql)
{
	buf_append_text(sql, "pg_catalog.set_config(");
	put_literal(pair->name, sql);
	buf_append_char(sql, ',');
	put_literal(pair->value, sql);
	buf_append_text(sql, ",false)");
}

static bool is_changed(const struct state *from, const struct state_pair *pair)
{
	const char *before = state_get(from, pair->name);

	return !before || strcmp(before, pair->value) != 0;
}

/* What such a value does not say, PostgreSQL takes from what is in force, which is another client's: "DMY" leaves "German" be. */
static bool says_a_part(const char *name, const char *value)
{
	return value && strcmp(name, "datestyle") == 0 && !strchr(value, ',');
}

static void put_resets(const struct state *from, const struct state *to, struct buf *sql)
{
	const struct state_pair *pairs = state_pairs(from);

	for (size_t i = 0; i < state_count(from); i++) {
		const char *next = is_plain(pairs[i].name) ? state_get(to, pairs[i].name) : NULL;
		bool kept = next && (strcmp(next, pairs[i].value) == 0 || !says_a_part(pairs[i].name, next));

		if (is_plain(pairs[i].name) && !kept)
			put_reset(pairs[i].name, sql);
	}
}

typedef bool wanted_fn(const char *name);

/* One SET each, and what is left together. */
static void put_sets(const struct state *from, const struct state *to, wanted_fn *wanted, struct buf *sql)
{
	const struct state_pair *pairs = state_pairs(to);
	struct buf calls = { 0 };
	size_t put = 0;

	for (size_t i = 0; i < state_count(to); i++) {
		if (!wanted(pairs[i].name) || !is_changed(from, &pairs[i]) || put_set(&pairs[i], sql))
			continue;
		if (put % SETS_PER_SELECT_MAX)
			buf_append_char(&calls, ',');
		else
			buf_append_text(&calls, put ? ";SELECT " : "SELECT ");
		put_call(&pairs[i], &calls);
		put++;
	}
	if (put) {
		buf_append(sql, calls.bytes, calls.size);
		buf_append_char(sql, ';');
	}
	buf_fini(&calls);
}

/* Is there a difference other than of role and session_authorization? */
static bool ordinary_differ(const struct state *from, const struct state *to)
{
	const struct state_pair *pairs = state_pairs(from);

	for (size_t i = 0; i < state_count(from); i++)
		if (is_plain(pairs[i].name) && !state_get(to, pairs[i].name))
			return true;
	pairs = state_pairs(to);
	for (size_t i = 0; i < state_count(to); i++)
		if (is_plain(pairs[i].name) && is_changed(from, &pairs[i]))
			return true;
	return false;
}

/* Both, in their order. `undone`: neither is in force any more. */
static void put_authorizations(const struct state *from, const struct state *to, bool undone, struct buf *sql)
{
	bool lost = undone;

	for (size_t i = 0; i < ARRAY_LEN(authorizations); i++) {
		const char *before = undone ? NULL : state_get(from, authorizations[i]);
		struct state_pair pair = {
			.name = (char *)(uintptr_t)authorizations[i],
			.value = (char *)(uintptr_t)state_get(to, authorizations[i]),
		};

		if (!pair.value && before)
			put_reset(pair.name, sql);
		else if (pair.value && (lost || !before || strcmp(before, pair.value) != 0)) {
			if (!put_set(&pair, sql)) {
				buf_append_text(sql, "SELECT ");
				put_call(&pair, sql);
				buf_append_char(sql, ';');
			}
		} else
			continue;
		lost = true;
	}
}

void state_difference(const struct state *from, const struct state *to, struct buf *sql)
{
	if (from == to)
		return;
	/* The session's former role may not be allowed to set what the next client's may, or what that client had set
	 * before it took a role: settings are changed under the login role. */
	bool undone = ordinary_differ(from, to)
		&& (state_get(from, authorizations[0]) || state_get(from, authorizations[1]));

	size_t before = sql->size;

	buf_append_text(sql, "BEGIN;");
	size_t begun = sql->size;

	for (size_t i = 0; undone && i < ARRAY_LEN(authorizations); i++)
		if (state_get(from, authorizations[i]))
			put_reset(authorizations[i], sql);
	put_resets(from, to, sql);
	put_sets(from, to, is_encoding, sql);
	put_sets(from, to, is_ordinary, sql);
	put_authorizations(from, to, undone, sql);
	if (sql->size == begun)
		sql->size = before;
	else
		buf_append_text(sql, "COMMIT");
}

/* --- Prepared statements --- */

static void put_deallocate(const char *name, struct buf *sql)
{
	buf_append_text(sql, "DEALLOCATE \"");
	for (; *name; name++) {
		if (*name == '"')
			buf_append_char(sql, '"');
		buf_append_char(sql, *name);
	}
	buf_append_char(sql, '"');
}

const char *state_statements_step(const struct state *from, const struct state *to, size_t *step, struct buf *sql)
{
	size_t old = state_count(from);

	while (*step < old + state_count(to)) {
		bool leaves = *step < old;
		const struct state_pair *pair = leaves ? &state_pairs(from)[*step] : &state_pairs(to)[*step - old];
		const char *name = state_pair_statement(pair);

		++*step;
		if (!name || !is_changed(leaves ? to : from, pair))
			continue;
		if (leaves)
			put_deallocate(name, sql);
		else
			buf_append_text(sql, pair->value);
		return name;
	}
	return NULL;
}
