/* SHOW DATABASES, PEERS: from the configuration in force, and what the pools share. */
#include <stdatomic.h>

#include "pgweir/control.h"
#include "show.h"

static const struct column database_columns[] = {
	{ "name", COLUMN_TEXT },
	{ "host", COLUMN_TEXT },
	{ "port", COLUMN_INT8 },
	{ "database", COLUMN_TEXT },
	{ "force_user", COLUMN_TEXT },
	{ "pool_size", COLUMN_INT8 },
	{ "min_pool_size", COLUMN_INT8 },
	{ "reserve_pool", COLUMN_INT8 },
	{ "pool_mode", COLUMN_TEXT },
	{ "max_connections", COLUMN_INT8 },
	{ "current_connections", COLUMN_INT8 },
	{ "paused", COLUMN_INT8 },
	{ "disabled", COLUMN_INT8 },
	{ "cluster", COLUMN_TEXT },
	{ "routing", COLUMN_TEXT },
	{ "max_client_connections", COLUMN_INT8 },
};
const struct table databases_table = TABLE(database_columns);

static const char *const routing_modes[] = {
	[ROUTING_PRIMARY] = "primary",
	[ROUTING_REPLICA] = "replica",
	[ROUTING_PREFER_REPLICA] = "prefer-replica",
	[ROUTING_AUTO] = "auto",
};

static int either(int own, int general)
{
	return own == CONFIG_INHERIT ? general : own;
}

static void put_hosts(struct result *result, const struct config_cluster *cluster)
{
	struct buf hosts = { 0 };

	for (size_t i = 0; i < cluster->host_count; i++)
		buf_printf(&hosts, "%s%s", i ? "," : "", cluster->hosts[i].host);
	result_printf(result, "%.*s", (int)hosts.size, hosts.size ? hosts.bytes : "");
	result_int(result, cluster->host_count ? cluster->hosts[0].port : 0);
	buf_fini(&hosts);
}

/* `name` differs from the section's where the section is "*". */
static void put_database(struct result *result, const struct config_database *database, const char *name)
{
	const struct config *config = control_config();
	struct pool_database *shared = pool_database_find(name);

	result_begin(result);
	result_text(result, name);
	put_hosts(result, database->cluster);
	result_text(result, database->dbname ? database->dbname : name);
	result_text(result, database->user);
	result_int(result, either(database->pool_size, config->default_pool_size));
	result_int(result, either(database->min_pool_size, config->min_pool_size));
	result_int(result, either(database->reserve_pool_size, config->reserve_pool_size));
	result_text(result, show_pool_mode((enum pool_mode)either(database->pool_mode, (int)config->pool_mode)));
	result_int(result, either(database->max_db_connections, config->max_db_connections));
	result_int(result, shared ? quota_used(&shared->quota) : 0);
	result_int(result, shared && atomic_load(&shared->paused));
	result_int(result, shared && atomic_load(&shared->disabled));
	result_text(result, database->cluster->implicit ? NULL : database->cluster->name);
	result_text(result, routing_modes[database->routing]);
	result_int(result, either(database->max_db_client_connections, config->max_db_client_connections));
	result_end(result);
}

static void put_console(struct result *result)
{
	result_begin(result);
	result_text(result, "pgweir");
	result_null(result);
	result_int(result, control_config()->listen_port);
	result_text(result, "pgweir");
	result_text(result, "pgweir");
	result_int(result, 0);
	result_int(result, 0);
	result_int(result, 0);
	result_text(result, "statement");
	for (int i = 0; i < 4; i++)
		result_int(result, 0);
	result_null(result);
	result_null(result);
	result_int(result, 0);
	result_end(result);
}

/* Names that only "*" stands for, once somebody has asked for them. */
static void put_unnamed(struct pool_database *shared, void *arg)
{
	struct map *names = arg;

	map_put_text(names, shared->name, shared->name);
}

static bool put_if_fallback(const void *key, size_t size, void *value, void *arg)
{
	const struct config_database *database = config_find_database(control_config(), value);

	(void)key, (void)size;
	if (database && database->name[0] == '*' && ((const char *)value)[0] != '*')
		put_database(arg, database, value);
	return true;
}

void show_databases(struct job *job)
{
	const struct config *config = control_config();
	struct map names = { 0 };

	for (size_t i = 0; i < config->database_count; i++)
		put_database(&job->result, &config->databases[i], config->databases[i].name);
	/* Collected first: the visit runs under a lock that finding one needs as well. */
	pool_database_foreach(put_unnamed, &names);
	map_foreach(&names, put_if_fallback, &job->result);
	map_fini(&names);
	put_console(&job->result);
	show_done(job);
}

/* --- SHOW PEERS --- */

static const struct column peer_columns[] = {
	{ "peer_id", COLUMN_INT8 },
	{ "host", COLUMN_TEXT },
	{ "port", COLUMN_INT8 },
	{ "pool_size", COLUMN_INT8 },
};
const struct table peers_table = TABLE(peer_columns);

void show_peers(struct job *job)
{
	const struct config *config = control_config();

	for (size_t i = 0; i < config->peer_count; i++) {
		result_begin(&job->result);
		result_int(&job->result, config->peers[i].id);
		result_text(&job->result, config->peers[i].host);
		result_int(&job->result, config->peers[i].port);
		result_int(&job->result, 0);
		result_end(&job->result);
	}
	show_done(job);
}
