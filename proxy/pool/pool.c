/* Borrowing and giving back.
 *
 * Failure story: a connection that dies while idle is just gone; one that dies in a session's hands is the session's to
 * explain; one that cannot be opened leaves its waiters waiting as long as waiting can help (pool_open.c). */
#include <stdatomic.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pool_internal.h"

enum {
	IDLE_SCAN_MAX = 16,             /* How many idle connections are looked at for one in the right state. */
	LEND_WHEN_OLDER_US = 5000,      /* A sibling's waiter goes first if it has waited this much longer. */
};

static struct list *list_for(struct pool_share *share, enum backend_state state)
{
	switch (state) {
	case BACKEND_IDLE:
		return &share->idle;
	case BACKEND_LENT:
		return &share->lent;
	default:
		return &share->cleaning;
	}
}

static unsigned *count_for(struct pool_share *share, enum backend_state state)
{
	switch (state) {
	case BACKEND_IDLE:
		return &share->idle_count;
	case BACKEND_LENT:
		return &share->lent_count;
	default:
		return &share->cleaning_count;
	}
}

void pool_detach(struct backend *backend)
{
	list_remove(&backend->link);
	(*count_for(backend->share, backend->state))--;
}

void pool_attach(struct backend *backend, struct pool_share *share, enum backend_state state)
{
	backend->share = share;
	backend->state = state;
	if (state == BACKEND_IDLE)
		list_push_front(&share->idle, &backend->link);
	else
		list_push_back(list_for(share, state), &backend->link);
	(*count_for(share, state))++;
}

static void move(struct backend *backend, enum backend_state state)
{
	pool_detach(backend);
	pool_attach(backend, backend->share, state);
	if (state != BACKEND_LENT) {
		backend->sink = &backend_unowned_sink;
		backend->owner = backend;
		backend->interjects = false;
	}
}

bool pool_logs_in_alike(const struct server_target *target, const struct pool_waiter *waiter)
{
	return target->login_state == waiter->login_state
		&& (!waiter->replication || strcmp(target->replication, waiter->replication) == 0);
}

static bool usable(const struct backend *backend, const struct pool_waiter *waiter)
{
	return pool_logs_in_alike(backend->server->target, waiter)
		&& (backend->custom == waiter->custom || waiter->any_custom || state_names_within(backend->custom, waiter->custom));
}

/* One already in the right state is worth looking for. */
static struct backend *idle_in_state(struct pool_share *share, const struct pool_waiter *waiter)
{
	struct backend *found = NULL;
	int seen = 0;

	LIST_FOREACH(link, next, &share->idle) {
		struct backend *backend = LIST_MEMBER(link, struct backend, link);

		if (!usable(backend, waiter))
			continue;
		if (backend->settings == waiter->settings) {
			if (!waiter->last_owner || backend->last_owner == waiter->last_owner)
				return backend;
			found = found ? found : backend;
		}
		if (++seen == IDLE_SCAN_MAX)
			break;
	}
	return found;
}

/* Any that was logged in alike will do, above all one that nobody has used for long: whoever did will hardly miss what it
 * has in force. */
static struct backend *idle_longest(struct pool_share *share, const struct pool_waiter *waiter)
{
	for (struct list *link = share->idle.prev; link != &share->idle; link = link->prev)
		if (usable(LIST_MEMBER(link, struct backend, link), waiter))
			return LIST_MEMBER(link, struct backend, link);
	return NULL;
}

static struct backend *lend_idle(struct pool_share *share, const struct pool_waiter *waiter)
{
	struct backend *backend = idle_in_state(share, waiter);

	if (!backend)
		backend = idle_longest(share, waiter);
	if (!backend)
		return NULL;
	move(backend, BACKEND_LENT);
	backend->lent_since_us = share->worker->now_us;
	share->stats.server_assignments++;
	return backend;
}

static void stop_waiting(struct pool_waiter *waiter)
{
	struct pool_share *share = waiter->share;

	list_remove(&waiter->link);
	share->waiter_count--;
	pool_opening_leave(waiter);
	share->stats.wait_us += share->worker->now_us - waiter->since_us;
	waiter->since_us = 0;
	pool_marks_update(share);
}

void pool_waiter_cancel(struct pool_waiter *waiter)
{
	if (waiter->since_us)
		stop_waiting(waiter);
}

static void note_wait(struct pool_waiter *waiter)
{
	struct pool_share *share = waiter->share;

	waiter->waited_us = share->worker->now_us - waiter->since_us;
	share->stats.waited++;
	share->stats.waited_us += waiter->waited_us;
	histogram_note(&share->latency.wait, waiter->waited_us);
}

static void grant(struct pool_waiter *waiter, enum pool_outcome outcome, struct backend *backend)
{
	if (outcome == POOL_GRANTED)
		note_wait(waiter);
	stop_waiting(waiter);
	waiter->granted(waiter, outcome, backend);
}

/* What a client wants at its startup can make its login slow, or fail; that is nothing that others should wait for. */
static bool lets_others_pass(const struct pool_waiter *waiter)
{
	return waiter->login_state && (waiter->opening || waiter->share->retry_at_us > waiter->share->worker->now_us);
}

struct pool_waiter *pool_first_in_turn(struct pool_share *share)
{
	LIST_FOREACH(link, next, &share->waiters) {
		struct pool_waiter *waiter = LIST_MEMBER(link, struct pool_waiter, link);

		if (!lets_others_pass(waiter))
			return waiter;
	}
	return NULL;
}

struct backend *pool_acquire(struct pool_share *share, struct pool_waiter *waiter)
{
	if (!pool_first_in_turn(share) && !pool_share_blocked(share)) {
		struct backend *backend = lend_idle(share, waiter);

		if (backend) {
			if (share->idle_count == 0 || workers_count() > 1)
				pool_marks_update(share);
			return backend;
		}
	}
	waiter->share = share;
	waiter->since_us = worker_now(share->worker);
	list_push_back(&share->waiters, &waiter->link);
	share->waiter_count++;
	pool_marks_update(share);
	if (!pool_share_blocked(share))
		pool_open_for_waiters(share, pool_ask_siblings(share));
	return NULL;
}

/* The oldest waiter that an idle connection fits, unless it is another's turn. Whoever has a login under way, and for whom nothing
 * fits that is idle, loses nothing to those behind; while that lay idle, more and more would be opened for them. */
static struct pool_waiter *next_to_serve(struct pool_share *share, struct backend **backend)
{
	LIST_FOREACH(link, next, &share->waiters) {
		struct pool_waiter *waiter = LIST_MEMBER(link, struct pool_waiter, link);

		*backend = lend_idle(share, waiter);
		if (*backend)
			return waiter;
		if (!waiter->opening && !lets_others_pass(waiter))
			return NULL;
	}
	return NULL;
}

void pool_serve(struct pool_share *share)
{
	struct backend *backend;

	if (pool_share_blocked(share))
		return;
	for (struct pool_waiter *waiter; (waiter = next_to_serve(share, &backend)) != NULL;)
		grant(waiter, POOL_GRANTED, backend);
	if (share->waiter_count)
		pool_open_for_waiters(share, pool_ask_siblings(share));
}

void pool_refuse_waiters(struct pool_share *share, const struct state *login_state, bool all)
{
	struct list refused;

	list_init(&refused);
	LIST_FOREACH(link, next, &share->waiters) {
		if (!all && LIST_MEMBER(link, struct pool_waiter, link)->login_state != login_state)
			continue;
		list_remove(link);
		list_push_back(&refused, link);
	}
	/* Whoever hears it may leave, or wait again. */
	for (struct list *first = list_first(&refused); first; first = list_first(&refused))
		grant(LIST_MEMBER(first, struct pool_waiter, link), POOL_REFUSED, NULL);
}

/* --- Giving back --- */

bool pool_outdated(const struct backend *backend)
{
	const struct pool_share *share = backend->share;

	return backend->retire || backend->opened_as != share->opened_as
		|| backend->generation != pool_generation(share->pool);
}

void pool_keep(struct backend *backend)
{
	struct pool_share *share = backend->share;
	bool awaited = share->waiter_count && !pool_share_blocked(share);
	struct pool_waiter *first = awaited ? pool_first_in_turn(share) : NULL;

	if (share->replication || pool_outdated(backend)) {
		pool_close(backend, backend->retire ? backend->retire_reason : CLOSE_SERVER_RECONNECT);
		return;
	}
	if (!awaited && share->worker->now_us < share->vacant_until_us) {
		pool_close(backend, CLOSE_SERVER_VACATED);
		return;
	}
	if (backend->vacating)
		pool_vacate_ends(backend);
	backend->touched = false;
	backend->mute = false;
	if (workers_count() > 1 && pool_lend_to_sibling(backend, first ? first->since_us - LEND_WHEN_OLDER_US : UINT64_MAX))
		return;
	backend->checked_us = share->worker->now_us;
	if (!backend->checked)
		backend->idle_since_us = share->worker->now_us;
	backend->checked = false;
	move(backend, BACKEND_IDLE);
	if (awaited)
		pool_serve(share);
	pool_marks_update(share);
	/* A sibling's waiter may have looked for it before the mark was there. */
	if (!awaited && workers_count() > 1)
		pool_lend_to_sibling(backend, UINT64_MAX);
}

bool pool_is_awaited(const struct backend *backend)
{
	const struct pool_share *share = backend->share;

	return share->waiter_count || (workers_count() > 1 && atomic_load_explicit(&share->pool->waiting, memory_order_relaxed));
}

void pool_release(struct backend *backend)
{
	CHECK(backend->state == BACKEND_LENT && backend_quiet(backend));
	/* A borrower whose client reads slowly has turned that off. */
	if (backend->server->conn.attached && !backend->server->conn.io.reading)
		conn_want_read(&backend->server->conn, true);
	if (!backend->touched && list_empty(&backend->cancel_tickets)) {
		pool_keep(backend);
		return;
	}
	move(backend, BACKEND_CLEANING);
	backend_clean_start(backend);
}

void pool_abandon(struct backend *backend, bool cut)
{
	CHECK(backend->state == BACKEND_LENT);
	if (cut) {
		pool_close(backend, CLOSE_SERVER_CLIENT_CUT_MESSAGE);
		return;
	}
	move(backend, BACKEND_CLEANING);
	backend->mute = false;
	/* Nobody reads what the rest is answered with, and only an answer tells of some state that it is there. */
	backend->touched |= backend->requests.count > 0;
	backend_clean_start(backend);
}

/* A last word is owed to the server only where it expects one. */
static void say_goodbye(struct backend *backend)
{
	static const char terminate[] = { 'X', 0, 0, 0, 4 };

	if (backend->said_fatal || conn_blocked(&backend->server->conn))
		return;
	if (!conn_send(&backend->server->conn, terminate, sizeof(terminate)))
		return;
}

static void log_close(const struct backend *backend, enum close_reason reason)
{
	const struct close_reason_row *row = close_reason_row(reason);

	log_event(row->level, "server connection closed", LOG_TEXT("reason", row->name),
		LOG_TEXT("database", backend->share->database_name), LOG_TEXT("user", backend->share->user_name),
		LOG_TEXT("host", backend->server->target->host->host), LOG_INT("port", backend->server->target->host->port),
		LOG_INT("server_pid", backend->server->pid));
}

void pool_close(struct backend *backend, enum close_reason reason)
{
	struct pool_share *share = backend->share;
	struct pool_host *host = backend->host;

	share->worker->closed[reason]++;
	log_close(backend, reason);
	pool_vacate_ends(backend);
	pool_detach(backend);
	backend->state = BACKEND_CLOSED;
	if (reason != CLOSE_SERVER_GONE && reason != CLOSE_SERVER_BROKE_PROTOCOL)
		say_goodbye(backend);
	backend_free(&backend);
	atomic_fetch_sub(&share->pool->live, 1);
	pool_marks_update(share);
	pool_quotas_give(share, host);
}

void pool_worker_retry(struct worker *worker, void *unused)
{
	(void)unused;
	worker_now(worker);
	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (share->waiter_count)
			pool_serve(share);
	}
}
