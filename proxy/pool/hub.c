/* The listening connection of a pool, on the worker that has it.
 *
 * Failure story: if the connection is lost or refused, those who listen keep what they have asked for, another attempt is
 * made, and once it listens again they are told that notifications may be missing. Members that have not moved to it yet
 * keep their own connections meanwhile. */
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "hub_internal.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

enum hub_state {
	HUB_CLOSED,
	HUB_OPENING,
	HUB_OPEN,
};

static const char *const state_names[] = {
	[HUB_CLOSED] = "closed",
	[HUB_OPENING] = "opening",
	[HUB_OPEN] = "open",
};

/* A worker's question whether all it has asked for is listened to. */
struct hub_question {
	struct list link;
	struct worker *from;
	uint64_t token;
	char *encoding;
	bool asked;                     /* The statements for it are under way. */
};

struct hub_attempt {
	struct list link;
	struct hub *hub;
	struct server_target *target;   /* A reference. */
	uint64_t opened_as;
	unsigned reconnect, tried;
	bool given_up;
};

struct hub {
	struct list link;               /* In the worker. */
	struct pool_share *share;
	enum hub_state state;
	struct backend *backend;
	struct backend_sink sink;
	struct hub_table table;
	struct list questions;          /* Oldest first. */
	bool asking;                    /* Statements are under way. */
	bool broken;                    /* The server has refused one: close. */
	bool interrupted;               /* Something was listened to when the last connection ended. */
	struct list attempts;           /* At the connection: one, and those that are given up. */
	uint64_t retry_at_us, unwanted_since_us;
	uint64_t heard_us, asked_us;    /* When the server last said anything, and was last asked anything. */
	unsigned member_count;
	uint64_t members_on;            /* A bit for each worker that has ever had one. */
	uint64_t notifications, interruptions;
	struct buf outgoing[WORKERS_MAX];
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

/* --- The connection --- */

static void close_connection(struct hub *hub, enum close_reason reason)
{
	static const char terminate[] = { 'X', 0, 0, 0, 4 };
	struct pool_share *share = hub->share;
	struct conn *conn = &hub->backend->server->conn;
	bool needed = hub->table.wanted > 0 && reason != CLOSE_SERVER_SHUTDOWN;

	share->worker->closed[reason]++;
	log_event(needed ? LOG_LEVEL_WARNING : close_reason_row(reason)->level, "listening connection closed",
		LOG_TEXT("reason", close_reason_row(reason)->name), LOG_TEXT("database", share->database_name),
		LOG_TEXT("user", share->user_name), LOG_INT("server_pid", hub->backend->server->pid));
	if (reason != CLOSE_SERVER_GONE && !conn_blocked(conn) && !conn_send(conn, terminate, sizeof(terminate)))
		log_debug("a last word was not taken");
	backend_free(&hub->backend);
	hub->state = HUB_CLOSED;
	hub->interrupted |= needed;
	hub->asking = hub->broken = false;
	hub_table_lost(&hub->table);
	LIST_FOREACH(link, next, &hub->questions)
		LIST_MEMBER(link, struct hub_question, link)->asked = false;
}

static bool send_statements(struct hub *hub, const struct buf *statements)
{
	struct buf sql = { 0 }, message = { 0 };

	buf_append(&sql, statements->bytes, statements->size);
	buf_append_char(&sql, '\0');
	wire_put_query(&message, sql.bytes);
	backend_request(hub->backend, REQUEST_QUERY, REQUEST_INJECTED, NULL);
	hub->asking = true;
	hub->asked_us = hub->share->worker->now_us;
	LIST_FOREACH(link, next, &hub->questions)
		LIST_MEMBER(link, struct hub_question, link)->asked = true;
	bool sent = conn_send(&hub->backend->server->conn, message.bytes, message.size);

	buf_fini(&sql);
	buf_fini(&message);
	return sent;
}

static void open_connection(struct hub *hub);

/* Whatever is due. Not from within the sink. */
static void advance(struct hub *hub)
{
	struct buf sql = { 0 };

	if (hub->state == HUB_CLOSED && hub->table.wanted)
		open_connection(hub);
	if (hub->state != HUB_OPEN || hub->asking)
		return;
	if (hub_table_ask(&hub->table, &sql)) {
		if (!send_statements(hub, &sql))
			close_connection(hub, CLOSE_SERVER_GONE);
	} else {
		LIST_FOREACH(link, next, &hub->questions)
			answer(hub, LIST_MEMBER(link, struct hub_question, link));
	}
	buf_fini(&sql);
}

static void on_ready(void *owner, const struct request *request, char status)
{
	struct hub *hub = owner;

	(void)request, (void)status;
	hub->asking = false;
	if (hub->broken)
		return;
	hub_table_answered(&hub->table);
	tell_interrupted(hub);
	answer_asked(hub);
}

static bool on_error(void *owner, const struct request *request, const char *body, size_t size)
{
	struct hub *hub = owner;

	(void)request;
	log_warning("the listening connection got an error", LOG_TEXT("database", hub->share->database_name),
		LOG_TEXT("user", hub->share->user_name), LOG_TEXT("reason", wire_error_field(body, size, 'M')));
	hub->broken = true;
	return true;
}

/* The worker that a marker names, as a bit. */
static uint64_t worker_of_marker(const char *payload)
{
	unsigned worker = 0;

	for (; *payload >= '0' && *payload <= '9' && worker < WORKERS_MAX; payload++)
		worker = worker * 10 + (unsigned)(*payload - '0');
	return worker < workers_count() ? UINT64_C(1) << worker : 0;
}

static bool on_notification(void *owner, const char *message, size_t size)
{
	struct hub *hub = owner;
	struct notification notification;
	uint64_t workers;

	if (!notification_parse(message, size, &notification))
		return false;
	if (strcmp(notification.channel, hub_marker()) == 0)
		workers = worker_of_marker(notification.payload);
	else
		workers = hub_table_workers(&hub->table, notification.channel);
	hub->notifications++;
	for (unsigned i = 0; workers; i++, workers >>= 1)
		if (workers & 1)
			buf_append(&hub->outgoing[i], message, size);
	return false;
}

static void send_outgoing(struct hub *hub)
{
	for (unsigned i = 0; i < workers_count(); i++)
		if (hub->outgoing[i].size)
			hub_mail_post(worker_at(i), hub->share->pool, HUB_MAIL_MESSAGES, 0, &hub->outgoing[i]);
}

static enum close_reason receive(struct hub *hub)
{
	struct worker *worker = hub->share->worker;
	struct conn *conn = &hub->backend->server->conn;
	ssize_t got = conn_recv(conn, worker->receive_buffer, WORKER_RECEIVE_SIZE);

	if (got == CONN_AGAIN)
		return CLOSE_REASON_COUNT;
	if (got <= 0)
		return CLOSE_SERVER_GONE;
	hub->heard_us = worker->now_us;
	bool good = backend_receive(hub->backend, worker->receive_buffer, (size_t)got);

	send_outgoing(hub);
	if (!good)
		return CLOSE_SERVER_BROKE_PROTOCOL;
	if (hub->backend->said_fatal)
		return CLOSE_SERVER_GONE;
	if (hub->broken)
		return CLOSE_SERVER_SETUP_FAILED;
	if (got == WORKER_RECEIVE_SIZE && conn_has_pending(conn))
		loop_io_kick(&conn->io);
	return CLOSE_REASON_COUNT;
}

static void retry_later(struct hub *hub)
{
	hub->retry_at_us = worker_now(hub->share->worker) + hub->share->settings.server_login_retry_us;
}

static void on_event(unsigned what, void *arg)
{
	struct hub *hub = arg;
	enum close_reason reason = CLOSE_REASON_COUNT;

	worker_now(hub->share->worker);
	if (what & LOOP_WRITE && !conn_flush(&hub->backend->server->conn))
		reason = CLOSE_SERVER_GONE;
	if (reason == CLOSE_REASON_COUNT && what & (LOOP_READ | LOOP_CLOSED))
		reason = receive(hub);
	if (reason == CLOSE_REASON_COUNT) {
		advance(hub);
		return;
	}
	if (reason == CLOSE_SERVER_SETUP_FAILED)
		retry_later(hub);
	close_connection(hub, reason);
	advance(hub);
}

static void note_failure(struct hub *hub, const struct error *error)
{
	const struct pool_share *share = hub->share;

	log_warning("listening connection failed", LOG_TEXT("database", share->database_name),
		LOG_TEXT("user", share->user_name), LOG_TEXT("sqlstate", error->sqlstate), LOG_TEXT("reason", error->text));
	hub->state = HUB_CLOSED;
	retry_later(hub);
}

static void attempt_free(struct hub_attempt *attempt)
{
	list_remove(&attempt->link);
	server_target_unref(&attempt->target);
	mem_free(attempt);
}

static void start(struct hub *hub, struct server *server, const struct hub_attempt *attempt)
{
	struct pool_share *share = hub->share;
	struct buf sql = { 0 };

	hub->backend = backend_new(server, share);
	hub->backend->sink = &hub->sink;
	hub->backend->owner = hub;
	hub->backend->opened_as = attempt->opened_as;
	hub->backend->reconnect = attempt->reconnect;
	hub->state = HUB_OPEN;
	hub->heard_us = worker_now(share->worker);
	conn_attach(&server->conn, share->worker->loop, on_event, hub);
	log_debug("listening connection opened", LOG_TEXT("database", share->database_name),
		LOG_TEXT("user", share->user_name), LOG_INT("server_pid", server->pid));
	hub_put_listen(&sql, "LISTEN", hub_marker());
	hub_table_ask(&hub->table, &sql);
	if (!send_statements(hub, &sql))
		close_connection(hub, CLOSE_SERVER_GONE);
	buf_fini(&sql);
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

static void open_connection(struct hub *hub)
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
		.reconnect = atomic_load(&share->pool->database->reconnect), .tried = choice.tried,
	};
	list_push_back(&hub->attempts, &attempt->link);
	hub->state = HUB_OPENING;
	server_open(attempt->target, share->worker->loop, opened_cb, attempt);
}

/* --- What workers want --- */

static struct hub *find(struct pool_share *share)
{
	LIST_FOREACH(link, next, &share->worker->hubs)
		if (LIST_MEMBER(link, struct hub, link)->share == share)
			return LIST_MEMBER(link, struct hub, link);
	struct hub *hub = NEW(struct hub);

	hub->share = share;
	hub->sink = backend_unowned_sink;
	hub->sink.ready = on_ready;
	hub->sink.error = on_error;
	hub->sink.notification = on_notification;
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
	advance(hub);
}

/* --- With time --- */

/* A connection that is silent looks like one that something on the way has forgotten. False: it is lost. */
static bool look_whether_it_lives(struct hub *hub)
{
	const struct pool_settings *settings = &hub->share->settings;
	uint64_t now_us = hub->share->worker->now_us;
	struct buf sql = { 0 };

	if (hub->asking)
		return !hub->share->config->server_connect_timeout_ms || hub->asked_us + hub->share->config->server_connect_timeout_ms * 1000 > now_us;
	if (!settings->check_query || !*settings->check_query || !settings->server_check_delay_us
		|| hub->heard_us + settings->server_check_delay_us > now_us)
		return true;
	buf_append_text(&sql, settings->check_query);
	bool sent = send_statements(hub, &sql);

	buf_fini(&sql);
	return sent;
}

/* Why the connection should go, or CLOSE_REASON_COUNT. Its age is no reason: what comes meanwhile would be missed. */
static enum close_reason outdated(struct hub *hub)
{
	const struct pool_share *share = hub->share;
	uint64_t limit_us = share->settings.server_idle_timeout_us;

	pool_judge(hub->backend);
	if (pool_share_blocked(share) || pool_outdated(hub->backend))
		return hub->backend->retire ? hub->backend->retire_reason : CLOSE_SERVER_RECONNECT;
	if (!hub->table.wanted && limit_us && hub->unwanted_since_us + limit_us < share->worker->now_us)
		return CLOSE_SERVER_IDLE_TIMEOUT;
	if (!look_whether_it_lives(hub))
		return CLOSE_SERVER_GONE;
	return CLOSE_REASON_COUNT;
}

void hub_worker_tick(struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->hubs) {
		struct hub *hub = LIST_MEMBER(link, struct hub, link);
		enum close_reason reason = hub->state == HUB_OPEN ? outdated(hub) : CLOSE_REASON_COUNT;

		if (reason != CLOSE_REASON_COUNT)
			close_connection(hub, reason);
		if (hub->state == HUB_CLOSED)
			advance(hub);
	}
}

void hub_worker_retire(struct worker *worker, hub_old_cb *old, const void *arg, enum close_reason reason)
{
	LIST_FOREACH(link, next, &worker->hubs) {
		struct hub *hub = LIST_MEMBER(link, struct hub, link);

		if (hub->state == HUB_OPEN && old(hub->backend, arg))
			close_connection(hub, reason);
	}
	hub_worker_tick(worker);
}

/* What is being opened where the primary was: its machine may hang, and never say no. */
static void give_up(struct hub *hub)
{
	LIST_FOREACH(link, next, &hub->attempts) {
		struct hub_attempt *attempt = LIST_MEMBER(link, struct hub_attempt, link);

		if (attempt->given_up || pool_host_keeps(hub->share, attempt->target->host))
			continue;
		attempt->given_up = true;
		hub->state = HUB_CLOSED;
	}
}

void hub_worker_follow(struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->hubs) {
		struct hub *hub = LIST_MEMBER(link, struct hub, link);

		hub->retry_at_us = 0;
		give_up(hub);
	}
	hub_worker_tick(worker);
}

void hub_worker_finish(struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->hubs) {
		struct hub *hub = LIST_MEMBER(link, struct hub, link);

		list_remove(&hub->link);
		if (hub->backend)
			close_connection(hub, CLOSE_SERVER_SHUTDOWN);
		LIST_FOREACH(question, after, &hub->questions)
			question_free(LIST_MEMBER(question, struct hub_question, link));
		LIST_FOREACH(attempt, later, &hub->attempts)
			attempt_free(LIST_MEMBER(attempt, struct hub_attempt, link));
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
