/* The closed loop: every client sends its next packet when the last one was answered. */
#include "load_engine.h"

#define DRAIN_TIMEOUT_NS 2000000000u

static void begin_operation(struct client *client, uint64_t now_ns)
{
	client->step = 0;
	client->started_ns = now_ns;
	client_send(client, &client->home->options->script.steps[0], client->home->options->script.answers);
}

static void query_ready(struct client *client)
{
	const struct script *script = &client->home->options->script;
	struct engine *engine = engine_of(client);
	uint64_t now_ns;

	if (++client->step < script->step_count) {
		client_send(client, &script->steps[client->step], script->answers);
		return;
	}
	now_ns = engine_count(engine, client->started_ns);
	if (now_ns < engine->window->end_ns)
		begin_operation(client, now_ns);
	else
		engine->unsettled--;
}

static void query_closed(struct client *client, bool left)
{
	(void)left;
	engine_of(client)->unsettled--;
}

void engine_run_queries(struct engine *engine)
{
	static const struct client_callbacks callbacks = { query_ready, query_closed };

	engine_log_in(engine);
	pthread_barrier_wait(&engine->window->arrived);
	pthread_barrier_wait(&engine->window->go);
	engine->home.callbacks = &callbacks;
	engine->unsettled = 0;
	for (unsigned i = 0; i < engine->client_count; i++) {
		if (engine->clients[i].state != CLIENT_READY)
			continue;
		engine->unsettled++;
		begin_operation(&engine->clients[i], conn_now_ns());
	}
	/* Past the window each client finishes what it has begun: a pooler would have to throw away the server
	 * connection of one that leaves in the middle, and the next measurement would pay for it. */
	engine_settle(engine, engine->window->end_ns + DRAIN_TIMEOUT_NS);
	engine->home.errors += engine->unsettled;
	engine_log_out(engine);
}
