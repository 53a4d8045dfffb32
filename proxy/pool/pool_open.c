/* Opening connections: as many at once as there are waiters, as far as the quotas go.
 *
 * Failure story: a server that cannot be reached, or that says "too many connections" or "starting up", may get better:
 * waiters go on waiting, and the next attempt comes after server_login_retry. A server that refuses the login itself
 * will not: if the pool has no connection that works, waiters are told so in the server's own words. But for a password
 * that seems to be under rotation: that is tried again (trials.h says when), while waiters go on waiting. What a server
 * minds may also be what a client wants at its startup: that client is told, and nobody else hears or waits. */
#include <stdatomic.h>
#include <string.h>

#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pool_internal.h"

enum { LOOK_FOR_ROOM_US = 5000 };

struct pool_opening {
	struct list link;
	struct pool_share *share;
	struct server_target *target;   /* A reference. */
	struct pool_waiter *waiter;     /* Who it is for, or NULL. */
	struct pool_host *host;
	uint64_t opened_as;
	unsigned generation, tried;
	bool asks;                      /* What the host allows. */
	bool given_up;                  /* Nobody waits for it, and it counts for nothing. */
	uint64_t since_us;
};

/* SQLSTATEs with which waiting helps although the server itself refused: too many connections, cannot connect now,
 * crash or administrator shutdown, out of resources. */
static bool may_get_better(const char *sqlstate)
{
	return strncmp(sqlstate, "53", 2) == 0 || strncmp(sqlstate, "57", 2) == 0 || strncmp(sqlstate, "08", 2) == 0
		|| strncmp(sqlstate, "58", 2) == 0;
}

/* The server minds, or may mind, what the client wants at its startup, not the login: a bad value, an unknown parameter,
 * one that only a superuser may set or that cannot change any more, a library that is not there (undefined_file). */
static bool is_about_settings(const struct server_opened *opened, const struct state *login_state)
{
	const char *sqlstate = opened->error.sqlstate;

	if (!login_state || !opened->from_server)
		return false;
	return strcmp(sqlstate, "58P01") == 0
		|| (!may_get_better(sqlstate) && strncmp(sqlstate, "28", 2) != 0 && strncmp(sqlstate, "3D", 2) != 0);
}

static void opening_free(struct pool_opening *opening)
{
	server_target_unref(&opening->target);
	mem_free(opening);
}

static void pair(struct pool_opening *opening, struct pool_waiter *waiter)
{
	opening->waiter = waiter;
	waiter->opening = opening;
}

static void part(struct pool_opening *opening)
{
	if (opening->waiter)
		opening->waiter->opening = NULL;
	opening->waiter = NULL;
}

static void opening_begin(struct pool_opening *opening, struct pool_waiter *waiter)
{
	list_push_back(&opening->share->openings, &opening->link);
	opening->share->opening++;
	if (waiter)
		pair(opening, waiter);
	pool_marks_update(opening->share);
}

static void opening_end(struct pool_opening *opening)
{
	list_remove(&opening->link);
	if (opening->given_up)
		return;
	opening->share->opening--;
	part(opening);
	pool_marks_update(opening->share);
}

static void give_up(struct pool_opening *opening)
{
	struct pool_share *share = opening->share;

	part(opening);
	share->opening--;
	opening->given_up = true;
	if (opening->asks)
		pool_host_not_asked(opening->host);
	pool_quotas_give(share, opening->host);
	pool_marks_update(share);
}

void pool_give_up_openings(struct pool_share *share)
{
	LIST_FOREACH(link, next, &share->openings) {
		struct pool_opening *opening = LIST_MEMBER(link, struct pool_opening, link);

		if (!opening->given_up && !pool_host_keeps(share, opening->target->host))
			give_up(opening);
	}
}

void pool_forget_openings(struct pool_share *share)
{
	LIST_FOREACH(link, next, &share->openings) {
		struct pool_opening *opening = LIST_MEMBER(link, struct pool_opening, link);

		opening_end(opening);
		opening_free(opening);
	}
}

static uint64_t retry_after_us(const struct pool_share *share, const struct server_opened *opened)
{
	uint64_t most_us = share->settings.server_login_retry_us;

	if (opened->hopeful)
		return opened->after_us < most_us ? opened->after_us : most_us;
	/* While connections of the pool still serve, wrong passwords are not thrown at a server that counts them. */
	bool later = !share->refused || share->place || (share->password_refused && atomic_load(&share->pool->live) > 0);

	return later ? most_us : opened->after_us;
}

static void keep_error(struct pool_share *share, struct server_opened *opened)
{
	share->last_error = opened->error;
	buf_fini(&share->last_error_body);
	share->last_error_body = opened->error_body;
	opened->error_body = (struct buf){ 0 };
}

static void forget_error(struct pool_share *share)
{
	share->last_error.text[0] = '\0';
	buf_fini(&share->last_error_body);
}

static void note_failure(struct pool_share *share, struct server_opened *opened, const struct server_target *target)
{
	const struct state *login_state = target->login_state;

	share->stats.login_failures++;
	log_warning("server login failed", LOG_TEXT("database", share->database_name), LOG_TEXT("user", share->user_name),
		LOG_TEXT("host", target->host->host), LOG_INT("port", target->host->port), LOG_TEXT("sqlstate", opened->error.sqlstate),
		LOG_TEXT("reason", opened->error.text));
	keep_error(share, opened);
	if (is_about_settings(opened, login_state)) {
		pool_refuse_waiters(share, login_state, false);
		forget_error(share);
		return;
	}
	share->password_refused = opened->password_refused;
	share->refused = opened->from_server && !may_get_better(opened->error.sqlstate) && !opened->hopeful;
	if (opened->from_server)
		atomic_store(&share->pool->password_refused, share->password_refused);
	uint64_t after_us = retry_after_us(share, opened);

	share->retry_at_us = after_us ? worker_now(share->worker) + after_us : 0;
	/* Whoever wanted to read there reads elsewhere. */
	if (share->place)
		pool_refuse_waiters(share, NULL, true);
	else if (share->refused && atomic_load(&share->pool->live) == 0)
		pool_refuse_waiters(share, NULL, true);
}

/* A setting of the role or the database that has changed, or another server behind the name. */
static void note_parameters(struct pool *pool, const struct server *server)
{
	struct buf all = { 0 };

	if (server->target->login_state)
		return;
	parameters_put(&server->parameters, &all);
	atomic_store(&pool->parameters_seen, map_hash(all.bytes, all.size));
	buf_fini(&all);
}

static void take_into_use(struct pool_share *share, struct server *server, const struct pool_opening *opening)
{
	struct backend *backend = backend_new(server, share);

	atomic_fetch_add(&share->pool->live, 1);
	note_parameters(share->pool, server);
	share->stats.servers_opened++;
	forget_error(share);
	share->refused = share->password_refused = false;
	atomic_store(&share->pool->password_refused, false);
	backend->host = opening->host;
	backend->opened_as = opening->opened_as;
	backend->generation = opening->generation;
	backend->idle_since_us = backend->checked_us = worker_now(share->worker);
	share->stats.server_login_us += share->worker->now_us - opening->since_us;
	histogram_note(&share->latency.server_login, share->worker->now_us - opening->since_us);
	log_debug("server connection opened", LOG_TEXT("database", share->database_name), LOG_TEXT("user", share->user_name),
		LOG_INT("server_pid", server->pid));
	pool_attach(backend, share, BACKEND_IDLE);
	conn_attach(&server->conn, share->worker->loop, backend_event, backend);
	pool_marks_update(share);
	pool_serve(share);
}

static void opened_cb(struct server_opened *opened, void *arg)
{
	struct pool_opening *opening = arg;
	struct pool_share *share = opening->share;
	bool standby = opened->server && pool_is_standby(share, opened->server);
	bool late = opened->server && !pool_host_keeps(share, opened->server->target->host);

	opening_end(opening);
	if (opening->given_up) {
		server_free(&opened->server);
		opening_free(opening);
		return;
	}
	if (standby || (!opened->server && !opened->from_server))
		pool_host_failed(share, opening->tried);
	if (opened->server && !standby && !late) {
		if (opening->asks)
			pool_host_answered(opening->host, share, opened->server->allowed);
		take_into_use(share, opened->server, opening);
	} else {
		if (opening->asks)
			pool_host_not_asked(opening->host);
		pool_quotas_give(share, opening->host);
		if (standby || late) {
			server_free(&opened->server);
			error_set(&opened->error, "57P03", standby ? "the server at \"%s\" is a standby"
				: "the server at \"%s\" is not what it was any more", opening->host->name);
		}
		note_failure(share, opened, opening->target);
		if (late)
			share->retry_at_us = 0;
	}
	opening_free(opening);
}

struct server_target *pool_target(const struct pool_share *share, const struct config_host *host,
	const struct pool_waiter *waiter)
{
	struct server_target *target = NEW(struct server_target);

	atomic_init(&target->references, 1);
	target->config = config_ref(share->config);
	target->database = share->database;
	target->host = host;
	target->host_moved = pool_host_moved(share, host);
	target->dbname = mem_strdup(share->dbname);
	target->credentials = credentials_ref(share->credentials);
	target->login_state = waiter ? state_ref(waiter->login_state) : NULL;
	target->replication = waiter ? mem_strdup(waiter->replication) : NULL;
	return target;
}

static struct pool_host *host_of(struct pool_share *share, const struct config_host *at)
{
	if (share->host_at != at) {
		share->host = pool_host_get(at);
		share->host_at = at;
	}
	return share->host;
}

/* POOL_SCOPE_COUNT: it is under way; else which quota is full. */
static enum pool_scope open_one(struct pool_share *share, const struct pool_choice *choice, struct pool_waiter *waiter,
	int extra)
{
	struct pool_host *host = host_of(share, choice->host);
	bool asks = pool_host_adjust(host, share, !share->replication);
	enum pool_scope full = pool_quotas_take(share, host, extra);

	if (full != POOL_SCOPE_COUNT) {
		if (asks)
			pool_host_not_asked(host);
		return full;
	}
	struct pool_opening *opening = NEW(struct pool_opening);
	struct server_target *target = pool_target(share, choice->host, waiter);

	*opening = (struct pool_opening){
		.share = share, .target = target, .host = host, .opened_as = share->opened_as,
		.generation = pool_generation(share->pool), .tried = choice->tried, .asks = asks,
		.since_us = worker_now(share->worker),
	};
	target->asks_allowed = asks;
	opening_begin(opening, waiter);
	server_open(target, share->worker->loop, opened_cb, opening);
	return POOL_SCOPE_COUNT;
}

static void open_or_make_room(struct pool_share *share, const struct pool_choice *choice, struct pool_waiter *waiter)
{
	uint64_t waited_us = share->worker->now_us - waiter->since_us;
	int extra = waited_us >= share->settings.reserve_pool_timeout_us ? share->settings.reserve_pool_size : 0;
	struct pool_host *host = host_of(share, choice->host);
	enum pool_scope full = open_one(share, choice, waiter, extra);

	if (full == POOL_SCOPE_COUNT || (full == POOL_SCOPE_HOST && pool_host_awaited(host)))
		return;
	/* A pool that is full has no room to make but by what lies idle and fits nobody who waits. */
	if (full == POOL_SCOPE_POOL && share->idle_count == 0)
		return;
	/* Whoever gives a place back wakes those who wait for it: no need to look again and again. */
	if (full != POOL_SCOPE_POOL && share->worker->now_us < share->look_for_room_us)
		return;
	if (pool_make_room(share, host, full))
		full = open_one(share, choice, waiter, extra);
	else
		share->look_for_room_us = share->worker->now_us + LOOK_FOR_ROOM_US;
	if (full != POOL_SCOPE_COUNT && workers_count() > 1 && share->opening == 0)
		pool_ask_for_room(share, host, full);
}

void pool_opening_leave(struct pool_waiter *waiter)
{
	if (waiter->opening)
		part(waiter->opening);
}

/* A login that another has left, or that is under way for the minimum. */
static bool take_spare_opening(struct pool_share *share, struct pool_waiter *waiter)
{
	LIST_FOREACH(link, next, &share->openings) {
		struct pool_opening *opening = LIST_MEMBER(link, struct pool_opening, link);

		if (opening->waiter || opening->given_up || !pool_logs_in_alike(opening->target, waiter))
			continue;
		pair(opening, waiter);
		return true;
	}
	return false;
}

static bool choose(struct pool_share *share, struct pool_choice *choice)
{
	pool_choose_host(share, choice);
	if (choice->host)
		return true;
	share->last_error = choice->error;
	buf_fini(&share->last_error_body);
	return false;
}

void pool_open_for_waiters(struct pool_share *share, unsigned served_otherwise)
{
	struct pool_choice choice;

	if (share->retry_at_us > share->worker->now_us || !choose(share, &choice))
		return;
	LIST_FOREACH(link, next, &share->waiters) {
		struct pool_waiter *waiter = LIST_MEMBER(link, struct pool_waiter, link);

		if (waiter->opening || take_spare_opening(share, waiter))
			continue;
		if (served_otherwise) {
			served_otherwise--;
			continue;
		}
		/* A refused login is tried again one at a time. */
		if ((share->refused || share->password_refused) && share->opening)
			return;
		unsigned before = share->opening;

		open_or_make_room(share, &choice, waiter);
		if (share->opening == before)
			return;
	}
}

void pool_open_minimum(struct pool_share *share)
{
	bool wanted = share->session_count > 0 || share->database->user;
	struct pool_choice choice;

	if (!wanted || share->replication || share->place || share->retry_at_us > share->worker->now_us || pool_share_blocked(share)
	    || quota_used(&share->pool->quota) >= share->settings.min_pool_size || !choose(share, &choice))
		return;
	while (quota_used(&share->pool->quota) < share->settings.min_pool_size)
		if (open_one(share, &choice, NULL, 0) != POOL_SCOPE_COUNT)
			return;
}
