/* What the configuration says for one pool, or for one of its users, in the units of the pools. */
#ifndef PGWEIR_POOL_SETTINGS_H
#define PGWEIR_POOL_SETTINGS_H

#include <stdint.h>

#include "pgweir/config.h"

/* What [pgweir], [database] and [user] say together. */
struct pool_settings {
	enum pool_mode mode;
	int pool_size, min_pool_size, reserve_pool_size;
	uint64_t reserve_pool_timeout_us, query_wait_timeout_us, query_timeout_us, transaction_timeout_us;
	uint64_t idle_transaction_timeout_us, client_idle_timeout_us;
	uint64_t server_lifetime_us, server_idle_timeout_us, server_login_retry_us, server_check_delay_us;
	int max_prepared_statements;
	enum state_audit state_audit;
	enum routing_mode routing;
	enum read_your_writes read_your_writes;
	enum state_policy state_policy[STATE_KIND_COUNT];
	const char *reset_query, *check_query;
};

#endif
