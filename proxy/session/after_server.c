/* What is due once the server's bytes have been dealt with: an answer to wait for, a question of our own, the way back to the
 * pool.
 *
 * Failure story: a server that is about to go, or has refused the client's settings, costs the session that holds it, unless
 * what it asked can be asked elsewhere (route_rescue.c, lost.c). */
#include "listen.h"
#include "lost.h"
#include "retry.h"
#include "route.h"
#include "session_internal.h"
#include "setup.h"

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

	/* Within a batch it goes on. */
	session->resetting &= session->backend->unsynced;
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
	if (loaded && !audit_reread(session))
		return;
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

bool session_lets_go(struct session *session)
{
	return session->state == SESSION_LINKED && can_unlink(session) && !session->backend->said_fatal && !session->losing
		&& !session->setup_error && !session->setup_failed && !session_breaks_statement_mode(session) && !audit_is_due(session);
}

void session_after_server(struct session *session)
{
	struct backend *backend = session->backend;

	/* Whatever the server has said since. */
	if (session->setup_failed) {
		setup_batch_again(session);
		return;
	}
	if (backend->said_fatal && (route_rescue_lost(session) || route_rescue_idle(session) || audit_rescue_lost(session)))
		return;
	if (session->losing && lost_go_on(session))
		return;
	if (session->setup_error) {
		session_close(session, CLOSE_CLIENT_BAD_SETTING, session->setup_error);
		return;
	}
	if (backend->said_fatal) {
		session_close(session, CLOSE_CLIENT_SERVER_FATAL, session->last_words);
		return;
	}
	if (backend->requests.count == 0 && backend->request_since_us) {
		backend->request_since_us = 0;
		session->active_us = session->worker->now_us;
	}
	if (session->state == SESSION_WELCOMING) {
		if (backend_quiet(backend))
			session_welcome(session);
	} else if (session->state == SESSION_SETTING_UP) {
		/* A batch that waits for names may have begun a COPY instead. */
		if (backend->requests.count == 0 || backend->copy == BACKEND_COPY_IN)
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
