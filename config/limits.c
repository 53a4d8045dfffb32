/* [user] over [database] over [pgweir], and what it all adds up to. */
#include "pgweir/config.h"

static int pick(int user, int database, int process)
{
	if (user != CONFIG_INHERIT)
		return user;
	return database != CONFIG_INHERIT ? database : process;
}

static uint64_t pick_ms(int user_ms, int database_ms, uint64_t process_ms)
{
	int nearest_ms = pick(user_ms, database_ms, CONFIG_INHERIT);

	return nearest_ms == CONFIG_INHERIT ? process_ms : (uint64_t)nearest_ms;
}

void config_limits(const struct config *config, const struct config_database *database, const struct config_user *user,
	struct config_limits *limits)
{
	static const struct config_user no_user = {
		.pool_mode = CONFIG_INHERIT,
		.routing = CONFIG_INHERIT,
		.pool_size = CONFIG_INHERIT,
		.max_user_connections = CONFIG_INHERIT,
		.max_user_client_connections = CONFIG_INHERIT,
		.query_timeout_ms = CONFIG_INHERIT,
		.transaction_timeout_ms = CONFIG_INHERIT,
		.idle_transaction_timeout_ms = CONFIG_INHERIT,
		.client_idle_timeout_ms = CONFIG_INHERIT,
	};
	const int none = CONFIG_INHERIT;

	bool known = user != NULL;

	user = known ? user : &no_user;
	*limits = (struct config_limits){
		.pool_mode = (enum pool_mode)pick(user->pool_mode, database->pool_mode, (int)config->pool_mode),
		.routing = (enum routing_mode)pick(user->routing, (int)database->routing, CONFIG_INHERIT),
		.state_audit = (enum state_audit)pick(none, database->state_audit, (int)config->state_audit),
		.pool_size = pick(user->pool_size, database->pool_size, config->default_pool_size),
		.min_pool_size = pick(none, database->min_pool_size, config->min_pool_size),
		.reserve_pool_size = pick(none, database->reserve_pool_size, config->reserve_pool_size),
		.max_db_connections = pick(none, database->max_db_connections, config->max_db_connections),
		.max_user_connections = pick(user->max_user_connections, none, config->max_user_connections),
		.max_db_client_connections = pick(none, database->max_db_client_connections, config->max_db_client_connections),
		.max_user_client_connections = pick(user->max_user_client_connections, none, config->max_user_client_connections),
		.query_wait_timeout_ms = pick_ms(none, database->query_wait_timeout_ms, config->query_wait_timeout_ms),
		.query_timeout_ms = pick_ms(user->query_timeout_ms, database->query_timeout_ms, config->query_timeout_ms),
		.transaction_timeout_ms = pick_ms(user->transaction_timeout_ms, database->transaction_timeout_ms,
			config->transaction_timeout_ms),
		.idle_transaction_timeout_ms = pick_ms(user->idle_transaction_timeout_ms, database->idle_transaction_timeout_ms,
			config->idle_transaction_timeout_ms),
		.client_idle_timeout_ms = pick_ms(user->client_idle_timeout_ms, none, config->client_idle_timeout_ms),
	};
	for (size_t i = 0; i < STATE_KIND_COUNT; i++)
		limits->state_policy[i] = (enum state_policy)pick(known ? user->state_policy[i] : none, database->state_policy[i],
			config->state_policy[i]);
}

static uint64_t connections_of(const struct config *config, const struct config_database *database)
{
	struct config_limits limits;

	config_limits(config, database, NULL, &limits);
	uint64_t hosts = limits.routing == ROUTING_PRIMARY ? 1 : database->cluster->host_count;
	uint64_t wanted = (uint64_t)(limits.pool_size + limits.reserve_pool_size) * hosts;
	uint64_t most = limits.max_db_connections > 0 ? (uint64_t)limits.max_db_connections : wanted;

	return wanted < most ? wanted : most;
}

uint64_t config_server_connections(const struct config *config)
{
	uint64_t sum = (uint64_t)config->default_pool_size;

	for (size_t i = 0; i < config->database_count; i++)
		sum += connections_of(config, &config->databases[i]);
	return sum;
}
