/* A client's channels, put in force on the server connection at hand ahead of what the client is about to say about them.
 *
 * Then the server's word on what is listened to is the whole truth, and the connection hears which notifications are the
 * client's own. Outside of transactions that is a Query of ours. In a transaction it goes the way of the transaction: then the
 * marker's channel comes along, and tells by its absence that it was rolled back. In the middle of a batch, which a Query
 * would end, the messages are those of the extended protocol.
 *
 * Failure story: if the server will not have it, the batch fails as the client's own message would have, and the client goes
 * on listening to what it has listened to before. */
#include <string.h>

#include "listen_internal.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

/* Not in a transaction, and what is on its way begins none: it is ours. */
static bool is_outside(const struct backend *backend)
{
	if (backend->status != 'I' || backend->unsynced)
		return false;
	for (uint32_t i = 0; i < backend->requests.count; i++)
		if (!(requests_at(&backend->requests, i)->flags & REQUEST_INJECTED))
			return false;
	return true;
}

struct restoring {
	struct session *session;
	struct buf sql;
};

/* --- In the middle of a batch --- */

/* Of the statement and the portal. Names that begin so are no client's (prepared.c). */
static const char batch_name[] = "pgweir_listen";

static void put_request(struct restoring *restoring, enum request_kind kind, struct buf *message)
{
	backend_request(restoring->session->backend, kind, REQUEST_INJECTED, NULL);
	outbox_put(&session_relay(restoring->session)->to_server, message->bytes, message->size);
	message->size = 0;
}

static void put_close(struct restoring *restoring, char kind, struct buf *message)
{
	size_t begun = wire_begin(message, 'C');

	buf_append_char(message, kind);
	buf_append_cstring(message, batch_name);
	wire_end(message, begun);
	put_request(restoring, REQUEST_CLOSE, message);
}

/* An error on the way leaves the statement behind, which is no error to close where it is not. */
static void put_in_batch(struct restoring *restoring)
{
	struct buf message = { 0 };
	size_t begun;

	put_close(restoring, 'S', &message);
	begun = wire_begin(&message, 'P');
	buf_append_cstring(&message, batch_name);
	buf_append(&message, restoring->sql.bytes, restoring->sql.size);
	buf_append(&message, "\0\0", 3);
	wire_end(&message, begun);
	put_request(restoring, REQUEST_PARSE, &message);
	begun = wire_begin(&message, 'B');
	buf_append_cstring(&message, batch_name);
	buf_append_cstring(&message, batch_name);
	buf_append(&message, "\0\0\0\0\0", 6);
	wire_end(&message, begun);
	put_request(restoring, REQUEST_BIND, &message);
	begun = wire_begin(&message, 'E');
	buf_append_cstring(&message, batch_name);
	buf_append(&message, "\0\0\0", 4);
	wire_end(&message, begun);
	put_request(restoring, REQUEST_EXECUTE, &message);
	put_close(restoring, 'P', &message);
	put_close(restoring, 'S', &message);
	buf_fini(&message);
	restoring->sql.size = 0;
}

/* --- Channel by channel --- */

static void put_channel(struct restoring *restoring, const char *channel)
{
	hub_put_listen(&restoring->sql, "LISTEN", channel);
	if (restoring->session->backend->unsynced)
		put_in_batch(restoring);
}

static bool visit_channel(const void *key, size_t size, void *value, void *arg)
{
	char *channel = mem_strndup(key, size);

	(void)value;
	put_channel(arg, channel);
	mem_free(channel);
	return true;
}

void listen_restore(struct session *session)
{
	struct session_listen *listen = session->listen;
	struct backend *backend = session->backend;
	struct restoring restoring = { .session = session };

	if (listen->complete || backend->skipping || backend->copy != BACKEND_COPY_NONE)
		return;
	bool outside = is_outside(backend);

	if (backend->requests.count == 0)
		session->request_us = backend->request_since_us = worker_now(session->worker);
	if (!outside)
		put_channel(&restoring, hub_marker());
	map_foreach(&listen->member.channels, visit_channel, &restoring);
	if (outside && !hub_member_moves(&listen->member)) {
		hub_put_fence(&listen->member, &restoring.sql);
		listen->fence = listen->member.number;
		listen->before_fence = 0;
	}
	if (restoring.sql.size)
		own_query_put(session, &restoring.sql, LISTEN_REQUEST, NULL);
	listen->complete = true;
	listen->doubtful = !outside;
	listen->rolled_back = false;
	listen_hold(session);
	buf_fini(&restoring.sql);
}
