/* The first words to a client: AuthenticationOk, the server's parameters, the cancel key, ReadyForQuery.
 *
 * In transaction mode the parameters depend on the pool and on what the client asked for at startup; they are learned
 * from a server connection once and then sent as one prepared packet. */
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "refuse.h"
#include "route.h"
#include "session_internal.h"

enum { WELCOMES_MAX = 256 };

/* Kept for the pool, so that all workers share them. Logins are rare enough for a lock. */
struct welcome {
	struct list link;               /* In the pool, used last first. */
	struct state *settings, *login_settings;
	struct state *nameless;         /* `settings` without application_name. */
	struct state *baseline;         /* Of the server connection that it was learned from. */
	uint64_t parameters_seen;       /* The pool's, when this was learned. */
	struct parameters parameters;
};

static void welcome_free(struct pool *pool, struct welcome *welcome)
{
	list_remove(&welcome->link);
	pool->welcome_count--;
	state_unref(&welcome->settings);
	state_unref(&welcome->login_settings);
	state_unref(&welcome->nameless);
	state_unref(&welcome->baseline);
	parameters_fini(&welcome->parameters);
	mem_free(welcome);
}

void session_welcomes_free(struct pool *pool)
{
	pthread_mutex_lock(&pool->welcomes_mutex);
	LIST_FOREACH(link, next, &pool->welcomes)
		welcome_free(pool, LIST_MEMBER(link, struct welcome, link));
	pthread_mutex_unlock(&pool->welcomes_mutex);
}

static struct state *without_name(const struct state *settings)
{
	struct state_builder builder = { 0 };

	state_builder_copy(&builder, settings);
	state_builder_unset(&builder, "application_name");
	return state_builder_finish(&builder);
}

/* An application_name that every server reports as it was given: PostgreSQL cuts long ones and replaces what is not
 * ASCII. */
static const char *plain_name(const struct state *settings)
{
	const char *name = state_get(settings, "application_name");

	if (!name || strlen(name) > 63)
		return NULL;
	for (const char *at = name; *at; at++)
		if (*at < 0x20 || *at > 0x7e)
			return NULL;
	return name;
}

/* One that was made for the same settings, or for the same but for the application_name, which we know how to put in. */
static struct welcome *find(struct pool *pool, const struct session *session, const struct state *nameless, bool *renamed)
{
	struct welcome *similar = NULL;

	LIST_FOREACH(link, next, &pool->welcomes) {
		struct welcome *welcome = LIST_MEMBER(link, struct welcome, link);

		if (welcome->login_settings != session->login_settings
			|| welcome->parameters_seen != atomic_load(&pool->parameters_seen))
			continue;
		if (welcome->settings == session->settings) {
			*renamed = false;
			return welcome;
		}
		if (welcome->nameless == nameless)
			similar = welcome;
	}
	*renamed = true;
	return plain_name(session->settings) ? similar : NULL;
}

/* True if there is one; its ParameterStatus messages are appended. */
static bool put_known(struct session *session, struct buf *out)
{
	struct pool *pool = session->share->pool;
	struct state *nameless = without_name(session->settings);
	struct parameters parameters = { 0 };
	bool renamed = false;

	pthread_mutex_lock(&pool->welcomes_mutex);
	struct welcome *welcome = find(pool, session, nameless, &renamed);

	if (welcome) {
		list_remove(&welcome->link);
		list_push_front(&pool->welcomes, &welcome->link);
		parameters_copy(&parameters, &welcome->parameters);
		scope_begin(session, welcome->baseline);
	}
	pthread_mutex_unlock(&pool->welcomes_mutex);
	if (welcome && renamed)
		parameters_set(&parameters, "application_name", plain_name(session->settings));
	parameters_put(&parameters, out);
	parameters_fini(&parameters);
	state_unref(&nameless);
	return welcome != NULL;
}

char *session_told_at_start(const struct session *session, const char *name)
{
	struct pool *pool = session->share->pool;
	struct state *nameless = without_name(session->startup);
	char *told = NULL;

	pthread_mutex_lock(&pool->welcomes_mutex);
	LIST_FOREACH(link, next, &pool->welcomes) {
		const struct welcome *welcome = LIST_MEMBER(link, struct welcome, link);
		bool same = welcome->settings == session->startup || (welcome->nameless == nameless && strcmp(name, "application_name") != 0);

		if (same && !told && parameters_get(&welcome->parameters, name))
			told = mem_strdup(parameters_get(&welcome->parameters, name));
	}
	pthread_mutex_unlock(&pool->welcomes_mutex);
	state_unref(&nameless);
	return told;
}

static void remember(struct session *session, const struct backend *backend)
{
	struct pool *pool = session->share->pool;
	struct welcome *welcome = NEW(struct welcome);

	welcome->settings = state_ref(session->settings);
	welcome->login_settings = state_ref(session->login_settings);
	welcome->nameless = without_name(session->settings);
	welcome->parameters_seen = atomic_load(&pool->parameters_seen);
	welcome->baseline = state_ref(backend->baseline);
	parameters_copy(&welcome->parameters, &backend->server->parameters);
	pthread_mutex_lock(&pool->welcomes_mutex);
	list_push_front(&pool->welcomes, &welcome->link);
	if (++pool->welcome_count > WELCOMES_MAX)
		welcome_free(pool, LIST_MEMBER(list_last(&pool->welcomes), struct welcome, link));
	pthread_mutex_unlock(&pool->welcomes_mutex);
}

static void make_key(struct session *session)
{
	ssize_t got = getrandom(session->key, session->key_size, 0);

	CHECK(got == session->key_size);
}

/* The loop's time may be from before the connection was accepted, where that took no more than a turn. */
static void note_login(struct session *session)
{
	uint64_t now_us = session->worker->now_us;
	uint64_t login_us = now_us > session->connected_us ? now_us - session->connected_us : 0;

	session->share->stats.login_us += login_us;
	histogram_note(&session->share->latency.login, login_us);
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
	note_login(session);
	session->active_us = session->worker->now_us;
	return true;
}

static void go_on(struct session *session)
{
	session_ready_to_read(session);
	if (session_resume(session))
		session_after_client(session);
}

/* All that came before it is in force. */
static void refuse_rest(struct session *session)
{
	const struct error *error = session->startup_error;
	struct buf body = { 0 };

	wire_put_error(&body, &(struct wire_error){ .severity = "FATAL", .sqlstate = error->sqlstate, .message = error->text,
		.hint = error->hint });
	session_close(session, CLOSE_CLIENT_BAD_SETTING, &body);
	buf_fini(&body);
}

void session_welcome(struct session *session)
{
	struct backend *backend = session->backend;
	struct buf parameters = { 0 };

	session->retried = false;
	if (session->startup_error) {
		refuse_rest(session);
		return;
	}
	parameters_put(&backend->server->parameters, &parameters);
	if (session->mode == POOL_MODE_SESSION) {
		session->pid = backend->server->pid;
	} else {
		scope_begin(session, backend->baseline);
		remember(session, backend);
	}
	bool good = send_welcome(session, &parameters);

	buf_fini(&parameters);
	if (!good)
		return;
	session->state = SESSION_LINKED;
	if (!session->pins)
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

/* As a server does with a bad setting of its own. */
static void refuse_startup(struct session *session)
{
	struct buf body = { 0 };

	session_append_fatal_refusal((enum refusal)session->startup_refusal, &body);
	session_close(session, CLOSE_CLIENT_BAD_SETTING, &body);
	buf_fini(&body);
}

void session_begin(struct session *session)
{
	if (session->startup_refusal) {
		refuse_startup(session);
		return;
	}
	if (atomic_load_explicit(&session->share->pool->database->disabled, memory_order_relaxed)) {
		refuse_disabled(session);
		return;
	}
	struct buf parameters = { 0 };

	if (session->mode != POOL_MODE_SESSION && put_known(session, &parameters)) {
		session->state = SESSION_IDLE;
		if (session->startup_error) {
			buf_fini(&parameters);
			refuse_rest(session);
			return;
		}
		bool good = send_welcome(session, &parameters);

		buf_fini(&parameters);
		if (good)
			go_on(session);
		return;
	}
	session->state = SESSION_WELCOMING;
	session->backend = NULL;
	struct backend *backend = pool_acquire(route_welcome_share(session), &session->waiter);

	if (backend)
		session_granted(&session->waiter, POOL_GRANTED, backend);
	else
		session_ready_to_read(session);
}
