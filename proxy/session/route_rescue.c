/* The safety net: a group that a replica does not answer runs on the primary instead, unseen by the client.
 *
 * A standby refuses what only a primary can do before it has done anything. So as long as nothing of the answer has been
 * forwarded the group can be run again, and its like goes to the primary from then on, for a while. A group is only ever run
 * again if it was judged to be a read: what may have happened is not repeated.
 *
 * Failure story: what cannot be run again is the client's to hear, in the server's words. */
#include <string.h>

#include "lost.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/routing.h"
#include "pgweir/wire.h"
#include "route.h"
#include "session_internal.h"

enum { MINUTE_US = 60 * 1000 * 1000 };

/* What a standby says that a primary might not, and for how long the statement is not tried there again. */
static const struct {
	const char *sqlstate;
	uint64_t avoided_us;
	bool in_read_only;                      /* A primary says so, too, in a READ ONLY transaction. */
} refusals[] = {
	{ "25006", 10 * (uint64_t)MINUTE_US, true },    /* read_only_sql_transaction */
	{ "0A000", 10 * (uint64_t)MINUTE_US, false },  /* feature_not_supported: "… during recovery" */
	{ "55000", 10 * (uint64_t)MINUTE_US, false },  /* object_not_in_prerequisite_state: "recovery is in progress", unlogged tables */
	{ "XX000", MINUTE_US, false },                 /* internal_error: what nobody thought of */
	{ "40001", MINUTE_US, false },                 /* serialization_failure: "conflict with recovery" */
	{ "40P01", MINUTE_US, false },                 /* deadlock_detected: with recovery */
	{ "57P04", 0, false },                         /* database_dropped */
	/* It goes down, or comes up. */
	{ "57P01", 0, false }, { "57P02", 0, false }, { "57P03", 0, false },
	/* It may not have replayed yet what the statement needs. */
	{ "42P01", 0, false }, { "42703", 0, false }, { "42704", 0, false }, { "42883", 0, false }, { "3F000", 0, false }, { "3D000", 0, false },
};

static int find_refusal(const char *sqlstate)
{
	for (size_t i = 0; sqlstate && i < ARRAY_LEN(refusals); i++)
		if (strcmp(refusals[i].sqlstate, sqlstate) == 0)
			return (int)i;
	return -1;
}

static void avoid(struct session *session, const char *text, size_t size, uint64_t until_us)
{
	route_home_remember(session->route->home, route_fingerprint(text, size), until_us);
}

static void remember(struct session *session, uint64_t avoided_us)
{
	if (!avoided_us)
		return;
	route_group_texts(session, &session->backend->group, avoid, session->worker->now_us + avoided_us);
}

static bool nothing_is_sent(const struct session *session)
{
	return session->group == GROUP_KEPT && !session_relay(session)->to_client->sent;
}

bool route_rescue_wanted(struct session *session, const struct request *request, const char *body, size_t size)
{
	const char *sqlstate = wire_error_field(body, size, 'C');
	int refusal = find_refusal(sqlstate);
	bool settings = request->flags & REQUEST_SETUP;

	if (!nothing_is_sent(session) || (refusal < 0 && !settings) || session->pass_left)
		return false;
	if (refusal >= 0 && session->route->in_transaction && refusals[refusal].in_read_only)
		return false;
	if (refusal >= 0 && !settings && !session->route->in_transaction)
		remember(session, refusals[refusal].avoided_us);
	log_debug("a replica's refusal goes unseen", LOG_TEXT("database", session->share->database_name),
		LOG_TEXT("host", session->backend->host->name), LOG_TEXT("sqlstate", sqlstate));
	/* All of it belongs to this group: nothing else is outstanding. */
	outbox_drop(session_relay(session)->to_client);
	session->rescue = settings ? RESCUE_AND_CLOSE : RESCUE_WANTED;
	session->backend->mute = true;
	session->state = SESSION_SETTING_UP;
	return true;
}

/* The group in front of what has come since, and behind the BEGIN of its transaction. */
static void hold_again(struct session *session)
{
	struct buf again = { 0 };

	if (session->route->in_transaction) {
		lost_keep_beginning(session);
		session->lost = LOST_BEGUN;
	}
	const struct buf *group = &session->backend->group;

	route_group_forget_names(session, group);
	buf_append(&again, group->bytes, group->size);
	/* Of the group itself something may still wait, behind settings that have failed. */
	size_t waiting = session->group_left < session->held.size ? session->group_left : session->held.size;

	buf_append(&again, session->held.bytes + waiting, session->held.size - waiting);
	buf_fini(&session->held);
	session->held = again;
	session->route->forced = ROUTE_RESCUED;
}

static void let_go(struct session *session, enum close_reason reason)
{
	struct backend *backend = session->backend;

	session->backend = NULL;
	session->share->session_linked--;
	session->pass_left = 0;
	session->state = SESSION_IDLE;
	route_unlinked(session);
	/* The transaction that has been given up. */
	if (session->lost == LOST_BEGUN && !backend->said_fatal && reason != CLOSE_SERVER_GONE)
		pool_abandon(backend, false);
	else
		pool_close(backend, reason);
}

static void resume(struct session *session)
{
	session->rescue = RESCUE_NONE;
	if (session_resume(session))
		session_after_client(session);
}

void route_rescue(struct session *session)
{
	bool close = session->rescue == RESCUE_AND_CLOSE || !backend_quiet(session->backend);

	hold_again(session);
	session->backend->mute = false;
	session->rescue = RESCUE_NONE;
	if (close)
		let_go(session, CLOSE_SERVER_SETUP_FAILED);
	else
		session_unlink(session);
	resume(session);
}

bool route_could_lose(const struct session *session)
{
	const struct backend *backend = session->backend;

	return session->state == SESSION_LINKED && !session->pins && !session->suspected && session->pass_left == 0
		&& requests_count(&backend->requests) == 0 && !backend->unsynced && backend->status == 'I' && !session->eof;
}

bool route_rescue_idle(struct session *session)
{
	if (!route_could_lose(session) || session->backend->pass_left)
		return false;
	let_go(session, CLOSE_SERVER_GONE);
	session_ready_to_read(session);
	if (session_resume(session))
		session_after_client(session);
	return true;
}

bool route_rescue_lost(struct session *session)
{
	bool running = session->state == SESSION_LINKED || session->state == SESSION_SETTING_UP;

	if (!running || session->group != GROUP_KEPT || session->eof || session->pass_left)
		return false;
	routing_suspect(session->share->database->cluster->name);
	hold_again(session);
	let_go(session, CLOSE_SERVER_GONE);
	resume(session);
	return true;
}
