/* What the server's replies mean for the session that has borrowed it. */
#include <string.h>

#include "listen.h"
#include "lost.h"
#include "missing.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "retry.h"
#include "route.h"
#include "session_internal.h"
#include "setup.h"

static void sink_pass(void *owner, const char *bytes, size_t size)
{
	struct session *session = owner;

	session->batch_answered = true;
	outbox_pass(session_relay(session)->to_client, bytes, size);
}

static void sink_flush(void *owner)
{
	struct session *session = owner;

	outbox_flush(session_relay(session)->to_client);
}

static void sink_local(void *owner, const struct request *request)
{
	struct session *session = owner;
	session->batch_answered = true;
	const char complete[] = { request->kind == REQUEST_LOCAL_PARSE ? '1' : '3', 0, 0, 0, 4 };

	outbox_put(session_relay(session)->to_client, complete, sizeof(complete));
}

static void sink_undone(void *owner, const struct request *request)
{
	prepared_undone(owner, request);
}

/* The server's own words, but it is the end: as a refused startup parameter is without a proxy. */
static void put_as_fatal(struct buf *out, const char *body, size_t size)
{
	const char *end = body + size;
	size_t begun = wire_begin(out, 'E');

	while (body < end && *body) {
		size_t field_size = strnlen(body, (size_t)(end - body)) + 1;

		if (field_size > (size_t)(end - body))
			break;
		if (*body == 'S' || *body == 'V') {
			buf_append_char(out, *body);
			buf_append_cstring(out, "FATAL");
		} else if (strchr("CMDH", *body)) {
			buf_append(out, body, field_size);
		}
		body += field_size;
	}
	buf_append_char(out, '\0');
	wire_end(out, begun);
}

static void keep_words(struct buf **words, const char *body, size_t size)
{
	if (!*words)
		*words = NEW(struct buf);
	put_as_fatal(*words, body, size);
}

static bool sink_error(void *owner, const struct request *request, const char *body, size_t size)
{
	struct session *session = owner;
	struct buf rewritten = { 0 };
	const char *sqlstate = wire_error_field(body, size, 'C');

	if (sqlstate)
		pool_note_error(session->backend, sqlstate);
	if (request->kind == REQUEST_NONE && route_could_lose(session))
		return true;
	if (setup_batch_failed(session, request, body, size))
		return true;
	if (session->group < GROUP_KEPT && lost_announced(session, sqlstate))
		return true;
	if (session->backend->said_fatal && request->flags & (REQUEST_LISTEN | REQUEST_READ | REQUEST_TRY)) {
		keep_words(&session->last_words, body, size);
		return true;
	}
	listen_note_rollback(session);
	if (request->flags & REQUEST_LISTEN) {
		listen_error(session);
		return true;
	}
	if (request->flags & REQUEST_READ) {
		leftovers_failed(session);
		audit_load_failed(session);
		return true;
	}
	if (request->flags & REQUEST_TRY) {
		if (request->name && request->kind == REQUEST_QUERY && !session->on_replica && state_statement(session->settings, request->name->text))
			missing_note(session, request->name->text, body, size);
		return true;
	}
	if (session->group >= GROUP_KEPT && request->flags & REQUEST_SETUP && route_rescue_wanted(session, request, body, size))
		return true;
	if (request->flags & REQUEST_REFUSED) {
		session_put_refusal(session, (enum refusal)request->refusal);
		return true;
	}
	if (request->flags & REQUEST_SETUP) {
		keep_words(&session->setup_error, body, size);
		session->backend->mute = true;
		return true;
	}
	session->resets_undone |= session->resets != NULL;
	if (retry_wanted(session, request, body, size))
		return true;
	if (session->group >= GROUP_KEPT && (route_rescue_wanted(session, request, body, size) || lost_announced(session, sqlstate)))
		return true;
	if (!(session->missing && missing_error(session, body, size, &rewritten))
		&& !retry_explains(session, request, body, size, &rewritten) && !prepared_error(session, body, size, &rewritten))
		return false;
	outbox_put(session_relay(session)->to_client, rewritten.bytes, rewritten.size);
	buf_fini(&rewritten);
	return true;
}

static void sink_row(void *owner, const char *message, size_t size)
{
	if (listen_asks(owner))
		listen_row(owner, message, size);
	else if (audit_loads(owner))
		audit_row(owner, message, size);
	else
		leftovers_row(owner, message, size);
}

static bool sink_notification(void *owner, const char *message, size_t size)
{
	return listen_notification(owner, message, size);
}

static void sink_tag(void *owner, const char *tag)
{
	session_note_tag(owner, tag);
}

/* Startup values are back in force, after a reset that had reported what it led to. */
static void report_startup_values(struct session *session)
{
	const struct parameters *parameters = &session->backend->server->parameters;
	struct buf out = { 0 };

	session->report_due = false;
	session->backend->interjects = session->listen != NULL || session->resets;
	for (size_t i = 0; i < parameters->count; i++) {
		if (!state_get(session->startup, parameters->all[i].name))
			continue;
		size_t begun = wire_begin(&out, 'S');

		buf_append_cstring(&out, parameters->all[i].name);
		buf_append_cstring(&out, parameters->all[i].value);
		wire_end(&out, begun);
	}
	if (out.size)
		outbox_put(session_relay(session)->to_client, out.bytes, out.size);
	buf_fini(&out);
}

static COLD void report_resets(struct session *session)
{
	struct buf out = { 0 };

	resets_report(session, &out);
	if (out.size)
		outbox_put(session_relay(session)->to_client, out.bytes, out.size);
	buf_fini(&out);
}

/* The query had to wait for its server connection, which is a part of what the client has seen. */
static COLD void note_waited(struct session *session, uint64_t server_us)
{
	struct pool_latency *latency = &session->share->latency;

	latency->waited.counts[histogram_bucket(server_us)]--;
	histogram_note(&latency->waited, server_us + session->waiter.waited_us);
	session->share->stats.query_waited_us += session->waiter.waited_us;
	session->waiter.waited_us = 0;
}

static void sink_ready(void *owner, const struct request *request, char status)
{
	struct session *session = owner;
	struct pool_stats *stats = &session->share->stats;

	if (request->flags & REQUEST_SETTINGS)
		setup_confirmed(session);
	if (request->flags & REQUEST_INJECTED || session->retry_name || session->rescue || session->setup_failed)
		return;
	if (session->backend->reports_due)
		setup_batch_report(session);
	if (session->notes_writes)
		route_answered(session, status);
	session->retried = session->unclear = false;
	if (session->backend->requests.count == 0) {
		session->sent_effects = 0;
		if (session->backend->vacating)
			pool_vacate_ends(session->backend);
		session->may_commit = session->may_define = false;
		session->reading_touched &= status != 'I';
	}
	if (session->backend->reported && session->mode != POOL_MODE_SESSION)
		scope_reported(session);
	if (session->deallocating && session->backend->requests.count == 0)
		sql_names_settled(session);
	if (session->report_due && !session->setup_due && session->backend->interjects)
		report_startup_values(session);
	if (session->resets && status == 'I' && session->backend->requests.count == 0)
		report_resets(session);
	uint64_t now_us = worker_now(session->worker);

	uint64_t server_us = now_us - session->request_us;

	stats->queries++;
	stats->query_us += server_us;
	histogram_note(&session->share->latency.server, server_us);
	if (session->waiter.waited_us)
		note_waited(session, server_us);
	if (!session->transaction_us)
		session->transaction_us = session->request_us;
	session->request_us = now_us;
	session->active_us = now_us;
	if (status != 'I') {
		/* Else the client would take the transaction for begun before it hears that there is none. */
		if (session_breaks_statement_mode(session))
			session->backend->mute = true;
		return;
	}
	session->left_unsaid = session->suspected != 0;
	if (session->backend->requests.count == 0 && !session->suspected)
		session->scope_unsure = false;
	if (session->functions_changed)
		audit_ddl_ends(session);
	if (session->defined) {
		session->defined = false;
		session_ddl_counts(session);
	}
	listen_interject(session);
	stats->transactions++;
	stats->transaction_us += now_us - session->transaction_us;
	session->transaction_us = 0;
}

/* --- Events of the server's connection --- */

static bool flush_to_server(struct session *session)
{
	struct conn *conn = &session->backend->server->conn;

	if (!conn_flush(conn))
		return false;
	if (!conn_blocked(conn))
		session_ready_to_read(session);
	return true;
}

/* Somebody else waits for the server, which would idle while the answer is sent on: their question goes first. What is
 * listened to must come behind the answer. */
static bool give_away_first(struct session *session, size_t got)
{
	struct relay *relay = session_relay(session);
	struct outbox *answer = relay->to_client;

	if (!pool_is_awaited(session->backend) || session->listen || got == WORKER_RECEIVE_SIZE || !session_lets_go(session))
		return false;
	session->backend->request_since_us = 0;
	relay->to_client = relay->other_client;
	session_unlink(session);
	relay->to_client = answer;
	return true;
}

/* Returns false when nothing else is due: the session is over, or has no server any more. */
static bool receive(struct session *session)
{
	struct worker *worker = session->worker;
	struct backend *backend = session->backend;
	struct outbox *to_client = session_relay(session)->to_client;
	ssize_t got = conn_recv(&backend->server->conn, worker->receive_buffer, WORKER_RECEIVE_SIZE);

	if (got == CONN_AGAIN)
		return true;
	if (got <= 0) {
		if (!route_rescue_lost(session) && !route_rescue_idle(session) && !audit_rescue_lost(session) && !lost_go_on(session)
			&& !setup_welcome_lost(session))
			session_close(session, CLOSE_CLIENT_SERVER_LOST, NULL);
		return false;
	}
	outbox_begin(to_client, &session->conn);
	bool good = backend_receive(backend, worker->receive_buffer, (size_t)got);
	bool away = good && give_away_first(session, (size_t)got);
	bool sent = outbox_end(to_client);

	if (session->group == GROUP_KEPT && session->batch_answered)
		session->group = GROUP_SHOWN;
	session->share->stats.sent_bytes += (uint64_t)got;
	if (!good) {
		backend->retire = true;
		backend->retire_reason = CLOSE_SERVER_BROKE_PROTOCOL;
		session_close(session, CLOSE_CLIENT_SERVER_LOST, NULL);
		return false;
	}
	if (!sent) {
		session_close(session, CLOSE_CLIENT_GONE, NULL);
		return false;
	}
	if (away) {
		session_ready_to_read(session);
		return false;
	}
	if (conn_blocked(&session->conn))
		conn_want_read(&backend->server->conn, false);
	else if (got == WORKER_RECEIVE_SIZE && conn_has_pending(&backend->server->conn))
		loop_io_kick(&backend->server->conn.io);
	return true;
}

static void sink_event(void *owner, unsigned what)
{
	struct session *session = owner;

	if (what & LOOP_WRITE && !flush_to_server(session)) {
		if (route_rescue_lost(session) || audit_rescue_lost(session) || lost_go_on(session))
			return;
		session_close(session, CLOSE_CLIENT_SERVER_LOST, NULL);
		return;
	}
	if (!(what & (LOOP_READ | LOOP_CLOSED)))
		return;
	/* It may have been blocked before it had this connection. */
	if (conn_blocked(&session->conn))
		conn_want_read(&session->backend->server->conn, false);
	else if (receive(session))
		session_after_server(session);
}

const struct backend_sink session_sink = {
	.event = sink_event,
	.pass = sink_pass,
	.flush = sink_flush,
	.local = sink_local,
	.undone = sink_undone,
	.error = sink_error,
	.row = sink_row,
	.notification = sink_notification,
	.tag = sink_tag,
	.ready = sink_ready,
};
