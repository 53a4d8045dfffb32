/* Opening the connection of a hub. There is one attempt at a time, beside those that are given up. */
#include <stdatomic.h>

#include "hub_internal.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

struct hub_attempt {
	struct list link;
	struct hub *hub;
	struct server_target *target;   /* A reference. */
	uint64_t opened_as;
	unsigned generation, tried;
	bool given_up;
};

void hub_retry_later(struct hub *hub)
{
	hub->retry_at_us = worker_now(hub->share->worker) + hub->share->settings.server_login_retry_us;
}

static void note_failure(struct hub *hub, const struct error *error)
{
	const struct pool_share *share = hub->share;

	log_warning("listening connection failed", LOG_TEXT("database", share->database_name),
		LOG_TEXT("user", share->user_name), LOG_TEXT("sqlstate", error->sqlstate), LOG_TEXT("reason", error->text));
	hub->state = HUB_CLOSED;
	hub_retry_later(hub);
}

static void attempt_free(struct hub_attempt *attempt)
{
	list_remove(&attempt->link);
	server_target_unref(&attempt->target);
	mem_free(attempt);
}

static void start(struct hub *hub, struct server *server, const struct hub_attempt *attempt)
{
	struct backend *backend = backend_new(server, hub->share);

	backend->opened_as = attempt->opened_as;
	backend->generation = attempt->generation;
	hub_connection_start(hub, backend);
}

static void opened_cb(struct server_opened *opened, void *arg)
{
	struct hub_attempt *attempt = arg;
	struct hub *hub = attempt->hub;
	bool standby = opened->server && pool_is_standby(hub->share, opened->server);

	if (attempt->given_up) {
		server_free(&opened->server);
		attempt_free(attempt);
		return;
	}
	if (standby || (!opened->server && !opened->from_server))
		pool_host_failed(hub->share, attempt->tried);
	if (standby) {
		server_free(&opened->server);
		error_set(&opened->error, "57P03", "the server is a standby");
	}
	if (opened->server)
		start(hub, opened->server, attempt);
	else
		note_failure(hub, &opened->error);
	attempt_free(attempt);
}

void hub_open(struct hub *hub)
{
	struct pool_share *share = hub->share;
	struct pool_choice choice;

	if (hub->retry_at_us > share->worker->now_us || pool_share_blocked(share))
		return;
	pool_choose_host(share, &choice);
	if (!choice.host)
		return;
	struct hub_attempt *attempt = NEW(struct hub_attempt);

	*attempt = (struct hub_attempt){
		.hub = hub, .target = pool_target(share, choice.host, NULL), .opened_as = share->opened_as,
		.generation = pool_generation(share->pool), .tried = choice.tried,
	};
	list_push_back(&hub->attempts, &attempt->link);
	hub->state = HUB_OPENING;
	server_open(attempt->target, share->worker->loop, opened_cb, attempt);
}

void hub_open_give_up(struct hub *hub)
{
	LIST_FOREACH(link, next, &hub->attempts) {
		struct hub_attempt *attempt = LIST_MEMBER(link, struct hub_attempt, link);

		if (attempt->given_up || pool_host_keeps(hub->share, attempt->target->host))
			continue;
		attempt->given_up = true;
		hub->state = HUB_CLOSED;
	}
}

void hub_open_forget(struct hub *hub)
{
	LIST_FOREACH(link, next, &hub->attempts)
		attempt_free(LIST_MEMBER(link, struct hub_attempt, link));
}
