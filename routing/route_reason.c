/* The reasons. */
#include "pgweir/route_reason.h"

#include "pgweir/check.h"

static const struct {
	const char *word, *explanation;
	bool replica;
} reasons[ROUTE_REASONS] = {
	[ROUTE_READ] = { "read", "it only reads, and calls nothing that is not safe on a replica", true },
	[ROUTE_HINT_REPLICA] = { "hint_replica", "its first comment asks for a replica", true },
	[ROUTE_HINT_PRIMARY] = { "hint_primary", "its first comment asks for the primary", false },
	[ROUTE_HINT_UNKNOWN] = { "hint_unknown", "its first comment begins with pgweir: and then says neither primary nor replica", false },
	[ROUTE_WRITES] = { "writes", "it has a statement that may write, or that is none of those that read", false },
	[ROUTE_LOCKS_ROWS] = { "locks_rows", "FOR UPDATE or FOR SHARE locks rows, which only the primary can", false },
	[ROUTE_TRANSACTION] = { "transaction", "it begins or ends a transaction, or has to do with savepoints", false },
	[ROUTE_SESSION] = { "session", "it changes the session: settings, prepared statements, temporary objects", false },
	[ROUTE_ADVISORY_LOCK] = { "advisory_lock", "a replica has advisory locks of its own, which exclude nobody on the primary", false },
	[ROUTE_SEQUENCE] = { "sequence", "sequences, and what a session knows of them, are on the primary", false },
	[ROUTE_NOTIFICATION] = { "notification", "LISTEN, UNLISTEN and NOTIFY work on the primary only", false },
	[ROUTE_CODE] = { "code", "what DO and CALL run cannot be told from the text", false },
	[ROUTE_EXECUTE] = { "execute", "what EXECUTE runs was prepared on the primary", false },
	[ROUTE_CURSOR] = { "cursor", "FETCH and MOVE need the connection that has the cursor", false },
	[ROUTE_SHOW] = { "show", "a replica may have other settings", false },
	[ROUTE_VOLATILE_FUNCTION] = { "volatile_function",
		"it calls, or seems to call, a function that is volatile or that answers differently on a replica", false },
	[ROUTE_UNKNOWN_FUNCTION] = { "unknown_function", "it calls, or seems to call, a function that the catalog did not have", false },
	[ROUTE_UNSAFE_RELATION] = { "unsafe_relation", "it mentions a view, table or type behind which such a function is called, a foreign table"
		" or a sequence", false },
	[ROUTE_UNSAFE_OPERATOR] = { "unsafe_operator", "it seems to use an operator whose function is volatile", false },
	[ROUTE_UNSAFE_EVERYWHERE] = { "unsafe_everywhere",
		"this database has a volatile function that no text shows: in a cast, a comparison, an operator class", false },
	[ROUTE_NAMES_NOT_LOADED] = { "not_loaded", "the functions and views of this database are not known yet", false },
	[ROUTE_UNKNOWN_TEXT] = { "unknown_text", "it cannot be told where its words end: an encoding, a quote that does not end, a name"
		" spelled with U& or longer than 63 bytes", false },
	[ROUTE_TOO_LONG] = { "too_long", "it is longer than what is looked at", false },
	[ROUTE_EMPTY] = { "empty", "there is no statement in it", false },
};

const char *route_reason_word(enum route_reason reason)
{
	CHECK(reason < ROUTE_REASONS);
	return reasons[reason].word;
}

const char *route_reason_explanation(enum route_reason reason)
{
	CHECK(reason < ROUTE_REASONS);
	return reasons[reason].explanation;
}

bool route_reason_allows_replica(enum route_reason reason)
{
	CHECK(reason < ROUTE_REASONS);
	return reasons[reason].replica;
}
