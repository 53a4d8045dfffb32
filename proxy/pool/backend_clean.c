/* Cleaning: what must have happened on a connection before somebody else may have it.
 *
 * Failure story: whatever does not come to an end within cancel_wait_timeout, or fails, closes the connection. A closed
 * connection is always safe; a wrongly kept one never is. */
#include <string.h>

#include "pgweir/wire.h"
#include "pool_internal.h"

static void ignore_event(void *owner, unsigned what)
{
	(void)owner;
	(void)what;
}

static void ignore_bytes(void *owner, const char *bytes, size_t size)
{
	(void)owner;
	(void)bytes;
	(void)size;
}

static void ignore_flush(void *owner)
{
	(void)owner;
}

static void ignore_request(void *owner, const struct request *request)
{
	(void)owner;
	(void)request;
}

/* A failed query of our own: the connection is not what we think it is. But for a question that was on its way when the client
 * left, and that we have cancelled with what the client had asked: it changes nothing, and what it was about is in `touched`.
 * One of the former client's may fail as it likes. */
static bool note_error(void *owner, const struct request *request, const char *body, size_t size)
{
	struct backend *backend = owner;
	bool question = request->flags & REQUEST_READ && !(request->flags & REQUEST_LISTEN);

	(void)body;
	(void)size;
	if (request->flags & REQUEST_INJECTED && !question) {
		backend->retire = true;
		backend->retire_reason = CLOSE_SERVER_CLEANING_FAILED;
	}
	return true;
}

static void ignore_row(void *owner, const char *message, size_t size)
{
	(void)owner;
	(void)message;
	(void)size;
}

static bool ignore_notification(void *owner, const char *message, size_t size)
{
	(void)owner;
	(void)message;
	(void)size;
	return false;
}

static void ignore_tag(void *owner, const char *tag)
{
	(void)owner;
	(void)tag;
}

static void ignore_ready(void *owner, const struct request *request, char status)
{
	(void)owner;
	(void)request;
	(void)status;
}

const struct backend_sink backend_unowned_sink = {
	.event = ignore_event,
	.pass = ignore_bytes,
	.flush = ignore_flush,
	.local = ignore_request,
	.undone = ignore_request,
	.error = note_error,
	.row = ignore_row,
	.notification = ignore_notification,
	.tag = ignore_tag,
	.ready = ignore_ready,
};

static bool send_query(struct backend *backend, const char *sql)
{
	struct buf out = { 0 };

	wire_put_query(&out, sql);
	backend_request(backend, REQUEST_QUERY, REQUEST_INJECTED, NULL);
	backend->unnamed_token = 0;
	bool sent = conn_send(&backend->server->conn, out.bytes, out.size);

	buf_fini(&out);
	return sent;
}

/* Brings what the vanished client began to a point from which ReadyForQuery will come. A Sync alone would commit what
 * it never asked to have committed: the ROLLBACK goes first. After an error the server skips the one and takes the
 * other, and so does the ring of requests. */
static bool finish_for_client(struct backend *backend)
{
	static const char copy_fail[] = "f\0\0\0\020client gone", sync[] = { 'S', 0, 0, 0, 4 };
	struct conn *conn = &backend->server->conn;

	if ((backend->copy == BACKEND_COPY_IN || backend->copy == BACKEND_COPY_BOTH)
		&& !conn_send(conn, copy_fail, sizeof(copy_fail)))
		return false;
	backend->copy = BACKEND_COPY_NONE;
	if (!backend->unsynced)
		return true;
	if (!send_query(backend, "ROLLBACK"))
		return false;
	backend_request(backend, REQUEST_SYNC, REQUEST_INJECTED, NULL);
	return conn_send(conn, sync, sizeof(sync));
}

void backend_clean_start(struct backend *backend)
{
	backend->rolled_back = false;
	backend->cleaning_deadline_us = backend->worker->now_us + backend->share->config->cancel_wait_timeout_ms * 1000;
	bool running = backend->requests.count > 0;

	if (!finish_for_client(backend)) {
		pool_close(backend, CLOSE_SERVER_GONE);
		return;
	}
	if (running)
		pool_cancel(backend, NULL, NULL);
	conn_want_read(&backend->server->conn, true);
	backend_clean_advance(backend);
}

/* None at all is for those who know that their sessions leave nothing. In transaction mode the next client is another one, and
 * PgBouncer, which asks nothing then, is often told so. */
static const char *reset_query(const struct pool_settings *settings)
{
	return *settings->reset_query || settings->mode == POOL_MODE_SESSION ? settings->reset_query : "DISCARD ALL";
}

/* Sends the next query that is needed, if any. */
static const char *next_query(struct backend *backend)
{
	if (backend->status != 'I' && !backend->rolled_back) {
		backend->rolled_back = true;
		return "ROLLBACK";
	}
	if (backend->touched) {
		backend->touched = false;
		state_unref(&backend->settings);
		return reset_query(&backend->share->settings);
	}
	if (backend->check_due) {
		backend->check_due = false;
		return backend->share->settings.check_query;
	}
	return NULL;
}

void backend_clean_advance(struct backend *backend)
{
	if (backend->retire && backend->retire_reason == CLOSE_SERVER_CLEANING_FAILED) {
		pool_close(backend, CLOSE_SERVER_CLEANING_FAILED);
		return;
	}
	if (backend->requests.count || backend->pass_left || backend->held.size)
		return;
	/* A cancel that arrives late must not hit our own queries. */
	if (!list_empty(&backend->cancel_tickets))
		return;
	const char *sql = next_query(backend);

	if (sql && *sql) {
		if (!send_query(backend, sql))
			pool_close(backend, CLOSE_SERVER_GONE);
		return;
	}
	if (backend->status != 'I')
		pool_close(backend, CLOSE_SERVER_CLEANING_FAILED);
	else
		pool_keep(backend);
}
