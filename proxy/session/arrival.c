/* A client that has logged in becomes a session of the least loaded worker.
 *
 * Failure story: a worker that ends before the letter is read drops the login, whose descriptor is closed with it. */
#include <stdatomic.h>
#include <string.h>

#include "pgweir/mem.h"
#include "route.h"
#include "route_setting.h"
#include "session_internal.h"

/* Bytes of a cancel key, by the protocol's version. */
enum { LONG_KEY_SIZE = 32, SHORT_KEY_SIZE = 4 };

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
	if (login->secret) {
		session->secret = NEW(struct session_secret);
		*session->secret = (struct session_secret){ .name = login->secret, .version = login->secret_version };
		login->secret = NULL;
	}
	session->slot = login->slot;
	session->key_size = login->minor >= 2 ? LONG_KEY_SIZE : SHORT_KEY_SIZE;
	session->tls = login->tls;
	worker->tls_sessions += session->tls;
	session->held = login->early;
	session->connected_us = login->accepted_us;
	memcpy(&session->address, &login->address, sizeof(session->address));
	session->startup_error = login->refusal;
	login->replication = NULL;
	login->refusal = NULL;
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
