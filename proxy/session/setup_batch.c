/* Settings ahead of the client's message through the extended protocol: BEGIN, one SELECT of set_config() calls and COMMIT, which
 * every server connection has prepared, as Bind and Execute without a Sync. The server answers together with what it answers
 * to the client's message, in one packet, and has nothing to parse (docs/decisions/0023-settings-as-a-batch.md).
 *
 * Only what means the same as SET in any case goes this way, and only a state that a server has taken before. */
#include <pthread.h>
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "prepared_internal.h"
#include "setup.h"

/* More differ rarely, and each number of settings is a statement of its own on every server connection. */
enum { SETTINGS_MAX = 8, REPORTS_MAX = 64, STATEMENTS_MIN = 4 * SETTINGS_MAX };

/* --- The batch --- */

/* By them texts are read, or what comes next is allowed: they take effect in an order of their own (state_sql.c). */
static bool goes_alone(const struct state_pair *pair)
{
	static const char *const names[] = { "client_encoding", "standard_conforming_strings", "role", "session_authorization" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(pair->name, names[i]) == 0)
			return true;
	return state_pair_statement(pair) != NULL;
}

static void put_value(struct buf *out, const char *text)
{
	char size[4];

	wire_put_u32(size, text ? (uint32_t)strlen(text) : UINT32_MAX);
	buf_append(out, size, sizeof(size));
	if (text)
		buf_append_text(out, text);
}

/* What a RESET of a reported one leads to is not known before. */
static bool can_reset(const struct state_pair *pair, const struct parameters *reported)
{
	return !goes_alone(pair) && state_text_is_ascii(pair->name) && !parameters_get(reported, pair->name);
}

static bool can_set(const struct state_pair *pair)
{
	return !goes_alone(pair) && state_text_is_ascii(pair->name) && state_text_is_ascii(pair->value);
}

/* --- Its statements --- */

/* By name: how many settings it sets; the first two set none. */
enum { BEGIN, COMMIT, FIRST_SET, STATEMENTS = FIRST_SET + SETTINGS_MAX };

struct setup_statements {
	struct statement_name *names[STATEMENTS];
};

/* The same for all pools and workers: a connection that goes to another one has them. */
static struct statement_table table = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void put_text(unsigned which, struct buf *sql)
{
	/* Else the SELECT could wait for a snapshot that is safe for a serializable, read-only, deferrable transaction. */
	if (which == BEGIN)
		buf_append_text(sql, "BEGIN ISOLATION LEVEL READ COMMITTED");
	else if (which == COMMIT)
		buf_append_text(sql, "COMMIT");
	for (unsigned i = 0; which >= FIRST_SET && i <= which - FIRST_SET; i++)
		buf_printf(sql, "%spg_catalog.set_config($%u,$%u,false)", i ? "," : "SELECT ", 2 * i + 1, 2 * i + 2);
}

struct setup_statements *setup_statements_new(void)
{
	struct setup_statements *statements = NEW(struct setup_statements);

	for (unsigned which = 0; which < STATEMENTS; which++) {
		struct buf scope = { 0 }, parse = { 0 };

		scope_put_none(&scope);
		put_text(which, &parse);
		buf_append(&parse, "\0\0", 3);
		statements->names[which] = statement_name_new("", statement_intern(&table, scope.bytes, scope.size, parse.bytes, parse.size));
		buf_fini(&scope);
		buf_fini(&parse);
	}
	return statements;
}

void setup_statements_free(struct setup_statements *statements)
{
	for (unsigned which = 0; which < STATEMENTS; which++)
		statement_name_unref(&statements->names[which]);
	mem_free(statements);
}

/* --- The messages --- */

/* What differs, as the values of a Bind: each setting's name and its value, NULL for a RESET. */
struct difference {
	struct buf values;
	unsigned settings;
	uint64_t reported;              /* Bits of pairs of the new state. */
};

static void add(struct difference *difference, const char *name, const char *value)
{
	put_value(&difference->values, name);
	put_value(&difference->values, value);
	difference->settings++;
}

/* False: there is something that goes another way. */
static bool find_difference(const struct state *from, const struct state *to, const struct parameters *reported,
	struct difference *difference)
{
	for (size_t i = 0; i < state_count(from); i++) {
		const struct state_pair *pair = &state_pairs(from)[i];

		if (state_get(to, pair->name))
			continue;
		if (!can_reset(pair, reported))
			return false;
		add(difference, pair->name, NULL);
	}
	for (size_t i = 0; i < state_count(to); i++) {
		const struct state_pair *pair = &state_pairs(to)[i];
		const char *before = state_get(from, pair->name);

		if (before && strcmp(before, pair->value) == 0)
			continue;
		if (!can_set(pair))
			return false;
		add(difference, pair->name, pair->value);
		if (i < REPORTS_MAX && parameters_get(reported, pair->name))
			difference->reported |= UINT64_C(1) << i;
	}
	return difference->settings <= SETTINGS_MAX && state_count(to) <= REPORTS_MAX;
}

/* Of the unnamed portal, all values as text. */
static void put_run(const struct statement_name *name, const struct difference *difference, struct buf *out)
{
	size_t begun = wire_begin(out, 'B');

	buf_append_char(out, '\0');
	buf_append_cstring(out, name->statement->server_name);
	buf_append(out, "\0\0\0", 3);
	buf_append_char(out, (char)(difference ? 2 * difference->settings : 0));
	if (difference)
		buf_append(out, difference->values.bytes, difference->values.size);
	buf_append(out, "\0\0", 2);
	wire_end(out, begun);
	begun = wire_begin(out, 'E');
	buf_append(out, "\0\0\0\0\0", 5);
	wire_end(out, begun);
}

void setup_batch_fill(struct setup_batch *batch, const struct setup_statements *statements, const struct state *from,
	const struct state *to, const struct parameters *reported)
{
	struct difference difference = { 0 };
	/* Under another role they may not be the client's to set. */
	bool can = !state_get(from, "role") && !state_get(from, "session_authorization")
		&& find_difference(from, to, reported, &difference);

	buf_fini(&batch->messages);
	batch->settings = can ? difference.settings : 0;
	batch->reported = difference.reported;
	if (batch->settings) {
		put_run(statements->names[BEGIN], NULL, &batch->messages);
		put_run(statements->names[FIRST_SET + batch->settings - 1], &difference, &batch->messages);
		put_run(statements->names[COMMIT], NULL, &batch->messages);
	}
	buf_fini(&difference.values);
}

/* --- On its way --- */

bool setup_batch_fits(const struct session *session, const struct setup_batch *batch)
{
	const struct pool_share *share = session->share;

	return batch->settings && session->state == SESSION_LINKED && !session->setup_plainly && !session->report_due && !session->lost
		&& !session->listen && !session->pins && !share->no_setup_batches && session->backend->requests.count == 0
		&& prepared_tracks(session) && share->settings.max_prepared_statements >= STATEMENTS_MIN
		&& state_spelling(session->settings) == STATE_AS_REPORTED;
}

void setup_batch_put(struct session *session, const struct setup_batch *batch, const struct setup_statements *statements)
{
	struct backend *backend = session->backend;
	const unsigned runs[] = { BEGIN, FIRST_SET + batch->settings - 1, COMMIT };

	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		prepared_materialise_as(session, statements->names[runs[i]], REQUEST_SETUP);
	outbox_put(prepared_outbox(session), batch->messages.bytes, batch->messages.size);
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		backend_request(backend, REQUEST_BIND, REQUEST_INJECTED | REQUEST_SETUP, NULL);
		backend_request(backend, REQUEST_EXECUTE, REQUEST_INJECTED | REQUEST_SETUP, NULL);
	}
	/* What of it is open has been committed: it is no batch of the client's. */
	backend->unsynced = false;
	backend->reports_due = batch->reported;
	state_unref(&backend->reports_of);
	backend->reports_of = batch->reported ? state_ref(session->settings) : NULL;
}
