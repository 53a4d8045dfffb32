/* The hub of a pool, on the worker that has it: who wants to hear what, and what is due.
 *
 * Failure story: if the connection is lost or refused, those who listen keep what they have asked for, another attempt is
 * made, and once it listens again they are told that notifications may be missing. Members that have not moved to it yet
 * keep their own connections meanwhile. */
#include "hub_internal.h"

#include <strings.h>

#include "hub_letters.h"
#include "pgweir/mem.h"

static const char *const state_names[] = {
	[HUB_CLOSED] = "closed",
	[HUB_OPENING] = "opening",
	[HUB_OPEN] = "open",
};

static void question_free(struct hub_question *question)
{
	list_remove(&question->link);
	mem_free(question->encoding);
	mem_free(question);
}

static const char *encoding_of(const struct hub *hub)
{
	return parameters_get(&hub->backend->server->parameters, "client_encoding");
}

static void answer(struct hub *hub, struct hub_question *question)
{
	const char *encoding = encoding_of(hub);
	bool same = !encoding || !question->encoding || strcasecmp(encoding, question->encoding) == 0;

	hub_mail_post(question->from, hub->share->pool, same ? HUB_MAIL_READY : HUB_MAIL_REFUSED,
		question->token, NULL);
	question_free(question);
}

static void answer_asked(struct hub *hub)
{
	LIST_FOREACH(link, next, &hub->questions) {
		struct hub_question *question = LIST_MEMBER(link, struct hub_question, link);

		if (question->asked)
			answer(hub, question);
	}
}

static void tell_interrupted(struct hub *hub)
{
	if (!hub->interrupted)
		return;
	hub->interrupted = false;
	hub->interruptions++;
	for (unsigned i = 0; i < workers_count(); i++)
		if (hub->members_on & UINT64_C(1) << i)
			hub_mail_post(worker_at(i), hub->share->pool, HUB_MAIL_INTERRUPTED, 0, NULL);
}

void hub_confirmed(struct hub *hub)
{
	hub_table_answered(&hub->table);
	tell_interrupted(hub);
	answer_asked(hub);
}

void hub_advance(struct hub *hub)
{
	struct buf sql = { 0 };

	if (hub->state == HUB_CLOSED && hub->table.wanted)
		hub_open(hub);
	if (hub->state != HUB_OPEN || hub->asking)
		return;
	if (hub_table_ask(&hub->table, &sql)) {
		if (!hub_connection_send(hub, &sql))
			hub_connection_close(hub, CLOSE_SERVER_GONE);
	} else {
		LIST_FOREACH(link, next, &hub->questions)
			answer(hub, LIST_MEMBER(link, struct hub_question, link));
	}
	buf_fini(&sql);
}

/* --- What workers want --- */

static struct hub *find(struct pool_share *share)
{
	LIST_FOREACH(link, next, &share->worker->hubs)
		if (LIST_MEMBER(link, struct hub, link)->share == share)
			return LIST_MEMBER(link, struct hub, link);
	struct hub *hub = NEW(struct hub);

	hub->share = share;
	list_init(&hub->attempts);
	list_init(&hub->questions);
	list_push_back(&share->worker->hubs, &hub->link);
	return hub;
}

static void each_name(struct hub *hub, const struct buf *names, unsigned worker,
	void (*visit)(struct hub_table *table, const char *name, unsigned worker))
{
	const char *end = names->bytes + names->size;

	for (const char *name = names->bytes; name < end; name += strlen(name) + 1)
		visit(&hub->table, name, worker);
}

void hub_take_order(struct loop_letter *letter)
{
	struct hub_order *order = CONTAINER_OF(letter, struct hub_order, letter);
	struct pool_key key = {
		.config = order->config, .database = order->database, .database_name = order->database_name, .user = order->user,
		.credentials = order->credentials,
	};

	worker_now(order->to);
	struct hub *hub = find(pool_share_find(order->to, &key));

	each_name(hub, &order->unwants, order->from, hub_table_unwant);
	each_name(hub, &order->wants, order->from, hub_table_want);
	hub->member_count = (unsigned)((int)hub->member_count + order->members);
	hub->members_on |= UINT64_C(1) << order->from;
	if (hub->table.wanted == 0)
		hub->unwanted_since_us = order->to->now_us;
	if (order->token) {
		struct hub_question *question = NEW(struct hub_question);

		question->from = worker_at(order->from);
		question->token = order->token;
		question->encoding = order->encoding;
		order->encoding = NULL;
		list_push_back(&hub->questions, &question->link);
	}
	hub_order_free(order);
	hub_advance(hub);
}

/* --- With time --- */

void hub_worker_tick(struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->hubs) {
		struct hub *hub = LIST_MEMBER(link, struct hub, link);
		enum close_reason reason = hub->state == HUB_OPEN ? hub_connection_outdated(hub) : CLOSE_REASON_COUNT;

		if (reason != CLOSE_REASON_COUNT)
			hub_connection_close(hub, reason);
		if (hub->state == HUB_CLOSED)
			hub_advance(hub);
	}
}

void hub_worker_retire(struct worker *worker, hub_old_cb *old, const void *arg, enum close_reason reason)
{
	LIST_FOREACH(link, next, &worker->hubs) {
		struct hub *hub = LIST_MEMBER(link, struct hub, link);

		if (hub->state == HUB_OPEN && old(hub->backend, arg))
			hub_connection_close(hub, reason);
	}
	hub_worker_tick(worker);
}

void hub_worker_follow(struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->hubs) {
		struct hub *hub = LIST_MEMBER(link, struct hub, link);

		hub->retry_at_us = 0;
		hub_open_give_up(hub);
	}
	hub_worker_tick(worker);
}

void hub_worker_finish(struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->hubs) {
		struct hub *hub = LIST_MEMBER(link, struct hub, link);

		list_remove(&hub->link);
		if (hub->backend)
			hub_connection_close(hub, CLOSE_SERVER_SHUTDOWN);
		LIST_FOREACH(question, after, &hub->questions)
			question_free(LIST_MEMBER(question, struct hub_question, link));
		hub_open_forget(hub);
		hub_table_fini(&hub->table);
		mem_free(hub);
	}
}

void hub_worker_describe(struct worker *worker, hub_facts_cb *visit, void *arg)
{
	LIST_FOREACH(link, next, &worker->hubs) {
		const struct hub *hub = LIST_MEMBER(link, struct hub, link);

		visit(&(struct hub_facts){
			.database = hub->share->database_name, .user = hub->share->user_name,
			.state = state_names[hub->state], .channels = hub->table.wanted, .sessions = hub->member_count,
			.server_pid = hub->backend ? hub->backend->server->pid : 0,
			.notifications = hub->notifications, .interruptions = hub->interruptions,
		}, arg);
	}
}
