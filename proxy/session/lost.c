/* The server is lost while a session has it: in a cluster that can fail over, the session goes on without.
 *
 * What was under way cannot be repeated, since nobody knows how far it has come. So the client is told, with 40001 if nothing
 * of it can have been committed and with 08007 otherwise, and everything behind it is skipped as after an error of the
 * server's. An explicit transaction stays failed until the client ends it (lost_transaction.c).
 *
 * Failure story: what would be missing on another server (a pin; settings that nobody has asked for yet), or half a message
 * that the client has got, ends the session as a lost server always did. */
#include <string.h>

#include "lost.h"
#include "lost_judge.h"
#include "lost_text.h"
#include "pgweir/log.h"
#include "pgweir/routing.h"
#include "pgweir/wire.h"
#include "route.h"
#include "session_internal.h"

static bool is_rollback(const char *text, size_t size)
{
	struct lost_text ending = lost_text_read(text, size);

	return ending.kind == LOST_TEXT_ENDS && !ending.commits && !ending.more;
}

/* Outside of a transaction there is what commits ahead of the Sync: code that has a COMMIT in it, and what PostgreSQL allows in no
 * transaction block, as VACUUM, CREATE DATABASE, ALTER SYSTEM. Whatever may begin like one of these counts. */
static bool may_commit_itself(const struct session *session, const struct sql_run *run)
{
	const uint32_t brackets = SCAN_BEGINS | SCAN_ENDS | SCAN_SAVEPOINTS;
	const char *at = run->text, *end = at + run->size;

	if (session->backend->status != 'I' || !(run->effects & (SCAN_RUNS_CODE | SCAN_WRITES)) || run->effects & brackets)
		return false;
	while (at < end && strchr(" \t\r\n\f", *at))
		at++;
	if (run->effects & SCAN_RUNS_CODE || end - at < 2)
		return true;
	/* DELETE and DECLARE are none, DROP may be. */
	return strchr("acrvACRV-/", *at) || ((*at | ' ') == 'd' && (at[1] | ' ') != 'e');
}

void lost_note_run(struct session *session, const struct sql_run *run)
{
	/* What SQL has prepared can be run without its text. */
	bool unknown = session->long_text || !run->text;
	uint32_t effects = run->effects | (unknown ? SCAN_UNKNOWN : 0);

	lost_note_transaction(session, run);
	session->sent_effects |= effects | LOST_RUNS;
	/* Which of the ends it is only matters where a session can outlive its server. */
	if (effects & SCAN_UNKNOWN || may_commit_itself(session, run))
		session->may_commit = true;
	else if (effects & SCAN_ENDS && !session->may_commit)
		session->may_commit = !pool_can_fail_over(session->share) || !is_rollback(run->text, run->size);
}

/* --- Whether --- */

/* What it has, another server can be given. */
static bool can_go_on(const struct session *session)
{
	bool at_work = session->state == SESSION_LINKED || session->state == SESSION_SETTING_UP;
	bool ours = session->answer || session->retry_name || session->rescue || session->setup_error;
	/* The client has seen a COMMIT's tag, and not what its batch was to do behind it. */
	bool committed = session->backend->unsynced && session->may_commit && requests_count(&session->backend->requests) == 0;

	return at_work && !ours && !committed && !session->pins && !session->left_unsaid && !session->eof && !session->terminated
		&& !session_inside_message(session) && pool_can_fail_over(session->share);
}

bool lost_announced(struct session *session, const char *sqlstate)
{
	static const char *const ends[] = { "57P01", "57P02", "57P03" };
	/* A standby ends a session that is in replay's way and does nothing. */
	bool ending = session->on_replica && sqlstate && strcmp(sqlstate, "40001") == 0;

	for (size_t i = 0; sqlstate && i < ARRAY_LEN(ends); i++)
		ending |= strcmp(sqlstate, ends[i]) == 0;
	session->losing = ending && session->backend->said_fatal && can_go_on(session);
	return session->losing;
}

/* --- What --- */

struct loss {
	unsigned groups;                /* struct lost_work */
	bool rest;
	bool told;                      /* The first group's error has been sent. */
	enum refusal first, further;
	enum lost then;
};

static void count(struct loss *loss, const struct requests *requests)
{
	for (uint32_t i = 0; i < requests_count(requests); i++) {
		const struct request *request = requests_at(requests, i);
		bool ready = REQUEST_BIT(request->kind) & REQUESTS_MADE_READY;

		if (request->flags & REQUEST_INJECTED || request->kind == REQUEST_COPY_END)
			continue;
		loss->groups += ready;
		loss->rest = !ready;
	}
}

static struct loss judge(const struct session *session)
{
	const struct backend *backend = session->backend;
	struct loss loss = { .told = backend->failed && !session->losing };

	count(&loss, &backend->requests);
	struct lost_work work = {
		.groups = loss.groups, .rest = loss.rest, .effects = session->sent_effects, .may_commit = session->may_commit,
		.only_reads = session->on_replica || (session->notes_writes && !session->may_write),
		.status = backend->status, .unsynced = backend->unsynced, .only_begun = lost_has_only_begun(session),
		.lost = (enum lost)session->lost,
	};

	loss.first = lost_is_in_doubt(&work) ? REFUSAL_IN_DOUBT : REFUSAL_LOST;
	loss.then = lost_what_is_left(&work);
	loss.further = loss.then == LOST_TRANSACTION ? REFUSAL_ABORTED : loss.first;
	return loss;
}

/* --- And then --- */

static void put_answers(const struct session *session, const struct loss *loss, struct buf *out)
{
	for (unsigned i = 0; i < loss->groups; i++) {
		if (i > 0 || !loss->told)
			session_append_refusal(i == 0 ? loss->first : loss->further, out);
		wire_put_ready_for_query(out, lost_status(session));
	}
	if (loss->rest)
		session_append_refusal(loss->groups ? loss->further : loss->first, out);
}

/* What the transaction has done to the session is undone with it; what was not answered has not been done. */
void lost_undo(struct session *session)
{
	const struct requests *requests = &session->backend->requests;

	for (uint32_t i = requests_count(requests); i > 0; i--)
		prepared_undone(session, requests_at(requests, i - 1));
	if (session->functions_changed)
		audit_ddl_ends(session);
	audit_free(session);
	sql_names_settled(session);
	session_long_text_drop(session);
	state_unref(&session->resets);
	session->suspected = session->told = 0;
	session->resetting = session->unnaming = session->setup_due = session->unclear = session->scrub = session->retried = false;
	session->batch = BATCH_FORGOTTEN;
	session->pass_drop = true;
	session->transaction_us = session->waiter.waited_us = 0;
	session->active_us = worker_now(session->worker);
}

static void let_go(struct session *session)
{
	struct backend *backend = session->backend;

	if (session->notes_writes)
		route_lost(session);
	lost_keep_beginning(session);
	session->backend = NULL;
	session->share->session_linked--;
	session->state = SESSION_IDLE;
	route_unlinked(session);
	pool_close(backend, backend->retire ? backend->retire_reason : CLOSE_SERVER_GONE);
}

static const char *outcome_of(const struct loss *loss)
{
	if (loss->then >= LOST_BEGUN)
		return "begun again";
	return loss->first == REFUSAL_IN_DOUBT ? "in doubt" : "undone";
}

bool lost_go_on(struct session *session)
{
	struct buf out = { 0 };

	if (!can_go_on(session))
		return false;
	routing_suspect(session->share->database->cluster->name);
	struct loss loss = judge(session);

	log_event(LOG_LEVEL_INFO, "a client goes on without its server", LOG_TEXT("database", session->share->database_name),
		LOG_TEXT("user", session->guest->name), LOG_TEXT("host", session->backend->host->name),
		LOG_TEXT("outcome", outcome_of(&loss)));
	session->losing = false;
	lost_undo(session);
	let_go(session);
	session->lost = (uint8_t)loss.then;
	if (session->lost == LOST_NOTHING)
		lost_ends(session);
	if (loss.rest)
		session->skipping = SESSION_SKIP_TO_SYNC;
	put_answers(session, &loss, &out);
	bool sent = !out.size || conn_send(&session->conn, out.bytes, out.size);

	buf_fini(&out);
	if (!sent) {
		session_close(session, CLOSE_CLIENT_GONE, NULL);
		return true;
	}
	session_ready_to_read(session);
	if (session_resume(session))
		session_after_client(session);
	return true;
}
