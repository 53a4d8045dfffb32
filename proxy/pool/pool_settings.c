/* What the configuration says for one pool, in the units of the pools. */
#include <string.h>

#include "pool_internal.h"

void pool_settings_resolve(struct pool_settings *settings, const struct config *config,
	const struct config_database *database, const char *user_name)
{
	struct config_limits limits;

	config_limits(config, database, config_find_user(config, user_name), &limits);
	*settings = (struct pool_settings){
		.mode = limits.pool_mode,
		.pool_size = limits.pool_size,
		.min_pool_size = limits.min_pool_size,
		.reserve_pool_size = limits.reserve_pool_size,
		.reserve_pool_timeout_us = config->reserve_pool_timeout_ms * 1000,
		.query_wait_timeout_us = limits.query_wait_timeout_ms * 1000,
		.query_timeout_us = limits.query_timeout_ms * 1000,
		.transaction_timeout_us = limits.transaction_timeout_ms * 1000,
		.idle_transaction_timeout_us = limits.idle_transaction_timeout_ms * 1000,
		.client_idle_timeout_us = limits.client_idle_timeout_ms * 1000,
		.server_lifetime_us = database->server_lifetime_ms * 1000,
		.server_idle_timeout_us = config->server_idle_timeout_ms * 1000,
		.server_login_retry_us = config->server_login_retry_ms * 1000,
		.server_check_delay_us = config->server_check_delay_ms * 1000,
		.max_prepared_statements = config->max_prepared_statements,
		.state_audit = limits.state_audit,
		.routing = limits.routing,
		.read_your_writes = database->read_your_writes,
		.reset_query = config->server_reset_query,
		.check_query = config->server_check_query,
	};
	memcpy(settings->state_policy, limits.state_policy, sizeof(settings->state_policy));
}
