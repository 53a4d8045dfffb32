/* Custom settings (app.tenant): any name with a dot can be set, and the server lists none of them.
 *
 * A server connection on which one was ever set, be it with SET LOCAL or in a transaction that failed, answers '' for it
 * afterwards where a fresh one answers NULL. So the names are remembered, for connections and for clients, and a
 * connection is lent to those clients only that have defined all that it knows. Their values are settings like others:
 * the server is asked about them by name.
 *
 * Failure story: where a name cannot be told (it is computed, has other than ASCII characters, or is spelled in a way that the
 * scanner does not follow), the client keeps its connection, which nobody gets after it. */
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "session_internal.h"

enum { NAMES_MAX = 64 };

static bool is_custom(const char *name)
{
	return strchr(name, '.') != NULL;
}

static struct state *with_name(const struct state *names, const char *name)
{
	struct state_builder builder = { 0 };

	state_builder_copy(&builder, names);
	state_builder_set(&builder, name, "");
	return state_builder_finish(&builder);
}

/* True if it was not there. */
static bool add_name(struct state **names, const char *name)
{
	if (state_get(*names, name))
		return false;
	struct state *more = with_name(*names, name);

	state_unref(names);
	*names = more;
	return true;
}

static void add_names_of(struct state **names, const struct state *settings)
{
	for (size_t i = 0; i < state_count(settings); i++)
		if (is_custom(state_pairs(settings)[i].name))
			add_name(names, state_pairs(settings)[i].name);
}

static enum state_policy policy_of(const struct session *session)
{
	return session->guest->settings.state_policy[STATE_CUSTOM_SETTINGS];
}

bool custom_forbidden(const struct session *session, uint32_t effects)
{
	/* By itself it is a clause of ALTER or CREATE. */
	return effects & SCAN_SETS_CUSTOM && effects & (SCAN_SETS | SCAN_SETS_LOCAL) && policy_of(session) == STATE_REJECT;
}

void custom_begin(struct session *session)
{
	session->waiter.any_custom = policy_of(session) == STATE_IGNORE;
	add_names_of(&session->custom, session->startup);
	session->waiter.custom = session->custom;
}

void custom_note_name(struct session *session, const char *name)
{
	if (!is_custom(name))
		return;
	session->reset_last = false;
	add_name(&session->backend->custom, name);
	if (!state_text_is_ascii(name) && policy_of(session) != STATE_IGNORE)
		leftovers_pin_for_good(session, PIN_CUSTOM_SETTING);
	if (!add_name(&session->custom, name))
		return;
	session->waiter.custom = session->custom;
	/* It may have a value of the role's or the database's. */
	leftovers_doubt(session, LEFTOVER_SETTINGS);
	if (state_count(session->custom) > NAMES_MAX)
		leftovers_pin_for_good(session, PIN_CUSTOM_SETTING);
}

/* The `number`th value of a Bind message, from its first format code on; NULL if it is not at hand. A new text. */
static char *bound_value(const char *at, const char *end, unsigned number)
{
	if (!at || end - at < 2)
		return NULL;
	size_t formats = wire_u16(at);

	at += 2;
	if ((size_t)(end - at) < 2 * formats + 2)
		return NULL;
	at += 2 * formats;
	unsigned count = wire_u16(at);

	at += 2;
	for (unsigned i = 1; i <= count && end - at >= 4; i++) {
		uint32_t size = wire_u32(at);

		at += 4;
		if (size == UINT32_MAX)
			size = 0;
		if (size > (size_t)(end - at))
			return NULL;
		if (i == number)
			return mem_strndup(at, size);
		at += size;
	}
	return NULL;
}

static bool note_parameter(struct session *session, const struct sql_run *run, unsigned number)
{
	char *name = run ? bound_value(run->values, run->values_end, number) : NULL;

	if (!name)
		return false;
	custom_note_name(session, name);
	mem_free(name);
	return true;
}

void custom_note_names(struct session *session, const struct scan_names *names, const struct sql_run *run)
{
	bool lost = names->lost;

	for (unsigned i = 0; i < names->count; i++) {
		const struct scan_name *name = &names->list[i];

		if (name->effect != SCAN_SETS_CUSTOM)
			continue;
		if (name->parameter)
			lost |= !note_parameter(session, run, name->parameter);
		else
			custom_note_name(session, name->text);
	}
	if (lost && policy_of(session) != STATE_IGNORE)
		leftovers_pin_for_good(session, PIN_CUSTOM_SETTING);
}

void custom_note(struct session *session, const struct sql_run *run)
{
	struct scan_names names;

	scan_text(run->text, strnlen(run->text, run->size), session_scan_flags(session, run->text, run->size), &names);
	/* Most such texts the server does not understand either. */
	session->unclear |= run->effects & SCAN_UNKNOWN && policy_of(session) != STATE_IGNORE;
	custom_note_names(session, &names, run);
}

void custom_unclear_ran(struct session *session)
{
	session->unclear = false;
	leftovers_pin_for_good(session, PIN_CUSTOM_SETTING);
}

/* The server connection is about to be given what the session has set. */
void custom_given(struct session *session)
{
	add_names_of(&session->backend->custom, session->settings);
}

static void keep_only(struct state **names, const struct state *asked, const struct state *there)
{
	struct state_builder builder = { 0 };

	for (size_t i = 0; i < state_count(*names); i++) {
		const char *name = state_pairs(*names)[i].name;

		if (!state_get(asked, name) || state_get(there, name))
			state_builder_set(&builder, name, "");
	}
	state_unref(names);
	*names = state_builder_finish(&builder);
}

/* What the server does not know was never set: the statement failed before it came to that, or has not run. One that a
 * library has defined is none of these. */
void custom_learned(struct session *session, const struct state *now)
{
	struct state *asked = state_ref(session->custom);

	keep_only(&session->backend->custom, asked, now);
	keep_only(&session->custom, asked, now);
	session->waiter.custom = session->custom;
	state_unref(&asked);
}

/* What is left of them when everything else is reset. */
struct state *custom_reset(const struct state *settings, const struct state *custom)
{
	struct state_builder builder = { 0 };

	state_builder_copy(&builder, custom);
	for (size_t i = 0; i < state_count(settings); i++)
		state_builder_set(&builder, state_pairs(settings)[i].name, state_pairs(settings)[i].value);
	return state_builder_finish(&builder);
}

/* Those that a library has defined are listed among the others. */
void custom_put_question(const struct session *session, struct buf *sql)
{
	for (size_t i = 0; i < state_count(session->custom); i++) {
		const char *name = state_pairs(session->custom)[i].name;

		buf_append_text(sql, " UNION ALL SELECT 's', ");
		leftovers_put_literal(sql, name);
		buf_append_text(sql, ", v FROM pg_catalog.current_setting(");
		leftovers_put_literal(sql, name);
		buf_append_text(sql, ", true) v WHERE v IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_settings s"
			" WHERE pg_catalog.lower(s.name) OPERATOR(pg_catalog.=) ");
		leftovers_put_literal(sql, name);
		buf_append_text(sql, ")");
	}
}
