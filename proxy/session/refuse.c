/* Errors of our own in the place of a client's message.
 *
 * The server makes them: it is sent text that it cannot parse, and what it says about that is replaced. So the client's
 * transaction fails on the server as by any other error, what follows is skipped as after any other, and a later COMMIT
 * cannot commit. */
#include <string.h>

#include "pgweir/wire.h"
#include "session_internal.h"

#define ROW(state, text, advice) { .severity = "ERROR", .sqlstate = (state), .message = (text), .hint = (advice) }

static const struct wire_error rows[] = {
	[REFUSAL_TEMPORARY_TABLE] = ROW("0A000", "temporary tables that outlive their transaction are not allowed here",
		"temporary_tables = reject is set for this database or user."),
	[REFUSAL_ADVISORY_LOCK] = ROW("0A000", "advisory locks of the session are not allowed here",
		"advisory_locks = reject is set for this database or user. Locks of the transaction (pg_advisory_xact_lock) are."),
	[REFUSAL_HOLD_CURSOR] = ROW("0A000", "cursors WITH HOLD are not allowed here",
		"hold_cursors = reject is set for this database or user."),
	[REFUSAL_LOAD] = ROW("0A000", "LOAD is not allowed here", "loaded_libraries = reject is set for this database or user."),
	[REFUSAL_SEED] = ROW("0A000", "setting the random seed is not allowed here",
		"random_seed = reject is set for this database or user."),
	[REFUSAL_CUSTOM_SETTING] = ROW("0A000", "custom settings are not allowed here",
		"custom_settings = reject is set for this database or user."),
	[REFUSAL_SEQUENCE] = ROW("55000", "currval and lastval are not defined here: another client has used the connection since",
		"Ask in the transaction that called nextval, or use INSERT … RETURNING."),
	[REFUSAL_ON_REPLICA] = ROW("0A000", "advisory locks and what outlives the transaction are not available on a replica",
		"This READ ONLY transaction runs on one. SET pgweir.route = primary before it begins."),
	[REFUSAL_OWN_NAME] = ROW("42704", "unrecognized configuration parameter of pgweir's",
		"pgweir.route and pgweir.min_position can be set, those and pgweir.position be shown."),
	[REFUSAL_OWN_ROUTE] = ROW("22023", "invalid value for parameter \"pgweir.route\"",
		"Available values: primary, replica, prefer-replica, auto."),
	[REFUSAL_OWN_POSITION] = ROW("22023", "invalid value for parameter \"pgweir.min_position\"",
		"It takes what SHOW pgweir.position has told, or ''."),
	[REFUSAL_OWN_ALONE] = ROW("0A000", "pgweir's own settings are set and shown by themselves, and not LOCAL",
		"Send the statement alone, not together with others."),
	[REFUSAL_ABORTED] = ROW("25P02", "current transaction is aborted, commands ignored until end of transaction block", NULL),
	[REFUSAL_LOST] = ROW("40001", "the server was lost before the transaction was committed",
		"Nothing of the transaction has been done. Roll back and run it again."),
	[REFUSAL_IN_DOUBT] = ROW("08007", "the server was lost, and it is not known whether the transaction was committed",
		"Look whether it was before running it again."),
};

void session_refuse(struct session *session, char type, enum refusal refusal)
{
	static const char text[] = "pgweir refuses a statement";
	struct backend *backend = session->backend;
	struct buf message = { 0 };
	bool simple = type == 'Q';

	if (simple) {
		wire_put_query(&message, text);
	} else {
		size_t begun = wire_begin(&message, 'P');

		buf_append_char(&message, '\0');
		buf_append(&message, text, sizeof(text));
		buf_append(&message, "\0", 2);
		wire_end(&message, begun);
		backend->unnamed_token = 0;
	}
	backend_request(backend, simple ? REQUEST_QUERY : REQUEST_PARSE, REQUEST_REFUSED, NULL);
	requests_at(&backend->requests, requests_count(&backend->requests) - 1)->refusal = (uint8_t)refusal;
	outbox_put(&session_relay(session)->to_server, message.bytes, message.size);
	buf_fini(&message);
}

void session_append_refusal(enum refusal refusal, struct buf *out)
{
	wire_put_error(out, &rows[refusal]);
}

void session_append_fatal_refusal(enum refusal refusal, struct buf *out)
{
	struct wire_error error = rows[refusal];

	error.severity = "FATAL";
	wire_put_error(out, &error);
}

void session_put_refusal(struct session *session, enum refusal refusal)
{
	struct buf message = { 0 };

	session_append_refusal(refusal, &message);
	outbox_put(session_relay(session)->to_client, message.bytes, message.size);
	buf_fini(&message);
}
