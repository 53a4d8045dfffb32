/* What a session leaves behind on its server connection.
 *
 * What there is, the server knows best: transactions, savepoints, SET LOCAL, errors and functions all have their say. The
 * client's text only says what there may be. After a transaction that may have left something, the server is asked once,
 * about the kinds in question. Settings and prepared statements become the session's own and follow it from then on; what
 * a RESET took away of its startup values is added again. Anything else keeps the connection for this client until the
 * server, asked again after what may have ended it, says that it is gone.
 *
 * Failure story: if the server will not say, the session keeps its server connection. */
#include <stdlib.h>
#include <string.h>

#include "missing.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "session_internal.h"

enum { FOLLOWS = -1 };

/* A row of the answer is the kind's letter, a name and a value. Operators are named with their schema, since search_path
 * is the client's. */
static const struct leftover_kind {
	char letter;
	enum session_pin pin;
	int policy;                     /* enum state_kind, or FOLLOWS. */
	uint32_t begun_by;              /* Effects of a text after which there may be some. */
	uint32_t ended_by;              /* After which there may be none any more. */
	enum refusal refusal;
	const char *sql;                /* NULL: the server does not tell, and nothing ends it. */
} kinds[LEFTOVER_COUNT] = {
	/* The login's own role and user come behind it. */
	[LEFTOVER_SETTINGS] = { 's', PIN_UNKNOWN, FOLLOWS, SCAN_SETS, 0, REFUSAL_NONE,
		"SELECT 's', s.name, s.setting FROM pg_catalog.pg_settings s WHERE s.source OPERATOR(pg_catalog.=) 'session'"
		" AND s.context OPERATOR(pg_catalog.<>) 'internal' AND s.name OPERATOR(pg_catalog.<>) ALL (ARRAY["
		/* The transaction's own, whoever set them. */
		"'transaction_isolation'::pg_catalog.text, 'transaction_read_only', 'transaction_deferrable']) UNION ALL SELECT 's', 'role', r"
		" FROM pg_catalog.current_setting('role') r WHERE r OPERATOR(pg_catalog.<>) " },
	/* One of the client's own name that SQL has not made went past our bookkeeping. */
	[LEFTOVER_STATEMENTS] = { 'p', PIN_PREPARE, FOLLOWS, SCAN_PREPARES | SCAN_DEALLOCATES, 0, REFUSAL_NONE,
		"SELECT 'p', p.name, CASE WHEN p.from_sql THEN p.statement ELSE '' END FROM pg_catalog.pg_prepared_statements p"
		" WHERE p.from_sql OR NOT pg_catalog.starts_with(p.name, 'pgweir_') UNION ALL SELECT 'n', pg_catalog.count(*)::pg_catalog.text,"
		" '' FROM pg_catalog.pg_prepared_statements p WHERE NOT p.from_sql AND pg_catalog.starts_with(p.name, 'pgweir_')" },
	[LEFTOVER_CURSORS] = { 'c', PIN_CURSOR, STATE_HOLD_CURSORS, SCAN_HOLDS, SCAN_CLOSES, REFUSAL_HOLD_CURSOR,
		"SELECT 'c', c.name, '' FROM pg_catalog.pg_cursors c" },
	[LEFTOVER_LOCKS] = { 'l', PIN_ADVISORY_LOCK, STATE_ADVISORY_LOCKS, SCAN_LOCKS, SCAN_UNLOCKS, REFUSAL_ADVISORY_LOCK,
		"SELECT 'l', '', '' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_locks l WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory'"
		" AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())" },
	[LEFTOVER_TEMPORARY] = { 't', PIN_TEMPORARY, STATE_TEMPORARY_TABLES, SCAN_TEMPORARY, SCAN_DROPS | SCAN_DISCARDS,
		REFUSAL_TEMPORARY_TABLE,
		"SELECT 't', '', '' WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_depend d"
		" WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass"
		" AND d.refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())" },
	[LEFTOVER_LIBRARIES] = { 0, PIN_LOAD, STATE_LOADED_LIBRARIES, SCAN_LOADS, 0, REFUSAL_LOAD, NULL },
	[LEFTOVER_SEED] = { 0, PIN_SEED, STATE_RANDOM_SEED, SCAN_SEEDS, 0, REFUSAL_SEED, NULL },
};

#define ALL_KINDS ((1u << (LEFTOVER_TEMPORARY + 1)) - 1)

/* --- Suspicion --- */

static enum state_policy policy_of(const struct session *session, const struct leftover_kind *kind)
{
	return kind->policy == FOLLOWS ? STATE_PIN : session->guest->settings.state_policy[kind->policy];
}

void leftovers_pin_for_good(struct session *session, enum session_pin pin)
{
	session_pin(session, pin);
	session->backend->retire = true;
	session->backend->retire_reason = CLOSE_SERVER_STATE_REMAINS;
}

enum refusal leftovers_forbidden(const struct session *session, uint32_t effects)
{
	for (unsigned i = 0; i < LEFTOVER_COUNT; i++)
		if (effects & kinds[i].begun_by && policy_of(session, &kinds[i]) == STATE_REJECT)
			return kinds[i].refusal;
	return REFUSAL_NONE;
}

void leftovers_suspect(struct session *session, uint32_t effects)
{
	for (unsigned i = 0; i < LEFTOVER_COUNT; i++) {
		bool there = session->pins & PIN_BIT(kinds[i].pin);
		bool begun = effects & kinds[i].begun_by && policy_of(session, &kinds[i]) != STATE_IGNORE;

		session->told |= (uint8_t)(begun << i);
		if (begun && !kinds[i].sql)
			leftovers_pin_for_good(session, kinds[i].pin);
		else if (begun || (there && effects & kinds[i].ended_by))
			leftovers_doubt(session, (enum leftover)i);
	}
	if (effects & SCAN_UNKNOWN) {
		session->suspected = ALL_KINDS;
		session->presumed = false;
	}
	session->backend->touched |= session->suspected != 0;
}

void leftovers_doubt_all(struct session *session)
{
	for (unsigned i = 0; 1u << i < ALL_KINDS; i++)
		if (policy_of(session, &kinds[i]) != STATE_IGNORE)
			leftovers_doubt(session, (enum leftover)i);
}

void leftovers_doubt(struct session *session, enum leftover kind)
{
	session->suspected |= (uint8_t)(1u << kind);
	session->presumed = false;
	session->backend->touched = true;
}

/* --- The question --- */

struct leftovers_answer {
	unsigned asked;
	bool reset;                     /* The transaction has run RESET, and has set no custom setting after that. */
	uint32_t pins;                  /* Bits of the kinds found that do not follow. */
	size_t statements;              /* Of the protocol's, under names of ours; SIZE_MAX: not told. */
	struct state_builder state;
};

bool leftovers_are_due(const struct session *session)
{
	return session->suspected && session->state == SESSION_LINKED && !session_needs_unnamed(session) && session->pass_left == 0
		&& session->held.size == 0 && backend_quiet(session->backend);
}

void leftovers_put_literal(struct buf *out, const char *text)
{
	buf_append_text(out, "E'");
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_append_char(out, *text);
		buf_append_char(out, *text);
	}
	buf_append_char(out, '\'');
}

/* Of roles that is left behind which is not the login's own. */
static void put_own_roles(const struct server *server, struct buf *sql)
{
	leftovers_put_literal(sql, server->acts_as ? server->acts_as : "none");
	buf_append_text(sql, " UNION ALL SELECT 's', 'session_authorization', a"
		" FROM pg_catalog.current_setting('session_authorization') a WHERE a OPERATOR(pg_catalog.<>) ");
	leftovers_put_literal(sql, server->target->credentials->user);
}

static void put_question(const struct session *session, unsigned asked, struct buf *sql)
{
	for (unsigned i = 0; 1u << i < ALL_KINDS; i++) {
		if (!(asked & 1u << i))
			continue;
		if (sql->size)
			buf_append_text(sql, " UNION ALL ");
		buf_append_text(sql, kinds[i].sql);
		if (i == LEFTOVER_SETTINGS) {
			put_own_roles(session->backend->server, sql);
			custom_put_question(session, sql);
		}
	}
}

void leftovers_ask(struct session *session)
{
	struct buf sql = { 0 };

	session->answer = NEW(struct leftovers_answer);
	session->answer->statements = SIZE_MAX;
	session->answer->asked = session->pins & PIN_BIT(PIN_UNKNOWN) ? ALL_KINDS : session->suspected;
	session->answer->reset = session->reset_last;
	session->suspected = 0;
	session->left_unsaid = session->reset_last = false;
	audit_asks(session);
	put_question(session, session->answer->asked, &sql);
	own_query_ask(session, &sql, REQUEST_READ);
}

/* --- The answer --- */

char *leftovers_take_column(const char **at, const char *end)
{
	if (end - *at < 4)
		return NULL;
	uint32_t size = wire_u32(*at);

	*at += 4;
	if (size > (size_t)(end - *at))
		return NULL;
	char *text = mem_strndup(*at, size);

	*at += size;
	return text;
}

/* The text is all that the client sent with it: it can be sent again only if it says nothing else. */
static void found_statement(struct leftovers_answer *answer, const char *name, const char *sql)
{
	if (session_text_is_one_prepare(sql))
		state_builder_prepare(&answer->state, name, sql);
	else
		answer->pins |= PIN_BIT(PIN_PREPARE);
}

static void found(struct leftovers_answer *answer, char letter, const char *name, const char *value)
{
	if (letter == 'n')
		answer->statements = strtoul(name, NULL, 10);
	for (unsigned i = 0; i < LEFTOVER_COUNT; i++) {
		if (kinds[i].letter != letter)
			continue;
		if (kinds[i].policy != FOLLOWS)
			answer->pins |= PIN_BIT(kinds[i].pin);
		else if (i == LEFTOVER_STATEMENTS)
			found_statement(answer, name, value);
		else
			state_builder_set(&answer->state, name, value);
	}
}

void leftovers_row(struct session *session, const char *message, size_t size)
{
	const char *at = message + WIRE_HEADER_SIZE + 2, *end = message + size;

	if (!session->answer || size < WIRE_HEADER_SIZE + 2)
		return;
	char *letter = leftovers_take_column(&at, end);
	char *name = letter ? leftovers_take_column(&at, end) : NULL;
	char *value = name ? leftovers_take_column(&at, end) : NULL;

	if (value)
		found(session->answer, letter[0], name, value);
	mem_free(letter);
	mem_free(name);
	mem_free(value);
}

/* Of what was not asked for, what was known before is still so. */
static void add_known(struct leftovers_answer *answer, const struct state *known)
{
	for (size_t i = 0; i < state_count(known); i++) {
		const struct state_pair *pair = &state_pairs(known)[i];
		unsigned kind = state_pair_statement(pair) ? LEFTOVER_STATEMENTS : LEFTOVER_SETTINGS;

		if (!(answer->asked & 1u << kind))
			state_builder_set(&answer->state, pair->name, pair->value);
	}
}

/* The server does not list custom settings: one that was reset is empty to it, as one that was set to nothing is. */
static bool is_reset(const struct leftovers_answer *answer, const struct state *now, const char *name)
{
	const char *value = state_get(now, name);

	return !value || (answer->reset && *value == '\0' && answer->asked & 1u << LEFTOVER_SETTINGS && strchr(name, '.'));
}

/* Startup values, and what could not be prepared there. */
static struct state *with_what_is_kept(const struct session *session, const struct leftovers_answer *answer, const struct state *now)
{
	const struct state *startup = session->startup;
	struct state_builder builder = { 0 };

	state_builder_copy(&builder, now);
	if (session->missing)
		missing_add(session, &builder);
	/* "None" is the login's own role, and that is what its login had taken (SET ROLE NONE on a stand-in's connection). */
	if (state_get(now, "role") && strcmp(state_get(now, "role"), "none") == 0)
		state_builder_unset(&builder, "role");
	for (size_t i = 0; i < state_count(startup); i++)
		if (is_reset(answer, now, state_pairs(startup)[i].name))
			state_builder_set(&builder, state_pairs(startup)[i].name, state_pairs(startup)[i].value);
	return state_builder_finish(&builder);
}

static void replace(struct state **to, struct state *with)
{
	state_unref(to);
	*to = with;
}

static uint32_t pins_of(unsigned asked)
{
	uint32_t pins = asked == ALL_KINDS ? PIN_BIT(PIN_UNKNOWN) : 0;

	for (unsigned i = 0; i < LEFTOVER_COUNT; i++)
		if (asked & 1u << i && i != LEFTOVER_SETTINGS)
			pins |= PIN_BIT(kinds[i].pin);
	return pins;
}

/* A function has deallocated some, or somebody who has read our names: others would not find theirs. */
static void check_statements(struct session *session, const struct leftovers_answer *answer)
{
	struct backend *backend = session->backend;

	if (answer->statements == SIZE_MAX || answer->statements == prepared_count(&backend->prepared))
		return;
	if (answer->statements == 0) {
		prepared_forget_all(session);
		prepared_clear(&backend->prepared);
	}
	backend->retire = true;
	backend->retire_reason = CLOSE_SERVER_STATE_REMAINS;
}

/* With the answer complete. */
void leftovers_learned(struct session *session)
{
	struct backend *backend = session->backend;
	struct leftovers_answer *answer = session->answer;

	session->answer = NULL;
	check_statements(session, answer);
	add_known(answer, backend->settings);
	struct state *now = state_builder_finish(&answer->state);

	if (session->custom && answer->asked & 1u << LEFTOVER_SETTINGS)
		custom_learned(session, now);
	audit_learned(session, now, answer->pins);
	replace(&session->settings, with_what_is_kept(session, answer, now));
	replace(&backend->settings, now);
	scope_changed(session);
	session->sql_prepared = false;
	session->waiter.settings = session->settings;
	session->setup_due = backend->settings != session->settings;
	session->report_due |= session->setup_due;
	session_set_pins(session, (session->pins & ~pins_of(answer->asked)) | answer->pins);
	backend->touched = session->pins != 0 || session->scrub;
	mem_free(answer);
}

void leftovers_drop(struct session *session)
{
	if (!session->answer)
		return;
	struct state *learned = state_builder_finish(&session->answer->state);

	state_unref(&learned);
	mem_free(session->answer);
	session->answer = NULL;
}

/* The server has refused to say. */
void leftovers_failed(struct session *session)
{
	if (!session->answer)
		return;
	session_set_pins(session, session->pins | PIN_BIT(PIN_UNKNOWN));
	leftovers_drop(session);
	audit_free(session);
}
