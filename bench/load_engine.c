#include "load_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define EVENTS_PER_TURN 256
/* More would overflow a listen queue and then wait out the kernel's retransmission. */
#define LOGINS_AT_ONCE 64
#define LOGIN_TIMEOUT_NS 120000000000u
#define LOGOUT_TIMEOUT_NS 2000000000u

static SSL_CTX *client_tls_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context)
		exit(1);
	/* The certificate is a throwaway one; every login is a full handshake. */
	SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	return context;
}

void engine_init(struct engine *engine, const struct load_options *options, struct window *window,
		 unsigned first_number, unsigned client_count)
{
	engine->home.options = options;
	engine->home.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	engine->home.tls_context = options->tls ? client_tls_context() : NULL;
	engine->window = window;
	engine->client_count = client_count;
	engine->clients = calloc(client_count, sizeof(*engine->clients));
	engine->free_clients = calloc(client_count, sizeof(*engine->free_clients));
	if (engine->home.epoll_fd < 0 || !engine->clients || !engine->free_clients) {
		perror("bench_load");
		exit(1);
	}
	for (unsigned i = 0; i < client_count; i++)
		client_init(&engine->clients[i], &engine->home, first_number + i);
}

void engine_fini(struct engine *engine)
{
	for (unsigned i = 0; i < engine->client_count; i++)
		client_fini(&engine->clients[i]);
	free(engine->clients);
	free(engine->free_clients);
	SSL_CTX_free(engine->home.tls_context);
}

struct engine *engine_of(struct client *client)
{
	return (struct engine *)client->home;
}

void engine_turn(struct engine *engine, int timeout_ms)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int count = epoll_wait(engine->home.epoll_fd, events, EVENTS_PER_TURN, timeout_ms);

	for (int i = 0; i < count; i++)
		client_on_event(events[i].data.ptr, events[i].events);
}

void engine_settle(struct engine *engine, uint64_t deadline_ns)
{
	while (engine->unsettled > 0 && conn_now_ns() < deadline_ns)
		engine_turn(engine, 10);
}

static void login_ready(struct client *client)
{
	const struct script *script = &client->home->options->script;

	/* `step` tells the login's ReadyForQuery from the set-up's. */
	if (client->step == 0 && bytes_length(&script->setup) > 0) {
		client->step = 1;
		client_send(client, &script->setup, 1);
		return;
	}
	client->step = 0;
	engine_of(client)->unsettled--;
}

static void login_closed(struct client *client, bool left)
{
	(void)left;
	engine_of(client)->unsettled--;
}

void engine_log_in(struct engine *engine)
{
	static const struct client_callbacks callbacks = { login_ready, login_closed };
	uint64_t deadline_ns = conn_now_ns() + LOGIN_TIMEOUT_NS;

	engine->home.callbacks = &callbacks;
	engine->unsettled = 0;
	for (unsigned i = 0; i < engine->client_count; i++) {
		while (engine->unsettled >= LOGINS_AT_ONCE && conn_now_ns() < deadline_ns)
			engine_turn(engine, 10);
		engine->unsettled++;
		client_open(&engine->clients[i]);
	}
	engine_settle(engine, deadline_ns);
	if (engine->unsettled > 0)
		fprintf(stderr, "bench_load: %u logins took too long\n", engine->unsettled);
	engine->home.errors += engine->unsettled;
}

static void logout_ready(struct client *client)
{
	(void)client;
}

static void logout_closed(struct client *client, bool left)
{
	(void)left;
	engine_of(client)->unsettled--;
}

void engine_log_out(struct engine *engine)
{
	static const struct client_callbacks callbacks = { logout_ready, logout_closed };

	engine->home.callbacks = &callbacks;
	engine->unsettled = 0;
	for (unsigned i = 0; i < engine->client_count; i++) {
		if (engine->clients[i].state != CLIENT_READY)
			continue;
		engine->unsettled++;
		client_leave(&engine->clients[i]);
	}
	engine_settle(engine, conn_now_ns() + LOGOUT_TIMEOUT_NS);
}

uint64_t engine_count(struct engine *engine, uint64_t since_ns)
{
	uint64_t now_ns = conn_now_ns();

	if (now_ns >= engine->window->start_ns && now_ns < engine->window->end_ns) {
		engine->ops++;
		histogram_add(&engine->histogram, now_ns - since_ns);
	}
	return now_ns;
}
