/* The server is lost while it is asked what functions there are, or what they have left.
 *
 * Nothing of the client's is under way then. If all that it could have left on that server is what functions may leave, and
 * nobody knows yet whether they do (presumed), another server connection is asked for the list (rereads) before the client
 * goes on.
 *
 * Failure story: a client that has left something there, or may have, is told what the server has said at its end. */
#include "audit_internal.h"
#include "listen.h"
#include "pgweir/mem.h"
#include "route.h"

/* All that is outstanding is the question. */
static bool is_only_asked(const struct session *session)
{
	const struct backend *backend = session->backend;
	bool ours = session->rescue || session->retry_name || session->setup_error || session->setup_failed || session->lost
		|| listen_asks(session);

	return session->state == SESSION_SETTING_UP && (audit_loads(session) || session->answer) && !ours && !session->eof
		&& !session->terminated && requests_count(&backend->requests) == 1 && requests_first(&backend->requests)->flags & REQUEST_READ
		&& !backend->unsynced && backend->status == 'I' && session->pass_left == 0;
}

static void let_go(struct session *session)
{
	struct backend *backend = session->backend;

	session->scrub = session->left_unsaid = false;
	session->backend = NULL;
	session->share->session_linked--;
	session->state = SESSION_IDLE;
	route_unlinked(session);
	pool_close(backend, CLOSE_SERVER_GONE);
}

static void go_on(struct session *session)
{
	session_forget_words(session);
	audit_free(session);
	session->suspected = session->told = 0;
	session->presumed = session->rereads = false;
	session_ready_to_read(session);
	if (session_resume(session))
		session_after_client(session);
}

static void read_again(struct session *session)
{
	struct backend *backend;

	session->audit->wanted = session->rereads = true;
	worker_now(session->worker);
	backend = pool_acquire(session->share, &session->waiter);
	if (backend)
		session_granted(&session->waiter, POOL_GRANTED, backend);
	else
		session->state = SESSION_WAITING;
}

bool audit_rescue_lost(struct session *session)
{
	if (!is_only_asked(session) || session->pins || (session->suspected && !session->presumed) || (session->answer && !session->presumed))
		return false;
	bool judged = session->answer;

	leftovers_drop(session);
	if (session->audit)
		functions_builder_free(&session->audit->builder);
	let_go(session);
	if (judged || !session->suspected)
		go_on(session);
	else
		read_again(session);
	return true;
}

bool audit_reread(struct session *session)
{
	if (!session->rereads)
		return true;
	session->rereads = false;
	if (session->pins || !session->presumed || session->audit->wanted) {
		session_close(session, session->last_words ? CLOSE_CLIENT_SERVER_FATAL : CLOSE_CLIENT_SERVER_LOST, session->last_words);
		return false;
	}
	session_forget_words(session);
	session->suspected = session->told = 0;
	session->presumed = false;
	session->backend->touched = session->scrub;
	return true;
}
