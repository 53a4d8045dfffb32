/* Between a session and the pool: wanting a server connection, getting it, giving it back. */
#include <string.h>

#include "listen.h"
#include "lost.h"
#include "pgweir/log.h"
#include "pgweir/socket.h"
#include "pgweir/wire.h"
#include "route.h"
#include "session_internal.h"
#include "setup.h"

static void take(struct session *session, struct backend *backend)
{
	session->backend = backend;
	backend->sink = &session_sink;
	backend->owner = session;
	backend->touched |= session->mode == POOL_MODE_SESSION;
	session->share->session_linked++;
	session->scope_unsure = session->sql_prepared = session->left_unsaid = session->may_commit = false;
	session->resetting = session->unnaming = false;
	session->sent_effects = 0;
	session->only_begun = session->reading_touched = false;
	if (session->reading_differs)
		scope_changed(session);
	backend->beginning.size = 0;
	if (backend->baseline != session->baseline && session->baseline)
		scope_keep_baseline(session, backend->baseline);
	session->setup_due = sequences_taken(session) | (backend->settings != session->settings);
	listen_linked(session);
	audit_linked(session);
	if (session->notes_writes)
		route_linked(session);
}

void session_open_outbox(struct session *session)
{
	outbox_begin(&session_relay(session)->to_server, &session->backend->server->conn);
	/* In the middle of a batch it would end the batch's transaction. */
	if (session->setup_due && !session->backend->unsynced)
		setup_put(session);
}

bool session_link(struct session *session)
{
	struct backend *backend;

	worker_now(session->worker);
	backend = pool_acquire(session->routing ? session->route->target : session->share, &session->waiter);
	if (!backend) {
		session->state = SESSION_WAITING;
		return false;
	}
	session->state = SESSION_LINKED;
	take(session, backend);
	session_open_outbox(session);
	return true;
}

void session_unlink(struct session *session)
{
	struct backend *backend = session->backend;

	if (session->on_replica)
		route_unlinked(session);
	else
		sequences_released(session);
	session->scrub = false;
	if (session->reading_differs)
		scope_changed(session);
	session->backend = NULL;
	session->state = SESSION_IDLE;
	session->share->session_linked--;
	pool_release(backend);
	listen_flush(session);
}

/* The client is told, and what it had asked is skipped as after an error of the server's. */
void session_fail_waiting(struct session *session, const char *sqlstate, const char *text, const char *hint)
{
	char type = session->held.size ? session->held.bytes[0] : 'S';

	session->state = SESSION_IDLE;
	lost_not_begun(session);
	session_say_error(session, "ERROR", sqlstate, text, hint);
	session->skipping = type == 'Q' || type == 'F' ? SESSION_SKIP_MESSAGE : SESSION_SKIP_TO_SYNC;
	if (session_resume(session))
		session_after_client(session);
}

/* The session goes on, so that no "client disconnected" tells of it. */
static void log_vain_wait(const struct session *session, const char *sqlstate, const char *text)
{
	const struct pool_share *share = session->waiter.share;
	char address[SOCKET_ADDRESS_MAX];
	struct sockaddr_storage storage = { 0 };

	if (!session->worker->config->log_pooler_errors)
		return;
	memcpy(&storage, &session->address, sizeof(session->address));
	socket_address_text(&storage, address, sizeof(address));
	log_warning("query got no server connection", LOG_TEXT("database", session->share->database_name),
		LOG_TEXT("user", session->guest->name), LOG_TEXT("address", address), LOG_TEXT("sqlstate", sqlstate),
		LOG_TEXT("reason", text), LOG_INT("pool_has", atomic_load(&share->pool->live)),
		LOG_INT("pool_size", share->settings.pool_size));
}

static void refused(struct session *session, enum pool_outcome outcome)
{
	const struct error *last = &session->waiter.share->last_error;
	const struct close_reason_row *row = close_reason_row(CLOSE_CLIENT_WAIT_TIMEOUT);
	bool login = session->state == SESSION_WELCOMING;
	bool server_says = outcome == POOL_REFUSED || last->text[0];
	const char *sqlstate = server_says && last->sqlstate[0] ? last->sqlstate : row->sqlstate;
	const char *text = server_says ? last->text : row->text;
	const char *hint = outcome != POOL_TIMED_OUT ? NULL
		: pool_share_blocked(session->waiter.share) ? "It is paused; RESUME on the admin console goes on."
		: server_says ? "See query_wait_timeout."
		: "SHOW POOLS and SHOW SERVERS on the console say who has them; see query_wait_timeout, pool_size, max_db_connections, "
			"max_user_connections and max_server_conn.";

	if (!login) {
		log_vain_wait(session, sqlstate, text);
		session_fail_waiting(session, sqlstate, text, hint);
		return;
	}
	struct buf body = { 0 };

	if (outcome == POOL_REFUSED && session->waiter.share->last_error_body.size) {
		size_t begun = wire_begin(&body, 'E');

		buf_append(&body, session->waiter.share->last_error_body.bytes, session->waiter.share->last_error_body.size);
		wire_end(&body, begun);
	} else {
		wire_put_error(&body, &(struct wire_error){ .severity = "FATAL", .sqlstate = sqlstate, .message = text,
			.hint = hint });
	}
	session_close(session, outcome == POOL_REFUSED ? CLOSE_CLIENT_SERVER_REFUSED : CLOSE_CLIENT_WAIT_TIMEOUT, &body);
	buf_fini(&body);
}

void session_granted(struct pool_waiter *waiter, enum pool_outcome outcome, struct backend *backend)
{
	struct session *session = CONTAINER_OF(waiter, struct session, waiter);

	if (outcome == POOL_REFUSED && session->state == SESSION_WAITING && waiter->share->place && !session->route->free) {
		route_refused(session);
		return;
	}
	if (outcome == POOL_REFUSED && session->state == SESSION_WELCOMING && waiter->share->place) {
		session_begin(session);
		return;
	}
	if (outcome != POOL_GRANTED && session->rereads) {
		session_close(session, CLOSE_CLIENT_SERVER_LOST, session->last_words);
		return;
	}
	if (outcome != POOL_GRANTED) {
		refused(session, outcome);
		return;
	}
	take(session, backend);
	if (session->rereads) {
		audit_load(session);
		return;
	}
	if (session->state == SESSION_WELCOMING) {
		session->waiter.waited_us = 0;
		session_prepare_welcome(session);
		return;
	}
	session->state = SESSION_LINKED;
	if (session_resume(session))
		session_after_client(session);
}
