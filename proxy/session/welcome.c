/* The first words to a client: AuthenticationOk, the server's parameters, the cancel key, ReadyForQuery.
 *
 * In transaction mode the parameters depend on the pool and on what the client asked for at startup; they are learned
 * from a server connection once and then sent as one prepared packet. */
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "session_internal.h"

enum { WELCOMES_MAX = 256, LONG_KEY_SIZE = 32, SHORT_KEY_SIZE = 4 };

struct welcome {
	struct list link;               /* In the share, used last first. */
	struct state *settings, *login_settings;
	struct buf parameters;          /* ParameterStatus messages. */
};

static void welcome_free(struct pool_share *share, struct welcome *welcome)
{
	list_remove(&welcome->link);
	share->welcome_count--;
	state_unref(&welcome->settings);
	state_unref(&welcome->login_settings);
	buf_fini(&welcome->parameters);
	mem_free(welcome);
}

void session_welcomes_free(struct pool_share *share)
{
	LIST_FOREACH(link, next, &share->welcomes)
		welcome_free(share, LIST_MEMBER(link, struct welcome, link));
}

static const struct welcome *find(struct pool_share *share, const struct session *session)
{
	LIST_FOREACH(link, next, &share->welcomes) {
		struct welcome *welcome = LIST_MEMBER(link, struct welcome, link);

		if (welcome->settings != session->settings || welcome->login_settings != session->login_settings)
			continue;
		list_remove(link);
		list_push_front(&share->welcomes, link);
		return welcome;
	}
	return NULL;
}

static void remember(struct session *session, const struct parameters *parameters)
{
	struct pool_share *share = session->share;
	struct welcome *welcome = NEW(struct welcome);

	welcome->settings = state_ref(session->settings);
	welcome->login_settings = state_ref(session->login_settings);
	parameters_put(parameters, &welcome->parameters);
	list_push_front(&share->welcomes, &welcome->link);
	if (++share->welcome_count > WELCOMES_MAX)
		welcome_free(share, LIST_MEMBER(list_last(&share->welcomes), struct welcome, link));
}

static void make_key(struct session *session)
{
	session->key_size = session->minor >= 2 ? LONG_KEY_SIZE : SHORT_KEY_SIZE;
	ssize_t got = getrandom(session->key, session->key_size, 0);

	CHECK(got == session->key_size);
}

/* False: the session is over. */
static bool send_welcome(struct session *session, const struct buf *parameters)
{
	struct buf out = { 0 };

	make_key(session);
	session_register(session);
	wire_put_authentication(&out, 0, NULL, 0);
	buf_append(&out, parameters->bytes, parameters->size);
	wire_put_backend_key(&out, session->pid, session->key, session->key_size);
	wire_put_ready_for_query(&out, 'I');
	bool sent = conn_send(&session->conn, out.bytes, out.size);

	buf_fini(&out);
	if (!sent) {
		session_close(session, CLOSE_CLIENT_GONE, NULL);
		return false;
	}
	session->active_us = session->worker->now_us;
	return true;
}

static void go_on(struct session *session)
{
	session_ready_to_read(session);
	if (session_resume(session))
		session_after_client(session);
}

void session_welcome(struct session *session)
{
	struct backend *backend = session->backend;
	struct buf parameters = { 0 };

	parameters_put(&backend->server->parameters, &parameters);
	if (session->mode == POOL_MODE_SESSION)
		session->pid = backend->server->pid;
	else
		remember(session, &backend->server->parameters);
	bool good = send_welcome(session, &parameters);

	buf_fini(&parameters);
	if (!good)
		return;
	session->state = SESSION_LINKED;
	if (session->pin == PIN_NONE)
		session_unlink(session);
	go_on(session);
}

/* With a server connection at hand: puts the settings in force, so that its parameters are the client's. */
void session_prepare_welcome(struct session *session)
{
	if (!session->setup_due) {
		session_welcome(session);
		return;
	}
	session_open_outbox(session);
	if (!outbox_end(&session_relay(session)->to_server))
		conn_want_read(&session->backend->server->conn, true);
}

static void refuse_disabled(struct session *session)
{
	struct buf body = { 0 };
	struct error error;

	error_set(&error, close_reason_row(CLOSE_CLIENT_DATABASE_DISABLED)->sqlstate, "database \"%s\" is disabled",
		session->share->database_name);
	wire_put_error(&body, &(struct wire_error){ .severity = "FATAL", .sqlstate = error.sqlstate, .message = error.text });
	session_close(session, CLOSE_CLIENT_DATABASE_DISABLED, &body);
	buf_fini(&body);
}

void session_begin(struct session *session)
{
	if (atomic_load_explicit(&session->share->pool->database->disabled, memory_order_relaxed)) {
		refuse_disabled(session);
		return;
	}
	const struct welcome *welcome = session->mode == POOL_MODE_SESSION ? NULL : find(session->share, session);

	if (welcome) {
		session->state = SESSION_IDLE;
		if (send_welcome(session, &welcome->parameters))
			go_on(session);
		return;
	}
	session->state = SESSION_WELCOMING;
	session->backend = NULL;
	struct backend *backend = pool_acquire(session->share, &session->waiter);

	if (backend)
		session_granted(&session->waiter, POOL_GRANTED, backend);
	else
		session_ready_to_read(session);
}
