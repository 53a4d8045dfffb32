/* Ready means: configured, listening, not draining. What databases are like says nothing about that, unless somebody asks
 * for one: all instances of a fleet would be taken out of service together. */
#include "health.h"

#include <stdatomic.h>
#include <string.h>

#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "pgweir/pool_table.h"
#include "pgweir/routing.h"

void health_alive(struct http_connection *connection)
{
	http_reply_text(connection, 200, "alive");
}

struct look {
	const char *cluster;
	bool watched;
	enum cluster_standing standing;
};

static void look_at(const struct routing_cluster_facts *facts, void *arg)
{
	struct look *look = arg;

	if (strcmp(facts->name, look->cluster) != 0)
		return;
	look->watched = true;
	look->standing = facts->standing;
}

/* NULL: nothing speaks against it. What nobody watches is taken to be well. */
static const char *trouble_of(const char *name, const struct config_database *section)
{
	const struct pool_database *database = pool_database_find(name);
	struct look look = { .cluster = section->cluster->name };

	if (database && atomic_load(&database->disabled))
		return "the database is disabled";
	if (pool_all_paused() || (database && atomic_load(&database->paused)))
		return "the database is paused";
	routing_describe(look_at, &look);
	if (look.watched && look.standing != CLUSTER_SERVED && look.standing != CLUSTER_UNOBSERVED)
		return "the cluster has no primary";
	return NULL;
}

static void answer_for(struct http_connection *connection, const char *name)
{
	const struct config_database *section = config_find_database(control_config(), name);
	const char *trouble = section ? trouble_of(name, section) : NULL;

	if (!section)
		http_reply_text(connection, 404, "there is no such database");
	else
		http_reply_text(connection, trouble ? 503 : 200, trouble ? trouble : "ready");
}

void health_ready(struct http_connection *connection)
{
	char *name = http_request_argument(&connection->request, "db");

	if (control_is_shutting_down())
		http_reply_text(connection, 503, "draining");
	else if (name)
		answer_for(connection, name);
	else
		http_reply_text(connection, 200, "ready");
	mem_free(name);
}
