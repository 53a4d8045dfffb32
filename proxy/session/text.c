/* What a client's SQL may do to its session, before it is sent. */
#include <string.h>

#include "lost.h"
#include "pgweir/mem.h"
#include "route.h"
#include "route_setting.h"
#include "session_internal.h"
#include "text.h"

#define STATES (SCAN_SETS | SCAN_PREPARES | SCAN_DEALLOCATES | SCAN_HOLDS | SCAN_CLOSES | SCAN_LOADS | SCAN_DISCARDS \
	| SCAN_TEMPORARY | SCAN_DROPS | SCAN_LOCKS | SCAN_UNLOCKS | SCAN_SEEDS | SCAN_UNKNOWN)
#define RESETS (TEXT_SCOPE | SCAN_DEALLOCATES | SCAN_PREPARES)
#define SEQUENCES (SCAN_SEQUENCE_USE | SCAN_SEQUENCE_ASK)
/* What may call nextval(), be it by a column's default or in a function; and what is no plain read either, but does not. */
#define USES_SEQUENCES (SCAN_WRITES | SCAN_CALLS | SCAN_RUNS_CODE | SCAN_EXECUTES | SCAN_SEQUENCE_USE | SCAN_UNKNOWN)
#define CREATES (SCAN_WRITES | SCAN_CALLS | SCAN_RUNS_CODE | SCAN_EXECUTES | SCAN_UNKNOWN)
#define USES_NONE (SCAN_BEGINS | SCAN_ENDS | SCAN_SAVEPOINTS | SCAN_SETS | SCAN_SETS_LOCAL)

/* Whether a character's second byte may be one that means something by itself; quotes, letters and digits are none. */
static bool has_ambiguous_bytes(const char *text, size_t size)
{
	for (size_t i = 1; i < size; i++)
		if (text[i - 1] & 0x80 && text[i] && strchr("\\@[]^`{|}~", text[i]))
			return true;
	return false;
}

unsigned session_scan_flags(const struct session *session, const char *text, size_t size)
{
	unsigned flags = session->scan_flags;

	if (flags & SCAN_AMBIGUOUS_BYTES && !has_ambiguous_bytes(text, size))
		flags &= ~(unsigned)SCAN_AMBIGUOUS_BYTES;
	return flags;
}

bool text_reading_is_unsure(const struct session *session)
{
	const struct backend *backend = session->backend;

	return session->reading_touched && backend && (backend->requests.count || backend->unsynced);
}

/* Where strings end, were the settings others. */
static COLD bool may_be_read_otherwise(const char *text, size_t size)
{
	return memchr(text, '\\', size) || has_ambiguous_bytes(text, size);
}

uint32_t session_text_effects(const struct session *session, const char *text, size_t size)
{
	if (session->mode == POOL_MODE_SESSION)
		return 0;
	size = strnlen(text, size);
	if (text_reading_is_unsure(session) && may_be_read_otherwise(text, size))
		return SCAN_UNKNOWN | text_cache_effects(session_relay(session)->texts, text, size, session_scan_flags(session, text, size));
	return text_cache_effects(session_relay(session)->texts, text, size, session_scan_flags(session, text, size));
}

bool session_text_is_one_prepare(const char *text)
{
	struct scan scan;

	scan_begin(&scan, 0);
	scan_feed(&scan, text, strlen(text));
	return scan_end(&scan) & SCAN_PREPARES && scan.statements == 1;
}

/* Pooled connections that nobody uses must not be in the way. The server itself waits for a while until they are gone. */
static void vacate(struct session *session, const char *text, size_t size)
{
	struct scan_names names;

	scan_text(text, strnlen(text, size), session_scan_flags(session, text, size), &names);
	for (unsigned i = 0; i < names.count; i++)
		if (names.list[i].effect == SCAN_NEEDS_IDLE_DATABASE)
			pool_vacate(session->backend, names.list[i].text);
}

void text_note_effects(struct session *session, uint32_t effects)
{
	if (effects & SCAN_SEQUENCE_USE)
		sequences_wrote(session);
	if (effects & STATES)
		leftovers_suspect(session, effects);
	if (!(effects & RESETS))
		return;
	session->scope_unsure |= (effects & TEXT_SCOPE) != 0;
	session->sql_prepared |= (effects & SCAN_PREPARES) != 0;
	session->unnaming |= (effects & (SCAN_DISCARDS | SCAN_DEALLOCATES)) != 0;
	session->resetting |= effects & (SCAN_DISCARDS | SCAN_DEALLOCATES) || (effects & SCAN_SETS && session->startup);
}

/* By set_config, with a name that is computed or bound. */
static bool sets_what_is_not_named(const struct session *session, const struct sql_run *run)
{
	struct scan_names names;

	scan_text(run->text, strnlen(run->text, run->size), session_scan_flags(session, run->text, run->size), &names);
	for (unsigned i = 0; i < names.count; i++)
		names.lost |= names.list[i].parameter != 0;
	return names.lost;
}

/* What is sent behind it, or behind the end of its transaction, may be read otherwise. */
static bool may_change_reading(const struct session *session, const struct sql_run *run)
{
	static const char *const words[] = { "standard_conforming_strings", "client_encoding", "names", "reset" };

	if (!(run->effects & TEXT_SCOPE))
		return false;
	if (!run->text || run->effects & (SCAN_DISCARDS | SCAN_UNKNOWN))
		return true;
	if (run->effects & SCAN_CALLS_SET_CONFIG && sets_what_is_not_named(session, run))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (text_mentions(run->text, run->size, words[i]))
			return true;
	return false;
}

void session_note_run(struct session *session, const struct sql_run *run)
{
	text_note_effects(session, run->effects);
	session->reading_touched |= may_change_reading(session, run);
	if (run->effects & SCAN_SETS && session->route && run->text)
		route_setting_reset_all(session, run->text, run->size);
	if (run->type == 'P' && session->audits)
		audit_run(session, run, run->effects);
	if (run->effects & (SCAN_SETS_CUSTOM | SCAN_UNKNOWN))
		custom_note(session, run);
	if (run->effects & SCAN_SETS && session->startup && run->text)
		resets_note(session, run->text, run->size);
	if (run->effects & SCAN_NEEDS_IDLE_DATABASE)
		vacate(session, run->text, run->size);
}

/* In a transaction that has failed, and nothing that was sent since the server has said so can have ended it. */
static bool is_in_failed(const struct session *session)
{
	return session->backend->status == 'E' && !(session->sent_effects & (SCAN_ENDS | SCAN_SAVEPOINTS | SCAN_UNKNOWN));
}

/* … nor anything on its way: the server refuses whatever does not. */
static bool runs_not_at_all(const struct session *session, uint32_t effects)
{
	const struct requests *requests = &session->backend->requests;

	if (!is_in_failed(session) || effects & (SCAN_ENDS | SCAN_SAVEPOINTS | SCAN_UNKNOWN))
		return false;
	for (uint32_t i = 0; i < requests->count; i++)
		if (REQUEST_BIT(requests_at(requests, i)->kind) & (REQUESTS_MADE_READY | REQUEST_BIT(REQUEST_EXECUTE)))
			return false;
	return true;
}

static bool is_one_statement(const struct sql_run *run)
{
	const char *text = run->text, *end = text + strnlen(text, run->size);
	const char *semicolon = memchr(text, ';', (size_t)(end - text));

	return !semicolon || semicolon + 1 == end;
}

static bool may_use_sequences(const struct sql_run *run)
{
	uint32_t effects = run->effects & USES_SEQUENCES;

	return effects && (effects != SCAN_WRITES || !(run->effects & USES_NONE) || !is_one_statement(run));
}

/* Of what it may leave, ask for or forbid. */
static bool may_leave(struct session *session, const struct sql_run *run)
{
	uint32_t effects = run->effects;
	enum refusal refusal = REFUSAL_NONE;

	if (session->judged && session->backend->status == 'T' && route_forbids(run)) {
		session_refuse(session, run->type, REFUSAL_ON_REPLICA);
		return false;
	}
	if (may_use_sequences(run))
		sequences_used(session);
	if (((effects & AUDIT_EFFECTS && session->audits) || session->audits == AUDITS_EVERYTHING) && !session->long_text)
		audit_run(session, run, effects);
	if (!(effects & (STATES | RESETS | SEQUENCES | SCAN_SETS_CUSTOM | SCAN_NEEDS_IDLE_DATABASE)))
		return true;
	if (runs_not_at_all(session, effects))
		return true;
	/* What the server refuses anyway needs no error of ours. */
	if (!is_in_failed(session)) {
		refusal = leftovers_forbidden(session, effects);
		/* Should it outlive it all the same, that pins. */
		if (refusal == REFUSAL_TEMPORARY_TABLE && run->text && is_one_statement(run) && text_drops_on_commit(run->text, run->size))
			refusal = leftovers_forbidden(session, effects & ~(uint32_t)SCAN_TEMPORARY);
		if (!refusal && custom_forbidden(session, effects))
			refusal = REFUSAL_CUSTOM_SETTING;
		if (!refusal && effects & SCAN_SEQUENCE_ASK && !sequences_may_ask(session, effects))
			refusal = REFUSAL_SEQUENCE;
	}
	if (refusal) {
		session_refuse(session, run->type, refusal);
		return false;
	}
	session_note_run(session, run);
	return true;
}

bool session_may_execute(struct session *session, const struct sql_run *run, const char *name)
{
	const struct statement_name *known = map_get_text(&session->names, name);
	const char *text = known ? known->statement->parse : state_statement(session->settings, name);
	struct sql_run executed = { .type = run->type, .values = run->values, .values_end = run->values_end };

	if (!text) {
		leftovers_doubt_all(session);
		return true;
	}
	executed.text = text;
	executed.size = strlen(text);
	executed.effects = session_text_effects(session, text, executed.size);
	if (known && executed.effects & SCAN_EXECUTES)
		leftovers_doubt_all(session);
	/* What SQL has prepared is kept with its PREPARE. */
	executed.effects &= ~(uint32_t)(known ? SCAN_EXECUTES : SCAN_STATEMENT_NAMES);
	return may_leave(session, &executed);
}

/* EXECUTE does what the statement does. */
static bool may_execute(struct session *session, const struct sql_run *run)
{
	struct scan_names names;

	if (session->long_text) {
		leftovers_doubt_all(session);
		return true;
	}
	scan_text(run->text, strnlen(run->text, run->size), session_scan_flags(session, run->text, run->size), &names);
	if (names.lost)
		leftovers_doubt_all(session);
	for (unsigned i = 0; i < names.count; i++)
		if (names.list[i].effect == SCAN_EXECUTES && !session_may_execute(session, run, names.list[i].text))
			return false;
	return true;
}

/* Where libraries are found, which under another role the server does not tell: kept as they are themselves. */
static bool sets_what_is_hidden(const struct session *session, const struct sql_run *run)
{
	const char *superuser = parameters_get(&session->backend->server->parameters, "is_superuser");

	return superuser && strcmp(superuser, "on") == 0 && run->text
		&& (text_mentions(run->text, run->size, "dynamic_library_path")
			|| text_mentions(run->text, run->size, "session_preload_libraries"));
}

bool session_may_run(struct session *session, const struct sql_run *run)
{
	struct sql_run creates, hides;

	if (run->effects & SCAN_SETS && session->mode != POOL_MODE_SESSION && sets_what_is_hidden(session, run)) {
		hides = *run;
		hides.effects |= SCAN_LOADS;
		run = &hides;
	}
	/* search_path may lead to pg_temp. */
	if (session->temporary_path && run->effects & CREATES) {
		creates = *run;
		creates.effects |= SCAN_TEMPORARY;
		run = &creates;
	}
	if (run->effects & SCAN_WRITES && run->text && session->mode != POOL_MODE_SESSION)
		session->may_define |= text_may_define(run);
	if (session->mode == POOL_MODE_SESSION && run->text && text_may_need_idle_database(run->text, run->size))
		vacate(session, run->text, run->size);
	lost_note_run(session, run);
	if (session->notes_writes && !session->on_replica)
		route_note_run(session, run);
	return may_leave(session, run) && (!(run->effects & SCAN_EXECUTES) || may_execute(session, run));
}

/* --- Functions that are called without SQL --- */

enum { OID_OF_SETSEED = 1599, OID_OF_SET_CONFIG = 2078 };

/* Those of large objects, which is what FunctionCall is used for: lo_open and its like, by their pg_proc.oid, ascending. */
static bool is_large_objects(uint32_t oid)
{
	static const uint16_t oids[] = {
		715, 764, 765, 767, 952, 953, 954, 955, 956, 957, 958, 964, 1004, 3170, 3171, 3172, 3457, 3458, 3459, 3460,
	};

	for (size_t i = 0; i < ARRAY_LEN(oids); i++)
		if (oids[i] == oid)
			return true;
	return false;
}

void session_note_function(struct session *session, uint32_t oid)
{
	session->sent_effects |= SCAN_CALLS;
	session->only_begun = false;
	session->may_write = true;
	if (session->mode == POOL_MODE_SESSION || is_large_objects(oid))
		return;
	sequences_used(session);
	text_note_effects(session, SCAN_UNKNOWN | SCAN_SEQUENCE_USE);
	if (oid == OID_OF_SETSEED)
		leftovers_pin_for_good(session, PIN_SEED);
	if (session->audits)
		audit_run(session, NULL, SCAN_CALLS);
	if (oid == OID_OF_SET_CONFIG)
		leftovers_pin_for_good(session, PIN_CUSTOM_SETTING);
}
