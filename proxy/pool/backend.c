#include "pgweir/backend.h"

#include <stdatomic.h>

#include "pgweir/mem.h"
#include "pool_internal.h"

/* A cancel on its way. It outlives the backend if that is closed meanwhile. */
struct cancel_ticket {
	struct list link;               /* In the backend. */
	struct list of_worker;
	struct backend *backend;        /* NULL once closed. */
	pool_cancel_done_cb *done;      /* Or NULL. */
	void *arg;
};

const char *const backend_baseline_settings[] = { "client_encoding", "standard_conforming_strings", NULL };

static struct state *baseline_of(const struct server *server)
{
	struct state_builder builder = { 0 };

	for (const char *const *name = backend_baseline_settings; *name; name++) {
		const char *value = parameters_get(&server->parameters, *name);

		if (value)
			state_builder_set(&builder, *name, value);
	}
	return state_builder_finish(&builder);
}

struct backend *backend_new(struct server *server, struct pool_share *share)
{
	static _Atomic uint64_t last_id;
	struct backend *backend = NEW(struct backend);
	uint64_t lifetime_us = share->settings.server_lifetime_us;

	backend->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	backend->server = server;
	backend->baseline = baseline_of(server);
	backend->share = share;
	backend->worker = share->worker;
	backend->replication = share->replication;
	backend->status = 'I';
	backend->sink = &backend_unowned_sink;
	backend->owner = backend;
	list_init(&backend->link);
	list_init(&backend->cancel_tickets);
	prepared_init(&backend->prepared);
	/* Up to a fifth less, so that connections opened together do not end together: multiples of the golden ratio lie apart.
	 * Not by the server's pid, which may be the same for all behind another pooler. */
	if (lifetime_us)
		backend->expires_us = server->opened_us + lifetime_us - lifetime_us / 5 * ((uint32_t)backend->id * 2654435761u >> 24) / 256;
	return backend;
}

void backend_free(struct backend **backend)
{
	struct backend *gone = *backend;

	*backend = NULL;
	if (!gone)
		return;
	LIST_FOREACH(link, next, &gone->cancel_tickets) {
		LIST_MEMBER(link, struct cancel_ticket, link)->backend = NULL;
		list_remove(link);
	}
	conn_detach(&gone->server->conn);
	server_free(&gone->server);
	requests_fini(&gone->requests);
	prepared_fini(&gone->prepared);
	state_unref(&gone->settings);
	state_unref(&gone->reports_of);
	state_unref(&gone->baseline);
	state_unref(&gone->custom);
	buf_fini(&gone->held);
	buf_fini(&gone->batch);
	buf_fini(&gone->behind_setup);
	buf_fini(&gone->group);
	buf_fini(&gone->beginning);
	buf_fini(&gone->vacates);
	mem_free(gone);
}

static void end_ticket(struct cancel_ticket *ticket)
{
	if (ticket->done)
		ticket->done(ticket->arg);
	mem_free(ticket);
}

static void cancel_arrived(void *arg)
{
	struct cancel_ticket *ticket = arg;
	struct backend *backend = ticket->backend;

	list_remove(&ticket->link);
	list_remove(&ticket->of_worker);
	end_ticket(ticket);
	if (backend && backend->state == BACKEND_CLEANING)
		backend_clean_advance(backend);
}

void pool_cancel(struct backend *backend, pool_cancel_done_cb *done, void *arg)
{
	struct cancel_ticket *ticket = NEW(struct cancel_ticket);

	ticket->backend = backend;
	ticket->done = done;
	ticket->arg = arg;
	list_push_back(&backend->cancel_tickets, &ticket->link);
	list_push_back(&backend->worker->cancels, &ticket->of_worker);
	server_cancel(backend->server, backend->worker->loop, cancel_arrived, ticket);
}

void pool_forget_cancels(struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->cancels)
		end_ticket(LIST_MEMBER(link, struct cancel_ticket, of_worker));
}

/* --- While nobody has borrowed it --- */

static enum close_reason unowned_receive(struct backend *backend)
{
	struct worker *worker = backend->worker;
	ssize_t got = conn_recv(&backend->server->conn, worker->receive_buffer, WORKER_RECEIVE_SIZE);

	if (got == CONN_AGAIN)
		return CLOSE_REASON_COUNT;
	if (got <= 0)
		return CLOSE_SERVER_GONE;
	if (!backend_receive(backend, worker->receive_buffer, (size_t)got))
		return CLOSE_SERVER_BROKE_PROTOCOL;
	return backend->said_fatal ? CLOSE_SERVER_GONE : CLOSE_REASON_COUNT;
}

static void unowned_event(struct backend *backend, unsigned what)
{
	enum close_reason reason = CLOSE_REASON_COUNT;

	if (what & LOOP_WRITE && !conn_flush(&backend->server->conn))
		reason = CLOSE_SERVER_GONE;
	if (reason == CLOSE_REASON_COUNT && what & (LOOP_READ | LOOP_CLOSED))
		reason = unowned_receive(backend);
	if (reason != CLOSE_REASON_COUNT)
		pool_close(backend, reason);
	else if (backend->state == BACKEND_CLEANING)
		backend_clean_advance(backend);
}

void backend_event(unsigned what, void *arg)
{
	struct backend *backend = arg;

	if (backend->state == BACKEND_LENT)
		backend->sink->event(backend->owner, what);
	else
		unowned_event(backend, what);
}
