/* The life of a session.
 *
 * Failure story: a client that goes away costs neither a server connection nor a running query (pool_abandon()); a server
 * that goes away costs the sessions that held it, each of which is told why, in the server's own words if it had any. */
#include "pgweir/session.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>

#include "listen.h"
#include "lost.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/socket.h"
#include "pgweir/wire.h"
#include "retry.h"
#include "route.h"
#include "route_setting.h"
#include "session_internal.h"

enum { SAME_BREATH_US = 5000 };

static struct state *both(const struct state *settings, const struct state *login_settings)
{
	struct state_builder builder = { 0 };

	state_builder_copy(&builder, login_settings);
	for (size_t i = 0; i < state_count(settings); i++)
		state_builder_set(&builder, state_pairs(settings)[i].name, state_pairs(settings)[i].value);
	return state_builder_finish(&builder);
}

/* In session mode the server connection is logged in as the client was, so that RESET leads to the client's own values. */
static void choose_settings(struct session *session, struct login_session *login)
{
	if (session->mode == POOL_MODE_SESSION) {
		session->login_settings = both(login->settings, login->login_settings);
		session->settings = NULL;
	} else {
		session->login_settings = state_ref(login->login_settings);
		session->settings = state_ref(login->settings);
		session->startup = state_ref(login->settings);
		scope_changed(session);
	}
	custom_begin(session);
	session->waiter.login_state = session->login_settings;
	session->waiter.settings = session->settings;
	session->waiter.replication = session->replication;
}

uint64_t session_next_id(void)
{
	static _Atomic uint64_t last;

	return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

static struct session *session_new(struct worker *worker, struct login_session *login)
{
	struct session *session = NEW(struct session);
	struct pool_key key = {
		.config = login->config, .database = login->database, .database_name = login->database_name,
		.user = login->user, .credentials = login->credentials, .replication = login->replication != NULL,
	};

	session->id = session_next_id();
	session->worker = worker;
	session->share = pool_share_find(worker, &key);
	session->guest = pool_guest_get(session->share, login->user);
	session->share->session_count++;
	session->mode = (uint8_t)(login->replication ? POOL_MODE_SESSION : session->guest->settings.mode);
	/* Whatever a reload makes of it: a client's statements stay. */
	session->tracks_statements = session->mode != POOL_MODE_SESSION && session->share->settings.max_prepared_statements > 0;
	session->pins = session->mode == POOL_MODE_SESSION ? PIN_BIT(PIN_SESSION_MODE) : 0;
	session->replication = login->replication;
	session->secret = login->secret;
	session->secret_version = login->secret_version;
	login->secret = NULL;
	session->slot = login->slot;
	session->minor = login->minor;
	session->tls = login->tls;
	worker->tls_sessions += session->tls;
	session->held = login->early;
	session->connected_us = login->accepted_us;
	memcpy(&session->address, &login->address, sizeof(session->address));
	login->replication = NULL;
	login->slot = NULL;
	login->early = (struct buf){ 0 };
	session->waiter.share = session->share;
	session->waiter.granted = session_granted;
	list_init(&session->waiter.link);
	session->startup_refusal = (uint8_t)route_setting_take_startup(session, &login->settings);
	choose_settings(session, login);
	route_begin(session);
	conn_move(&session->conn, &login->conn);
	list_push_back(&worker->sessions, &session->link);
	return session;
}

struct arrival {
	struct loop_letter letter;
	struct worker *worker;
	struct login_session *login;
};

static void arrive(struct loop_letter *letter)
{
	struct arrival *arrival = CONTAINER_OF(letter, struct arrival, letter);
	struct worker *worker = arrival->worker;

	worker_now(worker);
	struct session *session = session_new(worker, arrival->login);

	login_session_free(&arrival->login);
	mem_free(arrival);
	conn_attach(&session->conn, worker->loop, session_event, session);
	session_begin(session);
}

static void drop_arrival(struct loop_letter *letter)
{
	struct arrival *arrival = CONTAINER_OF(letter, struct arrival, letter);

	login_session_free(&arrival->login);
	mem_free(arrival);
}

void session_receive(struct login_session *login)
{
	struct arrival *arrival = NEW(struct arrival);

	arrival->letter = (struct loop_letter){ .deliver = arrive, .drop = drop_arrival };
	arrival->worker = worker_least_loaded();
	arrival->login = login;
	loop_post(arrival->worker->loop, &arrival->letter);
}

/* --- The end --- */

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

static void session_free(struct session *session)
{
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
	statement_name_unref(&session->retry_name);
	leftovers_failed(session);
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
	state_unref(&session->parse_scope);
	mem_free(session->replication);
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

/* --- After the server's bytes have been dealt with --- */

static bool can_unlink(const struct session *session)
{
	return !session->pins && !session->suspected && session->pass_left == 0 && backend_quiet(session->backend)
		&& !conn_blocked(&session->backend->server->conn);
}

bool session_breaks_statement_mode(const struct session *session)
{
	return session->mode == POOL_MODE_STATEMENT && session->backend->status != 'I' && session->backend->requests.count == 0;
}

/* What comes behind a text that resets things meets what it has left. True: that is being asked. */
static bool ask_behind_reset(struct session *session)
{
	bool due = session->resetting && session->suspected && session->pass_left == 0 && backend_quiet(session->backend);

	session->resetting = false;
	if (due)
		leftovers_ask(session);
	return due;
}

/* What the client has said meanwhile must not run on a server that is not the primary any more, nor on a replica; while the
 * server was being asked something it may have become a replica's. */
static bool should_go_elsewhere(const struct session *session, bool asked)
{
	bool replica = (session->judged || (asked && session->routing)) && session->group != GROUP_DUE && !session->group_left;
	bool old = session->backend->retire && session->backend->retire_reason == CLOSE_SERVER_NOT_PRIMARY;

	return session->held.size && (replica || old);
}

static void end_setting_up(struct session *session)
{
	if (session->rescue) {
		route_rescue(session);
		return;
	}
	if (session->lost)
		lost_begun_again(session);
	bool loaded = audit_loads(session), asked = loaded || session->answer;

	session->state = SESSION_LINKED;
	/* What has been answered first, whichever it was. */
	if (session->answer)
		leftovers_learned(session);
	if (loaded)
		audit_loaded(session);
	if (ask_behind_reset(session))
		return;
	/* Also if the client goes on meanwhile: until then its state is only there (lost.c). */
	if (loaded && session->suspected && session->pass_left == 0 && backend_quiet(session->backend)) {
		leftovers_ask(session);
		return;
	}
	if (session->retry_name)
		retry_start(session);
	if (listen_goes_on(session) || listen_step(session))
		return;
	if (session->held.size == 0 && !session->eof && can_unlink(session)) {
		session_unlink(session);
		session_ready_to_read(session);
		return;
	}
	if (should_go_elsewhere(session, asked) && session->suspected && session->pass_left == 0 && backend_quiet(session->backend)) {
		leftovers_ask(session);
		return;
	}
	if (should_go_elsewhere(session, asked) && can_unlink(session))
		session_unlink(session);
	listen_flush(session);
	if (session_resume(session))
		session_after_client(session);
}

void session_after_server(struct session *session)
{
	struct backend *backend = session->backend;

	if (backend->said_fatal && (route_rescue_lost(session) || route_rescue_idle(session)))
		return;
	if (session->losing && lost_go_on(session))
		return;
	if (session->setup_error) {
		session_close(session, CLOSE_CLIENT_BAD_SETTING, session->setup_error);
		return;
	}
	if (backend->said_fatal) {
		session_close(session, CLOSE_CLIENT_SERVER_FATAL, NULL);
		return;
	}
	backend->request_since_us = backend->requests.count ? backend->request_since_us : 0;
	if (session->state == SESSION_WELCOMING) {
		if (backend_quiet(backend))
			session_welcome(session);
	} else if (session->state == SESSION_SETTING_UP) {
		if (backend->requests.count == 0)
			end_setting_up(session);
	} else if (session->state == SESSION_FINISHING) {
		if (backend->requests.count == 0 || !backend_will_end(backend))
			session_close(session, session->terminated ? CLOSE_CLIENT_TERMINATED : CLOSE_CLIENT_GONE, NULL);
	} else if (session_breaks_statement_mode(session)) {
		session_close(session, CLOSE_CLIENT_STATEMENT_MODE, NULL);
	} else if (audit_is_due(session)) {
		audit_load(session);
	} else if (leftovers_are_due(session)) {
		leftovers_ask(session);
	} else if (can_unlink(session)) {
		session_unlink(session);
		session_ready_to_read(session);
	} else if (!listen_step(session)) {
		if (!session->conn.io.reading)
			session_ready_to_read(session);
		listen_flush(session);
	}
}
