/* What functions leave behind, which the client's text does not show (state_audit).
 *
 * Where the text runs code or calls a function that may leave something (pgweir/functions.h), the server is asked about
 * everything after the transaction (leftovers.c); of custom settings, which it can only be asked about by name, the bodies
 * have told the names. Where they do not tell all, the connection is cleaned before others get it; where it is known
 * that something is left that no question shows, it is the client's for good.
 *
 * Failure story: while there is no list of functions, or an old one, every call is taken to leave something. */
#include <stdatomic.h>
#include <string.h>

#include "audit_internal.h"
#include "listen.h"
#include "pgweir/mem.h"

/* --- The list --- */

void audit_adopt(struct pool_share *share)
{
	uint64_t known = share->functions ? share->functions->serial : 0;

	if (atomic_load_explicit(&share->functions_home->serial, memory_order_relaxed) == known)
		return;
	functions_unref(&share->functions);
	share->functions = functions_current(share->functions_home);
}

const struct functions *audit_functions(const struct session *session)
{
	const struct functions *functions = session->share->functions;
	uint64_t epoch = atomic_load_explicit(&session->share->functions_home->epoch, memory_order_relaxed);

	return functions && functions->epoch == epoch ? functions : NULL;
}

struct audit *audit_of(struct session *session)
{
	if (!session->audit)
		session->audit = NEW(struct audit);
	return session->audit;
}

static bool wants_names(const struct session *session)
{
	enum routing_mode routing = session->routing ? session->routing : session->guest->settings.routing;

	return (routing == ROUTING_AUTO || routing == ROUTING_PREFER_REPLICA) && session->mode != POOL_MODE_SESSION
		&& !session->share->replication && !session->backend->share->place;
}

void audit_linked(struct session *session)
{
	struct pool_share *share = session->share;
	enum state_audit audit = session->guest->settings.state_audit;

	session->audits = AUDITS_NOTHING;
	if (wants_names(session))
		audit_names(session);
	if (audit == STATE_AUDIT_OFF || session->mode == POOL_MODE_SESSION || share->replication)
		return;
	audit_adopt(share);
	const struct functions *functions = audit_functions(session);

	session->audits = audit == STATE_AUDIT_ALWAYS || !functions || functions->on_read.flags ? AUDITS_EVERYTHING : AUDITS_SOME;
	/* A replica may not know the latest. */
	if (functions && !session->backend->share->place && functions_refresh_is_mine(share->functions_home, functions, session->worker->now_us))
		audit_of(session)->refresh = true;
}

/* --- What follows from it --- */

static void remember(struct audit_judging *judging, const struct sql_run *run)
{
	struct audit *audit = audit_of(judging->session);
	struct buf text = { 0 };

	if (audit->statement && audit->function[0])
		return;
	memcpy(audit->function, judging->function, sizeof(audit->function));
	/* A Bind of a name that nobody knows has no text. */
	if (audit->statement || !run || !run->text)
		return;
	scan_fingerprint(run->text, strnlen(run->text, run->size), &text);
	audit->statement = map_hash(text.bytes, text.size) | 1;
	size_t size = text.size < AUDIT_TEXT_MAX ? text.size : AUDIT_TEXT_MAX;

	if (size)
		memcpy(audit->text, text.bytes, size);
	audit->text[size] = '\0';
	buf_fini(&text);
}

static void pin_for_good(struct audit_judging *judging, enum session_pin pin, const char *found)
{
	struct session *session = judging->session;

	if (!(session->pins & PIN_BIT(pin)))
		audit_tell(session, found);
	leftovers_pin_for_good(session, pin);
}

/* What the client's own text leaves is asked about in any case; and of a function that has changed no list tells. */
static void doubt(const struct audit_judging *judging)
{
	struct session *session = judging->session;
	bool always = session->guest->settings.state_audit == STATE_AUDIT_ALWAYS;
	bool presumed = !judging->functions && !always && !session->functions_changed && (!session->suspected || session->presumed);

	leftovers_doubt_all(session);
	session->presumed = presumed;
}

static void apply(struct audit_judging *judging, const struct sql_run *run)
{
	struct session *session = judging->session;
	uint32_t flags = judging->flags;
	bool custom_matters = session->guest->settings.state_policy[STATE_CUSTOM_SETTINGS] != STATE_IGNORE;

	if (!(flags & FUNCTIONS_LEAVE))
		return;
	remember(judging, run);
	audit_of(session)->asks = true;
	doubt(judging);
	session->scope_unsure = true;
	if (flags & (FUNCTIONS_SEED | FUNCTIONS_LOAD))
		leftovers_suspect(session, (flags & FUNCTIONS_SEED ? SCAN_SEEDS : 0) | (flags & FUNCTIONS_LOAD ? SCAN_LOADS : 0));
	if (flags & FUNCTIONS_LISTEN)
		listen_note_listen(session);
	if (flags & FUNCTIONS_REMAIN)
		pin_for_good(judging, PIN_FUNCTION, "what the server cannot be asked about");
	if (flags & FUNCTIONS_COMPUTE && custom_matters)
		pin_for_good(judging, PIN_CUSTOM_SETTING, "a setting whose name is computed");
	if (flags & FUNCTIONS_HIDE && custom_matters)
		session->scrub = true;
}

/* A transaction that is followed by the question whatever is in it. */
static void judge_reads(struct audit_judging *judging, const struct sql_run *run)
{
	audit_of(judging->session)->asks = true;
	doubt(judging);
	remember(judging, run);
	if (judging->functions && judging->functions->on_read.flags)
		audit_blame(judging, &judging->functions->on_read, "", 0);
}

static bool is_settled(const struct functions *functions, const struct sql_run *run, uint32_t effects)
{
	if (!functions || effects & (SCAN_RUNS_CODE | SCAN_EXECUTES))
		return false;
	if (!(effects & SCAN_CALLS) && !functions->on_write.flags)
		return true;
	return run && run->statement
		&& atomic_load_explicit(&run->statement->harmless_for, memory_order_relaxed) == functions->serial;
}

void audit_run(struct session *session, const struct sql_run *run, uint32_t effects)
{
	/* Those that keep their connection do not get one that knows the news. */
	if (session->pins)
		audit_linked(session);
	const struct functions *functions = audit_functions(session);
	struct audit_judging judging = { .session = session, .functions = functions };

	if (session->audits == AUDITS_EVERYTHING)
		judge_reads(&judging, run);
	if (effects & AUDIT_EFFECTS && !is_settled(functions, run, effects))
		audit_judge(&judging, run, effects);
	if (!functions && (judging.flags || session->audits == AUDITS_EVERYTHING))
		audit_of(session)->wanted = true;
	if (functions && !judging.flags && run && run->statement)
		atomic_store_explicit(&run->statement->harmless_for, functions->serial, memory_order_relaxed);
	/* The client is answered before the list is there. */
	session->may_define |= functions ? (judging.flags & FUNCTIONS_DEFINE) != 0 : judging.flags != 0;
	apply(&judging, run);
	/* Its text says what it does. */
	session->presumed &= !(effects & SCAN_RUNS_CODE);
}

static bool judge_one(const void *key, size_t size, void *value, void *arg)
{
	(void)value;
	audit_judge_called(key, size, arg);
	return true;
}

void audit_judge_pending(struct session *session)
{
	struct audit *audit = session->audit;
	struct audit_judging judging = { .session = session, .functions = audit_functions(session) };

	/* It was the names that were wanted. */
	if (!session->audits)
		return;
	/* There is a newer one on its way already. */
	if (!judging.functions)
		judging.functions = session->share->functions;
	/* A reload has led the pool to other hosts while the list was on its way: theirs is still to be asked for. */
	if (!judging.functions) {
		audit->wanted = true;
		return;
	}
	map_foreach(&audit->called, judge_one, &judging);
	if (judging.functions->on_read.flags)
		audit_blame(&judging, &judging.functions->on_read, "", 0);
	if (audit->unread)
		audit_judge_unread(&judging);
	if (audit->wrote)
		audit_judge_writes(&judging);
	map_fini(&audit->called);
	audit->unread = audit->wrote = false;
	apply(&judging, NULL);
}

/* What it has run nobody has judged: nobody may have the connection. */
void audit_left(struct session *session)
{
	const struct audit *audit = session->audit;

	if (session->audits && audit && (audit->unread || audit->wrote || audit->called.size)) {
		session->backend->retire = true;
		session->backend->retire_reason = CLOSE_SERVER_STATE_REMAINS;
	}
}

/* --- Changes of functions --- */

static bool changes_functions(const char *tag, const char *what)
{
	static const char *const kinds[] = {
		" FUNCTION", " PROCEDURE", " ROUTINE", " AGGREGATE", " TRIGGER", " EVENT TRIGGER", " EXTENSION", " SCHEMA", " LANGUAGE",
		" VIEW", " MATERIALIZED VIEW", " RULE", " POLICY", " OPERATOR", " OPERATOR CLASS", " OPERATOR FAMILY", " CAST", " DOMAIN",
		" TYPE", " FOREIGN TABLE", " FOREIGN SCHEMA",
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(what, kinds[i]) == 0)
			return true;
	/* It gets a foreign partition, or is a view. Tables that come and go do not matter. */
	return strcmp(tag, "ALTER TABLE") == 0;
}

void audit_note_ddl(struct session *session, const char *tag, const char *what)
{
	const struct functions *functions = audit_functions(session);
	struct audit_judging judging = { .session = session, .functions = functions };

	if (session->audits && functions && functions->on_ddl.flags)
		audit_blame(&judging, &functions->on_ddl, "", 0);
	apply(&judging, NULL);
	if (!changes_functions(tag, what))
		return;
	session->functions_changed = true;
	session->presumed = false;
	atomic_fetch_add(&session->share->functions_home->epoch, 1);
}

/* Only now do others see the change. */
void audit_ddl_ends(struct session *session)
{
	session->functions_changed = false;
	atomic_fetch_add(&session->share->functions_home->epoch, 1);
}

void audit_free(struct session *session)
{
	struct audit *audit = session->audit;

	if (!audit)
		return;
	map_fini(&audit->called);
	functions_builder_free(&audit->builder);
	mem_free(audit);
	session->audit = NULL;
}
