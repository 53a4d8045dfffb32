/* What happens to a session, from its first event to its end. How it begins: arrival.c, welcome.c.
 *
 * Failure story: a client that goes away costs neither a server connection nor a running query (pool_abandon()); a server
 * that goes away costs the sessions that held it, each of which is told why, in the server's own words if it had any. */
#include "pgweir/session.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#include "listen.h"
#include "lost.h"
#include "missing.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/socket.h"
#include "pgweir/wire.h"
#include "retry.h"
#include "route.h"
#include "session_internal.h"

enum { SAME_BREATH_US = 5000 };

void session_say_error(struct session *session, const char *severity, const char *sqlstate, const char *text, const char *hint)
{
	struct buf out = { 0 };

	wire_put_error(&out, &(struct wire_error){ .severity = severity, .sqlstate = sqlstate, .message = text, .hint = hint });
	if (!conn_send(&session->conn, out.bytes, out.size))
		session->eof = true;
	buf_fini(&out);
}

/* An error in the middle of a message would be read as a part of it. */
bool session_inside_message(const struct session *session)
{
	const struct backend *backend = session->backend;

	return backend && backend->pass_left && !backend->pass_swallow && !backend->mute;
}

static void say_why(struct session *session, enum close_reason reason, const struct buf *body)
{
	const struct close_reason_row *row = close_reason_row(reason);

	if (session_inside_message(session))
		return;
	if (body && body->size) {
		if (!conn_send(&session->conn, body->bytes, body->size))
			return;
	} else if (row->sqlstate) {
		session_say_error(session, "FATAL", row->sqlstate, row->text, NULL);
	}
}

static void log_end(const struct session *session, enum close_reason reason)
{
	const struct close_reason_row *row = close_reason_row(reason);
	char address[SOCKET_ADDRESS_MAX];
	struct sockaddr_storage storage = { 0 };

	if (!session->worker->config->log_disconnections && row->level <= LOG_LEVEL_INFO)
		return;
	memcpy(&storage, &session->address, sizeof(session->address));
	socket_address_text(&storage, address, sizeof(address));
	log_event(row->level, "client disconnected", LOG_TEXT("reason", row->name),
		LOG_TEXT("database", session->share->database_name), LOG_TEXT("user", session->guest->name),
		LOG_TEXT("address", address));
}

static bool is_servers_fault(enum close_reason reason)
{
	return reason == CLOSE_CLIENT_SERVER_LOST || reason == CLOSE_CLIENT_SERVER_FATAL;
}

static void let_go_of_backend(struct session *session, enum close_reason reason)
{
	struct backend *backend = session->backend;
	bool cut = session->pass_left > 0 && !session->pass_drop;

	if (!backend)
		return;
	audit_left(session);
	session->backend = NULL;
	session->share->session_linked--;
	if (is_servers_fault(reason))
		pool_close(backend, backend->retire ? backend->retire_reason : CLOSE_SERVER_GONE);
	else if (session->setup_error)
		pool_close(backend, CLOSE_SERVER_SETUP_FAILED);
	else if (session->share->replication)
		pool_close(backend, CLOSE_SERVER_REPLICATION_ENDED);
	else if (!cut && backend_quiet(backend) && !conn_blocked(&backend->server->conn))
		pool_release(backend);
	else
		pool_abandon(backend, cut);
}

void session_forget_words(struct session *session)
{
	if (session->last_words)
		buf_fini(session->last_words);
	mem_free(session->last_words);
	session->last_words = NULL;
}

static void session_free(struct session *session)
{
	worker_walk_skip(session->worker, &session->link);
	list_remove(&session->link);
	session->share->session_count--;
	session->worker->tls_sessions -= session->tls;
	atomic_fetch_sub(&session->worker->session_count, 1);
	client_slot_release(&session->slot);
	prepared_forget_all(session);
	missing_forget_all(session);
	if (session->unnamed)
		buf_fini(session->unnamed);
	mem_free(session->unnamed);
	buf_fini(&session->held);
	if (session->setup_error)
		buf_fini(session->setup_error);
	mem_free(session->setup_error);
	session_forget_words(session);
	mem_free(session->startup_error);
	statement_name_unref(&session->retry_name);
	leftovers_drop(session);
	sql_names_settled(session);
	session_long_text_drop(session);
	listen_free(session);
	audit_free(session);
	route_free(session);
	lost_ends(session);
	state_unref(&session->settings);
	state_unref(&session->startup);
	state_unref(&session->baseline);
	state_unref(&session->login_settings);
	state_unref(&session->custom);
	state_unref(&session->resets);
	state_unref(&session->parse_scope);
	mem_free(session->replication);
	if (session->secret)
		mem_free(session->secret->name);
	mem_free(session->secret);
	mem_free(session);
}

void session_close(struct session *session, enum close_reason reason, const struct buf *body)
{
	CHECK(session->state != SESSION_CLOSED);
	session->state = SESSION_CLOSED;
	session->worker->closed[reason]++;
	session_unregister(session);
	pool_waiter_cancel(&session->waiter);
	say_why(session, reason, body);
	log_end(session, reason);
	conn_close(&session->conn);
	let_go_of_backend(session, reason);
	session_free(session);
}

/* The client has ended, by Terminate or by closing its side. What it asked in the same breath is still done and
 * answered; what it has asked before is of no use to anybody now. */
static void gone(struct session *session, bool in_same_event)
{
	enum close_reason reason = session->terminated ? CLOSE_CLIENT_TERMINATED : CLOSE_CLIENT_GONE;
	bool busy = session->state == SESSION_WAITING
		|| (session->backend && session->backend->requests.count && session->state != SESSION_WELCOMING);
	bool cut = session->pass_left > 0 && !session->pass_drop;

	if (cut || (session->backend && !backend_will_end(session->backend)))
		busy = false;
	if (session->state == SESSION_WAITING)
		session->request_us = session->waiter.since_us;
	if (!busy || (!in_same_event && worker_now(session->worker) > session->request_us + SAME_BREATH_US)) {
		session_close(session, reason, NULL);
		return;
	}
	session->eof = true;
	if (session->state == SESSION_LINKED)
		session->state = SESSION_FINISHING;
	conn_want_read(&session->conn, false);
}

/* --- Events of the client's connection --- */

/* After the client's bytes have been dealt with. */
void session_after_client(struct session *session)
{
	if (session->terminated && session->state != SESSION_FINISHING)
		gone(session, true);
	else if (session->eof && session->state == SESSION_LINKED)
		gone(session, true);
}

/* False: the session is over. */
static bool receive(struct session *session, bool peer_closed)
{
	struct worker *worker = session->worker;
	bool heard = false;

	for (;;) {
		ssize_t got = conn_recv(&session->conn, worker->receive_buffer, WORKER_RECEIVE_SIZE);

		if (got == CONN_AGAIN)
			return true;
		if (got <= 0) {
			gone(session, heard && got == 0);
			return false;
		}
		heard = true;
		session->share->stats.received_bytes += (uint64_t)got;
		if (!session_feed(session, worker->receive_buffer, (size_t)got))
			return false;
		if (session->terminated)
			return true;
		if (got == WORKER_RECEIVE_SIZE && conn_has_pending(&session->conn))
			loop_io_kick(&session->conn.io);
		/* Only a peer that has closed is read to its end at once. */
		if (!peer_closed || !session->conn.io.reading)
			return true;
	}
}

static bool flush_to_client(struct session *session)
{
	if (!conn_flush(&session->conn))
		return false;
	if (!conn_blocked(&session->conn) && session->backend)
		conn_want_read(&session->backend->server->conn, true);
	if (!conn_blocked(&session->conn) && !session->conn.io.reading)
		session_ready_to_read(session);
	listen_flush(session);
	return true;
}

void session_event(unsigned what, void *arg)
{
	struct session *session = arg;

	if (what & LOOP_WRITE && !flush_to_client(session)) {
		session_close(session, CLOSE_CLIENT_GONE, NULL);
		return;
	}
	if (!(what & (LOOP_READ | LOOP_CLOSED)))
		return;
	if (session->state == SESSION_WAITING || session->state == SESSION_WELCOMING) {
		if (what & LOOP_CLOSED)
			gone(session, false);
		else
			conn_watch_end(&session->conn);
		return;
	}
	if (receive(session, what & LOOP_CLOSED))
		session_after_client(session);
}
