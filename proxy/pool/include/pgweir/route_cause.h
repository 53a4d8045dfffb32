/* Why a session's work went where it went: the reasons that a text gives (route_reason.h), and those beyond the text. */
#ifndef PGWEIR_ROUTE_CAUSE_H
#define PGWEIR_ROUTE_CAUSE_H

#include <stdbool.h>

#include "pgweir/route_reason.h"

/* Goes on where enum route_reason ends. */
enum route_cause {
	/* To a replica. */
	ROUTE_READ_ONLY = ROUTE_REASONS,        /* A READ ONLY transaction. */
	ROUTE_MODE_REPLICA,             /* routing = replica, or the client has said so. */
	ROUTE_NOT_WRITING,              /* prefer-replica: it may be a read. */
	/* To the primary. */
	ROUTE_MODE_PRIMARY,             /* The client has said so. */
	ROUTE_NO_REPLICA,
	ROUTE_LAG,                      /* All replicas are too far behind. */
	ROUTE_OWN_WRITES,               /* Recent writes may not be there yet. */
	ROUTE_SERIALIZABLE,
	ROUTE_PIPELINE,                 /* A batch that is no whole one, or has other messages in it. */
	ROUTE_LISTENS,
	ROUTE_REMEMBERED,               /* A replica has refused its like. */
	ROUTE_RESCUED,                  /* A replica has just failed to answer. */
	ROUTE_CAUSES,
};

/* One word, as SHOW ROUTES has it; also of an enum route_reason. */
const char *route_cause_word(unsigned cause);
bool route_cause_allows_replica(unsigned cause);

#endif
