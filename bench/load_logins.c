/* Logins: connect, log in, Terminate, wait for the other side to close; as fast as it goes, or at a fixed rate. */
#include "load_engine.h"

#define LOGOUT_TIMEOUT_NS 2000000000u
/* Against a server that is not there the loop would spin. */
#define ERRORS_MAX 10000

static void login_ready(struct client *client)
{
	engine_count(engine_of(client), client->started_ns);
	client_leave(client);
}

static void login_closed(struct client *client, bool left)
{
	struct engine *engine = engine_of(client);

	(void)left;
	engine->free_clients[engine->free_count++] = client;
	engine->unsettled--;
}

static void open_one(struct engine *engine, uint64_t since_ns)
{
	struct client *client = engine->free_clients[--engine->free_count];

	engine->unsettled++;
	client->started_ns = since_ns;
	client_open(client);
}

/* At a fixed rate a login's time counts from when it was due: one that had to wait for a free client, because the
 * others were stuck, must not look fast. */
static uint64_t open_due(struct engine *engine, uint64_t due_ns, uint64_t interval_ns)
{
	uint64_t now_ns = conn_now_ns();

	while (engine->free_count > 0 && due_ns <= now_ns) {
		open_one(engine, interval_ns > 0 ? due_ns : now_ns);
		if (interval_ns > 0)
			due_ns += interval_ns;
		else if (engine->home.errors > ERRORS_MAX)
			break;
	}
	return due_ns;
}

void engine_run_logins(struct engine *engine)
{
	static const struct client_callbacks callbacks = { login_ready, login_closed };
	double rate = engine->home.options->logins_per_second / engine->home.options->threads;
	uint64_t interval_ns = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
	uint64_t due_ns = conn_now_ns();

	for (unsigned i = 0; i < engine->client_count; i++)
		engine->free_clients[engine->free_count++] = &engine->clients[i];
	engine->home.callbacks = &callbacks;
	engine->unsettled = 0;
	pthread_barrier_wait(&engine->window->arrived);
	pthread_barrier_wait(&engine->window->go);
	while (conn_now_ns() < engine->window->end_ns && engine->home.errors <= ERRORS_MAX) {
		due_ns = open_due(engine, due_ns, interval_ns);
		engine_turn(engine, 1);
	}
	engine_settle(engine, engine->window->end_ns + LOGOUT_TIMEOUT_NS);
}
