/* What happens to sessions with time. Nothing is armed per query: the few that hold a server connection are looked at
 * twenty times a second, the others once. */
#include "pgweir/mem.h"
#include "route.h"
#include "session_internal.h"
#include "setup.h"

enum { TICKS_PER_SECOND = 1000 / WORKER_TICK_MS };

static bool over(uint64_t since_us, uint64_t limit_us, uint64_t now_us)
{
	return since_us && limit_us && since_us + limit_us < now_us;
}

static bool idle(const struct session *session)
{
	return session->state == SESSION_IDLE
		|| (session->state == SESSION_LINKED && session->backend->requests.count == 0 && session->backend->status == 'I');
}

/* It has kept its connection between transactions; on the next one's COMMIT a write would be lost. */
static bool is_left_behind(const struct session *session)
{
	return session->backend->retire && session->backend->retire_reason == CLOSE_SERVER_NOT_PRIMARY && idle(session);
}

static enum close_reason linked_too_long(const struct session *session, uint64_t now_us)
{
	const struct pool_settings *settings = &session->guest->settings;
	const struct backend *backend = session->backend;
	bool running = backend->requests.count > 0;
	/* An extended query without its Sync is a transaction too, and so is a single statement. */
	bool idle_in_transaction = !running && (backend->status != 'I' || backend->unsynced);
	uint64_t transaction_us = session->transaction_us || !running ? session->transaction_us : session->request_us;

	if (session->state == SESSION_WELCOMING)
		return CLOSE_REASON_COUNT;
	if (is_left_behind(session))
		return CLOSE_CLIENT_NOT_PRIMARY;
	/* A stream has no end, and a base backup may take a day. */
	if (session->share->replication)
		return CLOSE_REASON_COUNT;
	if (over(backend->request_since_us, settings->query_timeout_us, now_us))
		return CLOSE_CLIENT_QUERY_TIMEOUT;
	if (over(transaction_us, settings->transaction_timeout_us, now_us))
		return CLOSE_CLIENT_TRANSACTION_TIMEOUT;
	if (idle_in_transaction && over(session->active_us, settings->idle_transaction_timeout_us, now_us))
		return CLOSE_CLIENT_IDLE_IN_TRANSACTION;
	return CLOSE_REASON_COUNT;
}

static void look_at_linked(struct pool_share *share, uint64_t now_us)
{
	LIST_FOREACH(link, next, &share->lent) {
		struct session *session = LIST_MEMBER(link, struct backend, link)->owner;
		enum close_reason reason = linked_too_long(session, now_us);

		if (reason != CLOSE_REASON_COUNT)
			session_close(session, reason, NULL);
	}
}

static void look_at_idle(struct list *link, void *unused)
{
	struct session *session = LIST_MEMBER(link, struct session, link);

	(void)unused;
	route_begin(session);
	if (idle(session) && over(session->active_us, session->guest->settings.client_idle_timeout_us, session->worker->now_us))
		session_close(session, CLOSE_CLIENT_IDLE_TIMEOUT, NULL);
}

static void tick(struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (share->lent_count)
			look_at_linked(share, worker->now_us);
	}
	if (worker->ticks % TICKS_PER_SECOND == 0)
		worker_visit_sessions(worker, look_at_idle, NULL);
}

/* It has no end to wait for, and who reads it goes on elsewhere from where it was. */
static bool streams(const struct session *session)
{
	return session->backend && session->backend->copy == BACKEND_COPY_BOTH;
}

/* Who is queued will be served, unless somebody has paused that. */
static bool is_drained(const struct session *session, enum sessions_drained which)
{
	if (session->state == SESSION_WAITING || session->state == SESSION_WELCOMING)
		return which >= SESSIONS_NOT_STARTED || pool_share_blocked(session->share);
	return which == SESSIONS_ALL || idle(session) || streams(session);
}

struct draining {
	enum sessions_drained which;
	unsigned most, left;
};

static void drain(struct list *link, void *arg)
{
	struct session *session = LIST_MEMBER(link, struct session, link);
	struct draining *draining = arg;

	if (draining->most > 0 && is_drained(session, draining->which)) {
		session_close(session, CLOSE_CLIENT_SHUTDOWN, NULL);
		draining->most--;
	} else {
		draining->left++;
	}
}

unsigned sessions_drain(struct worker *worker, unsigned most, enum sessions_drained which)
{
	struct draining draining = { .which = which, .most = most };

	worker_visit_sessions(worker, drain, &draining);
	return draining.left;
}

static void prepare(struct worker *worker)
{
	struct relay *relay = NEW(struct relay);

	relay->to_client = &relay->clients[0];
	relay->other_client = &relay->clients[1];

	relay->texts = text_cache_new();
	relay->setups = setup_cache_new();
	list_init(&relay->cancels);
	worker->relay = relay;
}

static void finish(struct worker *worker)
{
	sessions_drain(worker, UINT32_MAX, SESSIONS_ALL);
	session_cancels_end(worker);
	LIST_FOREACH(link, next, &worker->shares)
		session_welcomes_free(LIST_MEMBER(link, struct pool_share, link)->pool);
	text_cache_free(((struct relay *)worker->relay)->texts);
	setup_cache_free(((struct relay *)worker->relay)->setups);
	mem_free(worker->relay);
}

const struct worker_hooks session_worker_hooks = {
	.prepare = prepare,
	.tick = tick,
	.finish = finish,
};
