/* What becomes of settings that went ahead as a batch (setup_batch.c).
 *
 * Failure story: a batch that fails, because its statements are gone or a cancel for the client's query has hit it, costs the
 * server connection. Nothing that the client said behind it has run, and all of it has been kept: it is dealt with again from the
 * first message on. The settings go as a simple query then (setup_plainly), whose failure is the client's to hear; of what was
 * cancelled the client is told so (setup_cancelled: there was a cancel since they went out). More than KEPT_MAX is not kept; then
 * such a failure ends the session, as that of a simple query does.
 *
 * A server that says its end in answer to the settings, sent as either, has come to nothing behind them: what the client said is
 * kept and dealt with again in the same way. One that ends without a word may have. */
#include <string.h>

#include "lost.h"
#include "pgweir/log.h"
#include "pgweir/routing.h"
#include "pgweir/wire.h"
#include "route.h"
#include "session_internal.h"
#include "setup.h"

enum { KEPT_MAX = 16384 };

/* Something must make the server answer, and nothing of the client's does. */
static void end_unfollowed(struct session *session)
{
	static const char sync[] = { 'S', 0, 0, 0, 4 };
	struct backend *backend = session->backend;

	if (!setup_batch_has(requests_at(&backend->requests, backend->requests.count - 1)))
		return;
	backend_request(backend, REQUEST_SYNC, REQUEST_INJECTED, NULL);
	outbox_put(&session_relay(session)->to_server, sync, sizeof(sync));
}

void setup_keep_begins(struct session *session)
{
	struct backend *backend = session->backend;

	backend->behind_setup.size = 0;
	backend->unnamed_before_setup = session->unnamed_token;
	session->setup_kept = true;
	session->setup_cancelled = false;
	session_relay(session)->setup_ahead_of = session_relay(session)->message;
}

void setup_keep(struct session *session, const char *bytes, size_t size)
{
	struct relay *relay = session_relay(session);
	const char *from = relay->setup_ahead_of ? relay->setup_ahead_of : bytes;
	struct buf *kept = &session->backend->behind_setup;

	relay->setup_ahead_of = NULL;
	end_unfollowed(session);
	size -= (size_t)(from - bytes);
	session->setup_kept &= kept->size + size <= KEPT_MAX;
	if (session->setup_kept)
		buf_append(kept, from, size);
}

/* The server has seen the client's own change as none. */
void setup_batch_report(struct session *session)
{
	const struct backend *backend = session->backend;
	const struct parameters *parameters = &backend->server->parameters;
	struct buf out = { 0 };

	for (size_t i = 0; i < state_count(backend->reports_of); i++) {
		const struct state_pair *pair = &state_pairs(backend->reports_of)[i];
		const struct parameter *now = backend->reports_due & UINT64_C(1) << i ? parameters_find(parameters, pair->name) : NULL;

		if (now && strcmp(now->value, pair->value) != 0)
			wire_put_parameter_status(&out, now->name, now->value);
	}
	if (out.size)
		outbox_put(session_relay(session)->to_client, out.bytes, out.size);
	buf_fini(&out);
}

/* operator_intervention */
static bool is_end(const struct session *session, const char *sqlstate)
{
	return session->backend->said_fatal && sqlstate && strncmp(sqlstate, "57P", 3) == 0;
}

bool setup_batch_failed(struct session *session, const struct request *request, const char *body, size_t size)
{
	const char *sqlstate = wire_error_field(body, size, 'C');

	bool again = session->setup_kept || (session->state == SESSION_WELCOMING && session->backend->said_fatal);

	if (!again || !(request->flags & REQUEST_SETUP) || (session->backend->said_fatal && !is_end(session, sqlstate)))
		return false;
	if (!setup_batch_has(request) && !session->backend->said_fatal)
		return false;
	log_debug("settings in front of a client's message have failed", LOG_TEXT("database", session->share->database_name),
		LOG_TEXT("host", session->backend->host->name), LOG_TEXT("sqlstate", sqlstate));
	session->setup_failed = true;
	session->setup_plainly |= !session->backend->said_fatal;
	/* Else it is a timeout. */
	session->setup_cancelled &= sqlstate && strcmp(sqlstate, "57014") == 0;
	session->backend->mute = true;
	/* Not everybody may call set_config(), which would cost a server connection each time. */
	session->share->no_setup_batches |= sqlstate && strcmp(sqlstate, "42501") == 0;
	return true;
}

static bool parses_unnamed(const struct buf *said)
{
	for (size_t at = 0; said->size - at > WIRE_HEADER_SIZE; at += wire_message_size(said->bytes + at)) {
		if (said->bytes[at] == 'P' && !said->bytes[at + WIRE_HEADER_SIZE])
			return true;
		if (wire_message_size(said->bytes + at) > said->size - at)
			break;
	}
	return false;
}

/* At its login a client has said nothing yet, and nothing has been said to it. */
static void welcome_again(struct session *session)
{
	struct backend *backend = session->backend;

	session->backend = NULL;
	session->share->session_linked--;
	session->setup_failed = false;
	pool_close(backend, CLOSE_SERVER_GONE);
	session_begin(session);
}

/* Once: it might be the settings that it dies of. */
bool setup_welcome_lost(struct session *session)
{
	if (session->state != SESSION_WELCOMING || session->retried || session->setup_error)
		return false;
	session->retried = true;
	welcome_again(session);
	return true;
}

void setup_batch_again(struct session *session)
{
	struct backend *backend = session->backend;
	struct buf again = { 0 };

	if (session->state == SESSION_WELCOMING) {
		welcome_again(session);
		return;
	}
	session->setup_failed = session->setup_kept = session->terminated = false;
	buf_append(&again, backend->behind_setup.bytes, backend->behind_setup.size);
	buf_append(&again, session->held.bytes, session->held.size);
	buf_fini(&session->held);
	session->held = again;
	session->pass_left = 0;
	lost_undo(session);
	/* A Query or a Close has taken it away; of one that a Parse has replaced the text is gone. */
	if (!parses_unnamed(&backend->behind_setup))
		session->unnamed_token = backend->unnamed_before_setup;
	session_set_pins(session, 0);
	session->backend = NULL;
	session->share->session_linked--;
	session->state = SESSION_IDLE;
	route_unlinked(session);
	if (backend->said_fatal)
		routing_suspect(session->share->database->cluster->name);
	pool_close(backend, backend->said_fatal ? CLOSE_SERVER_GONE : CLOSE_SERVER_SETUP_FAILED);
	if (session->setup_cancelled)
		session_fail_waiting(session, "57014", "canceling statement due to user request", NULL);
	else if (session_resume(session))
		session_after_client(session);
}
