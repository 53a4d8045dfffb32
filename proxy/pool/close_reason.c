#include "pgweir/close_reason.h"

#include <stddef.h>

#include "pgweir/check.h"

static const struct close_reason_row rows[CLOSE_REASON_COUNT] = {
	[CLOSE_CLIENT_TERMINATED] = { "client_terminated", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_CLIENT_GONE] = { "client_gone", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_CLIENT_BROKE_PROTOCOL] = { "client_broke_protocol", LOG_LEVEL_WARNING, "08P01", "protocol violation" },
	[CLOSE_CLIENT_IDLE_TIMEOUT] = { "client_idle_timeout", LOG_LEVEL_INFO, "57P05",
		"terminating connection due to client_idle_timeout" },
	[CLOSE_CLIENT_IDLE_IN_TRANSACTION] = { "idle_transaction_timeout", LOG_LEVEL_WARNING, "25P03",
		"terminating connection due to idle_transaction_timeout" },
	[CLOSE_CLIENT_TRANSACTION_TIMEOUT] = { "transaction_timeout", LOG_LEVEL_WARNING, "25P04",
		"terminating connection due to transaction_timeout" },
	[CLOSE_CLIENT_QUERY_TIMEOUT] = { "query_timeout", LOG_LEVEL_WARNING, "57014",
		"terminating connection due to query_timeout" },
	[CLOSE_CLIENT_WAIT_TIMEOUT] = { "query_wait_timeout", LOG_LEVEL_WARNING, "53300",
		"no server connection became free within query_wait_timeout" },
	[CLOSE_CLIENT_KILLED] = { "client_killed", LOG_LEVEL_INFO, "57P01", "terminating connection due to administrator command" },
	[CLOSE_CLIENT_REVOKED] = { "client_revoked", LOG_LEVEL_INFO, "57P01",
		"terminating connection because the password it has logged in with is revoked" },
	[CLOSE_CLIENT_SHUTDOWN] = { "client_shutdown", LOG_LEVEL_INFO, "57P01",
		"terminating connection due to administrator command" },
	[CLOSE_CLIENT_SERVER_LOST] = { "server_lost", LOG_LEVEL_WARNING, "08006",
		"the server closed the connection unexpectedly" },
	[CLOSE_CLIENT_SERVER_FATAL] = { "server_fatal", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_CLIENT_SERVER_REFUSED] = { "server_refused", LOG_LEVEL_WARNING, "08001", "cannot connect to the server" },
	[CLOSE_CLIENT_STATEMENT_MODE] = { "statement_mode", LOG_LEVEL_INFO, "0A000",
		"transaction blocks are not possible with pool_mode = statement" },
	[CLOSE_CLIENT_BAD_SETTING] = { "bad_setting", LOG_LEVEL_INFO, "22023", "invalid startup parameter" },
	[CLOSE_CLIENT_REPLICATION_ENDED] = { "client_replication_ended", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_CLIENT_DATABASE_DISABLED] = { "database_disabled", LOG_LEVEL_INFO, "08004", "the database is disabled" },
	[CLOSE_CLIENT_NOTIFICATIONS_UNREAD] = { "notifications_unread", LOG_LEVEL_WARNING, "53400",
		"too many notifications wait for a client that does not take them" },
	[CLOSE_CLIENT_NOT_PRIMARY] = { "not_primary_any_more", LOG_LEVEL_INFO, "57P01",
		"terminating connection because its server is not the primary any more" },
	[CLOSE_SERVER_GONE] = { "server_gone", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_SERVER_BROKE_PROTOCOL] = { "server_broke_protocol", LOG_LEVEL_ERROR, "08P01",
		"the server sent a message that does not belong here" },
	[CLOSE_SERVER_LIFETIME] = { "server_lifetime", LOG_LEVEL_DEBUG, NULL, NULL },
	[CLOSE_SERVER_IDLE_TIMEOUT] = { "server_idle_timeout", LOG_LEVEL_DEBUG, NULL, NULL },
	[CLOSE_SERVER_RECONNECT] = { "reconnect", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_SERVER_SHUTDOWN] = { "shutdown", LOG_LEVEL_DEBUG, NULL, NULL },
	[CLOSE_SERVER_CLEANING_FAILED] = { "cleaning_failed", LOG_LEVEL_WARNING, NULL, NULL },
	[CLOSE_SERVER_CLIENT_CUT_MESSAGE] = { "client_cut_message", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_SERVER_EVICTED] = { "evicted", LOG_LEVEL_DEBUG, NULL, NULL },
	[CLOSE_SERVER_NOT_PRIMARY] = { "not_primary", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_SERVER_REPLICATION_ENDED] = { "replication_ended", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_SERVER_SETUP_FAILED] = { "setup_failed", LOG_LEVEL_WARNING, NULL, NULL },
	[CLOSE_SERVER_VACATED] = { "vacated", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_SERVER_STATE_REMAINS] = { "state_remains", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_SERVER_KILLED] = { "killed", LOG_LEVEL_INFO, NULL, NULL },
	[CLOSE_SERVER_REVOKED] = { "revoked", LOG_LEVEL_INFO, NULL, NULL },
};

const struct close_reason_row *close_reason_row(enum close_reason reason)
{
	CHECK((size_t)reason < ARRAY_LEN(rows));
	return &rows[reason];
}
