/* The causes. */
#include "pgweir/route_cause.h"

#include "pgweir/check.h"

static const struct {
	const char *word;
	bool replica;
} causes[ROUTE_CAUSES - ROUTE_REASONS] = {
#define CAUSE(cause) [(cause) - ROUTE_REASONS]
	CAUSE(ROUTE_READ_ONLY) = { "read_only", true },
	CAUSE(ROUTE_MODE_REPLICA) = { "mode_replica", true },
	CAUSE(ROUTE_NOT_WRITING) = { "not_writing", true },
	CAUSE(ROUTE_MODE_PRIMARY) = { "mode_primary", false },
	CAUSE(ROUTE_NO_REPLICA) = { "no_replica", false },
	CAUSE(ROUTE_LAG) = { "lag", false },
	CAUSE(ROUTE_OWN_WRITES) = { "own_writes", false },
	CAUSE(ROUTE_SERIALIZABLE) = { "serializable", false },
	CAUSE(ROUTE_PIPELINE) = { "pipeline", false },
	CAUSE(ROUTE_LISTENS) = { "listens", false },
	CAUSE(ROUTE_REMEMBERED) = { "remembered", false },
	CAUSE(ROUTE_RESCUED) = { "rescued", false },
};

const char *route_cause_word(unsigned cause)
{
	CHECK(cause < ROUTE_CAUSES);
	return cause < ROUTE_REASONS ? route_reason_word((enum route_reason)cause) : causes[cause - ROUTE_REASONS].word;
}

bool route_cause_allows_replica(unsigned cause)
{
	CHECK(cause < ROUTE_CAUSES);
	return cause < ROUTE_REASONS ? route_reason_allows_replica((enum route_reason)cause) : causes[cause - ROUTE_REASONS].replica;
}
