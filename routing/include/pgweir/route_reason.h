/* Why a text runs where it runs: one table of words for SHOW ROUTES and of explanations for people. */
#ifndef PGWEIR_ROUTE_REASON_H
#define PGWEIR_ROUTE_REASON_H

#include <stdbool.h>

enum route_reason {
	/* A replica may run it. */
	ROUTE_READ,
	ROUTE_HINT_REPLICA,
	/* It is for the primary. */
	ROUTE_HINT_PRIMARY,
	ROUTE_HINT_UNKNOWN,
	ROUTE_WRITES,
	ROUTE_LOCKS_ROWS,
	ROUTE_TRANSACTION,
	ROUTE_SESSION,
	ROUTE_ADVISORY_LOCK,
	ROUTE_SEQUENCE,
	ROUTE_NOTIFICATION,
	ROUTE_CODE,
	ROUTE_EXECUTE,
	ROUTE_CURSOR,
	ROUTE_SHOW,
	ROUTE_VOLATILE_FUNCTION,
	ROUTE_UNKNOWN_FUNCTION,
	ROUTE_UNSAFE_RELATION,
	ROUTE_UNSAFE_OPERATOR,
	ROUTE_UNSAFE_EVERYWHERE,
	ROUTE_NAMES_NOT_LOADED,
	ROUTE_UNKNOWN_TEXT,
	ROUTE_TOO_LONG,
	ROUTE_EMPTY,
	ROUTE_REASONS,
};

/* One word, as SHOW ROUTES and EXPLAIN ROUTE have it. */
const char *route_reason_word(enum route_reason reason);
/* A sentence without its full stop. */
const char *route_reason_explanation(enum route_reason reason);
bool route_reason_allows_replica(enum route_reason reason);

#endif
