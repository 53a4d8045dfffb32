/* Many sessions that do nothing, until a line `query` on standard input lets each run one. */
#include <stdio.h>
#include <string.h>

#include "load_engine.h"

#define QUERY_TIMEOUT_NS 60000000000u

static void idle_ready(struct client *client)
{
	struct engine *engine = engine_of(client);

	engine->ops++;
	engine->unsettled--;
}

static void idle_closed(struct client *client, bool left)
{
	struct engine *engine = engine_of(client);

	(void)left;
	/* One that was lost while nobody waited for it is counted as an error all the same. */
	if (engine->unsettled > 0)
		engine->unsettled--;
}

static void query_everyone(struct engine *engine)
{
	static const struct client_callbacks callbacks = { idle_ready, idle_closed };
	const struct script *script = &engine->home.options->script;

	engine->home.callbacks = &callbacks;
	/* What happened since: a session that the other side closed is found here, and stays closed. */
	engine_turn(engine, 0);
	engine->ops = 0;
	engine->unsettled = 0;
	for (unsigned i = 0; i < engine->client_count; i++) {
		if (engine->clients[i].state != CLIENT_READY)
			continue;
		engine->unsettled++;
		client_send(&engine->clients[i], &script->steps[0], 1);
	}
	engine_settle(engine, conn_now_ns() + QUERY_TIMEOUT_NS);
	engine->home.errors += engine->unsettled;
	printf("{\"queried\": %llu, \"errors\": %llu}\n", (unsigned long long)engine->ops,
	       (unsigned long long)engine->home.errors);
	fflush(stdout);
}

void engine_run_idle(struct engine *engine)
{
	char line[64];

	engine_log_in(engine);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		if (strcmp(line, "query\n") == 0)
			query_everyone(engine);
	engine_log_out(engine);
}
