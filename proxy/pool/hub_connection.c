/* The connection of a hub while it is open: statements out, notifications in, and what ends it. */
#include <string.h>

#include "hub_internal.h"
#include "hub_letters.h"
#include "pgweir/log.h"
#include "pgweir/wire.h"

void hub_connection_close(struct hub *hub, enum close_reason reason)
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

bool hub_connection_send(struct hub *hub, const struct buf *statements)
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

/* --- What the server says --- */

static void on_ready(void *owner, const struct request *request, char status)
{
	struct hub *hub = owner;

	(void)request, (void)status;
	hub->asking = false;
	if (!hub->broken)
		hub_confirmed(hub);
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
		hub_advance(hub);
		return;
	}
	if (reason == CLOSE_SERVER_SETUP_FAILED)
		hub_retry_later(hub);
	hub_connection_close(hub, reason);
	hub_advance(hub);
}

void hub_connection_start(struct hub *hub, struct backend *backend)
{
	struct pool_share *share = hub->share;
	struct buf sql = { 0 };

	hub->sink = backend_unowned_sink;
	hub->sink.ready = on_ready;
	hub->sink.error = on_error;
	hub->sink.notification = on_notification;
	hub->backend = backend;
	backend->sink = &hub->sink;
	backend->owner = hub;
	hub->state = HUB_OPEN;
	hub->heard_us = worker_now(share->worker);
	conn_attach(&backend->server->conn, share->worker->loop, on_event, hub);
	log_debug("listening connection opened", LOG_TEXT("database", share->database_name),
		LOG_TEXT("user", share->user_name), LOG_INT("server_pid", backend->server->pid));
	hub_put_listen(&sql, "LISTEN", hub_marker());
	hub_table_ask(&hub->table, &sql);
	if (!hub_connection_send(hub, &sql))
		hub_connection_close(hub, CLOSE_SERVER_GONE);
	buf_fini(&sql);
}

/* --- Whether it may stay --- */

/* A connection that is silent looks like one that something on the way has forgotten. False: it is lost. */
static bool look_whether_it_lives(struct hub *hub)
{
	const struct pool_settings *settings = &hub->share->settings;
	uint64_t now_us = hub->share->worker->now_us, answer_limit_ms = hub->share->config->server_connect_timeout_ms;
	struct buf sql = { 0 };

	if (hub->asking)
		return !answer_limit_ms || hub->asked_us + answer_limit_ms * 1000 > now_us;
	if (!settings->check_query || !*settings->check_query || !settings->server_check_delay_us
		|| hub->heard_us + settings->server_check_delay_us > now_us)
		return true;
	buf_append_text(&sql, settings->check_query);
	bool sent = hub_connection_send(hub, &sql);

	buf_fini(&sql);
	return sent;
}

enum close_reason hub_connection_outdated(struct hub *hub)
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
