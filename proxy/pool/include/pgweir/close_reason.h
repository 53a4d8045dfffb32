/* Why a connection ended: one table for counters, log levels, SQLSTATEs and texts. */
#ifndef PGWEIR_CLOSE_REASON_H
#define PGWEIR_CLOSE_REASON_H

#include "pgweir/log.h"

enum close_reason {
	/* Clients. */
	CLOSE_CLIENT_TERMINATED,
	CLOSE_CLIENT_GONE,
	CLOSE_CLIENT_BROKE_PROTOCOL,
	CLOSE_CLIENT_IDLE_TIMEOUT,
	CLOSE_CLIENT_IDLE_IN_TRANSACTION,
	CLOSE_CLIENT_TRANSACTION_TIMEOUT,
	CLOSE_CLIENT_QUERY_TIMEOUT,
	CLOSE_CLIENT_WAIT_TIMEOUT,
	CLOSE_CLIENT_KILLED,
	CLOSE_CLIENT_SHUTDOWN,
	CLOSE_CLIENT_SERVER_LOST,
	CLOSE_CLIENT_SERVER_FATAL,
	CLOSE_CLIENT_SERVER_REFUSED,
	CLOSE_CLIENT_STATEMENT_MODE,
	CLOSE_CLIENT_BAD_SETTING,
	CLOSE_CLIENT_REPLICATION_ENDED,
	CLOSE_CLIENT_DATABASE_DISABLED,
	CLOSE_CLIENT_NOTIFICATIONS_UNREAD,
	/* Servers. */
	CLOSE_SERVER_GONE,
	CLOSE_SERVER_BROKE_PROTOCOL,
	CLOSE_SERVER_LIFETIME,
	CLOSE_SERVER_IDLE_TIMEOUT,
	CLOSE_SERVER_RECONNECT,
	CLOSE_SERVER_SHUTDOWN,
	CLOSE_SERVER_CLEANING_FAILED,
	CLOSE_SERVER_CLIENT_CUT_MESSAGE,
	CLOSE_SERVER_EVICTED,
	CLOSE_SERVER_NOT_PRIMARY,
	CLOSE_SERVER_REPLICATION_ENDED,
	CLOSE_SERVER_SETUP_FAILED,
	CLOSE_SERVER_VACATED,           /* Its database is to be dropped, renamed, moved or copied. */
	CLOSE_SERVER_STATE_REMAINS,     /* That nothing can take away: a library was loaded, the random seed set. */
	CLOSE_SERVER_KILLED,
	CLOSE_REASON_COUNT,
};

struct close_reason_row {
	const char *name;               /* In logs, metrics and SHOW. */
	enum log_level level;
	const char *sqlstate;           /* What the client is told; NULL: nothing. */
	const char *text;
};

const struct close_reason_row *close_reason_row(enum close_reason reason);

#endif
