/* [user] wins over [database], that over [pgweir]. */
#include "pool_internal.h"

static int first_set(int user, int database, int global)
{
	if (user != CONFIG_INHERIT)
		return user;
	return database != CONFIG_INHERIT ? database : global;
}

static uint64_t first_set_us(int user_ms, int database_ms, uint64_t global_ms)
{
	if (user_ms != CONFIG_INHERIT)
		return (uint64_t)user_ms * 1000;
	return database_ms != CONFIG_INHERIT ? (uint64_t)database_ms * 1000 : global_ms * 1000;
}

void pool_settings_resolve(struct pool_settings *settings, const struct config *config,
	const struct config_database *database, const char *user_name)
{
	static const struct config_user nobody = {
		.pool_mode = CONFIG_INHERIT, .pool_size = CONFIG_INHERIT, .query_timeout_ms = CONFIG_INHERIT,
		.transaction_timeout_ms = CONFIG_INHERIT, .idle_transaction_timeout_ms = CONFIG_INHERIT,
		.client_idle_timeout_ms = CONFIG_INHERIT,
	};
	const struct config_user *user = config_find_user(config, user_name);

	if (!user)
		user = &nobody;
	*settings = (struct pool_settings){
		.mode = (enum pool_mode)first_set(user->pool_mode, database->pool_mode, (int)config->pool_mode),
		.pool_size = first_set(user->pool_size, database->pool_size, config->default_pool_size),
		.min_pool_size = first_set(CONFIG_INHERIT, database->min_pool_size, config->min_pool_size),
		.reserve_pool_size = first_set(CONFIG_INHERIT, database->reserve_pool_size, config->reserve_pool_size),
		.reserve_pool_timeout_us = config->reserve_pool_timeout_ms * 1000,
		.query_wait_timeout_us = first_set_us(CONFIG_INHERIT, database->query_wait_timeout_ms,
			config->query_wait_timeout_ms),
		.query_timeout_us = first_set_us(user->query_timeout_ms, database->query_timeout_ms, config->query_timeout_ms),
		.transaction_timeout_us = first_set_us(user->transaction_timeout_ms, database->transaction_timeout_ms,
			config->transaction_timeout_ms),
		.idle_transaction_timeout_us = first_set_us(user->idle_transaction_timeout_ms,
			database->idle_transaction_timeout_ms, config->idle_transaction_timeout_ms),
		.client_idle_timeout_us = first_set_us(user->client_idle_timeout_ms, CONFIG_INHERIT,
			config->client_idle_timeout_ms),
		.server_lifetime_us = database->server_lifetime_ms * 1000,
		.server_idle_timeout_us = config->server_idle_timeout_ms * 1000,
		.server_login_retry_us = config->server_login_retry_ms * 1000,
		.server_check_delay_us = config->server_check_delay_ms * 1000,
		.max_prepared_statements = config->max_prepared_statements,
		.reset_query = config->server_reset_query,
		.check_query = config->server_check_query,
	};
}
