/* What puts a session's state in force goes ahead of the client's message, in the same packet.
 *
 * Few states follow one another on a pool's connections again and again, so the messages between them are kept: a slot
 * belongs to a pair of states, and holds them, so that their addresses mean nothing else meanwhile; and to servers that report
 * the same settings, which versions of PostgreSQL differ in. */
#include "setup.h"

#include <string.h>

#include "missing.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "session_internal.h"

enum { SLOTS = 256, KEPT_MAX = 2048 };

struct setup {
	struct state *from, *to;        /* References. */
	struct buf message;             /* A Query; empty: their settings are equal. */
	struct setup_batch batch;       /* The same, where that is possible. */
	bool statements;                /* There are some in either. */
	uint64_t reported;              /* By servers that report these (struct parameters). */
};

struct setup_cache {
	struct setup_statements *statements;
	struct setup slots[SLOTS];
};

struct setup_cache *setup_cache_new(void)
{
	struct setup_cache *cache = NEW(struct setup_cache);

	cache->statements = setup_statements_new();
	return cache;
}

static void empty(struct setup *setup)
{
	state_unref(&setup->from);
	state_unref(&setup->to);
	buf_fini(&setup->message);
	buf_fini(&setup->batch.messages);
}

void setup_cache_free(struct setup_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		empty(&cache->slots[i]);
	setup_statements_free(cache->statements);
	mem_free(cache);
}

static bool has_statements(const struct state *state)
{
	for (size_t i = 0; i < state_count(state); i++)
		if (state_pair_statement(&state_pairs(state)[i]))
			return true;
	return false;
}

static void fill(const struct setup_cache *cache, struct setup *setup, struct state *from, struct state *to,
	const struct parameters *reported)
{
	struct buf sql = { 0 };

	empty(setup);
	setup->from = state_ref(from);
	setup->to = state_ref(to);
	setup->statements = has_statements(from) || has_statements(to);
	setup->reported = reported->names;
	state_difference(from, to, &sql);
	if (sql.size) {
		buf_append_char(&sql, '\0');
		wire_put_query(&setup->message, sql.bytes);
	}
	buf_fini(&sql);
	setup_batch_fill(&setup->batch, cache->statements, from, to, reported);
}

/* Addresses are far apart, and their low bits are all the same. */
static size_t slot_of(const struct state *from, const struct state *to)
{
	uint64_t mixed = ((uintptr_t)from >> 4) * UINT64_C(0x9e3779b97f4a7c15) ^ ((uintptr_t)to >> 4) * UINT64_C(0xc2b2ae3d27d4eb4f);

	return (size_t)(mixed >> 32) % SLOTS;
}

static struct setup *find(struct setup_cache *cache, struct state *from, struct state *to, const struct parameters *reported)
{
	struct setup *setup = &cache->slots[slot_of(from, to)];

	if (setup->from != from || setup->to != to || setup->reported != reported->names)
		fill(cache, setup, from, to, reported);
	return setup;
}

/* A statement that cannot be prepared any more is one that the client will not find. */
static void put_statements(struct session *session)
{
	struct buf sql = { 0 };
	const char *statement;
	size_t step = 0;

	while ((statement = state_statements_step(session->backend->settings, session->settings, &step, &sql))) {
		struct statement_name *name = statement_name_new(statement, NULL);

		missing_retried(session, statement);
		own_query_put(session, &sql, REQUEST_TRY, name);
		statement_name_unref(&name);
	}
	buf_fini(&sql);
}

static void put_difference(struct session *session)
{
	struct backend *backend = session->backend;

	if (backend->settings == session->settings)
		return;
	struct setup_cache *cache = session_relay(session)->setups;
	struct setup *setup = find(cache, backend->settings, session->settings, &backend->server->parameters);

	if (!setup->statements && setup_batch_fits(session, &setup->batch))
		setup_batch_put(session, &setup->batch, cache->statements);
	else if (setup->message.size)
		own_query_put_message(session, &setup->message, REQUEST_SETUP | REQUEST_SETTINGS, NULL);
	if (setup->statements)
		put_statements(session);
	if (setup->message.size > KEPT_MAX)
		empty(setup);
	session->setup_plainly = false;
	state_unref(&backend->settings);
	backend->settings = state_ref(session->settings);
}

/* In its own words what it reports of them later says nothing new. */
void setup_confirmed(struct session *session)
{
	const struct parameters *parameters = &session->backend->server->parameters;
	struct state *state = session->backend->settings;
	bool same = true;

	if (state_spelling(state) != STATE_NOT_LOOKED_AT)
		return;
	for (size_t i = 0; i < state_count(state); i++) {
		const char *now = parameters_get(parameters, state_pairs(state)[i].name);

		same &= !now || strcmp(now, state_pairs(state)[i].value) == 0;
	}
	state_note_spelling(state, same ? STATE_AS_REPORTED : STATE_SPELLED_OTHERWISE);
}

/* Without this server connection the session lacks nothing. */
static bool is_all_there_is(const struct session *session)
{
	const struct backend *backend = session->backend;

	return session->state == SESSION_LINKED && backend->requests.count == 0 && backend->status == 'I' && !session->pins
		&& !session->suspected && !session->lost && !session->listen && !session->report_due;
}

void setup_put(struct session *session)
{
	struct backend *backend = session->backend;
	struct buf sql = { 0 };

	session->setup_due = false;
	session->setup_kept = false;
	bool alone = is_all_there_is(session);

	backend->interjects |= session->report_due;
	/* It is on the client's time, and keeps the message behind it from starting the clock. */
	if (backend->requests.count == 0)
		session->request_us = backend->request_since_us = worker_now(session->worker);
	sequences_clear(session, &sql);
	if (sql.size)
		own_query_put(session, &sql, REQUEST_SETUP, NULL);
	buf_fini(&sql);
	put_difference(session);
	if (alone && backend->requests.count)
		setup_keep_begins(session);
	if (session->custom)
		custom_given(session);
}
