/* Prepared statements of the extended protocol, in transaction mode: Bind, Describe and Close.
 *
 * A client's name stands for an interned statement, which is prepared under the statement's own name on whichever server
 * connection the client has when it needs it. The unnamed statement keeps what its Parse said, and is prepared again
 * where somebody else's has taken its place.
 *
 * Failure story: whatever the client is told about a statement comes from the server, but for what cannot fail: the
 * Parse of a statement that is there already, and Close. When an error makes the server skip messages,
 * prepared_undone() takes back what they would have changed.
 *
 * Parse is in prepared_parse.c, what servers are told ahead in prepared_server.c, the names in prepared_names.c. */
#include <string.h>

#include "listen.h"
#include "pgweir/wire.h"
#include "prepared_internal.h"

/* A name the client has not prepared. Ours are not for it to guess. */
static const char *unknown_name(const char *text)
{
	return strncmp(text, "pgweir_", 7) == 0 ? "pgweir_" : text;
}

static const char *server_name_for(struct session *session, struct statement_name *name, const char *text)
{
	if (!name)
		return unknown_name(text);
	if (session->listen && prepared_effects_of(session, name->statement) & PREPARED_EFFECTS_LISTEN)
		listen_restore(session);
	prepared_materialise(session, name);
	return name->statement->server_name;
}

static bool may_run(struct session *session, const struct statement_name *name, const char *text, const char *values, const char *end)
{
	bool unnamed = *text == '\0';
	const struct buf *kept = session->unnamed;
	struct sql_run run = { .type = 'B', .values = values, .values_end = end };

	if (unnamed && session->listen && kept && listen_text_mentions(kept->bytes, kept->size))
		listen_restore(session);
	if (unnamed) {
		run.effects = session->unnamed_effects;
		run.text = kept ? kept->bytes : "";
		run.size = kept ? kept->size : 0;
	} else if (name) {
		run.statement = name->statement;
		run.effects = prepared_effects_of(session, name->statement);
		run.text = name->statement->parse;
		run.size = name->statement->parse_size;
	}
	if (!session_may_run(session, &run))
		return false;
	return unnamed || name || !prepared_sql_may_have_made(session, text) || session_may_execute(session, &run, text);
}

bool prepared_bind(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *end = message + size;
	const char *portal = message + WIRE_HEADER_SIZE;
	const char *portal_end = memchr(portal, '\0', (size_t)(end - portal));
	const char *text = portal_end ? portal_end + 1 : end;
	const char *text_end = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	if (!text_end)
		return false;
	session->share->stats.binds++;
	bool tracked = prepared_tracks_name(session, text);
	struct statement_name *known = tracked && *text ? map_get_text(&session->names, text) : NULL;

	if (tracked && !may_run(session, known, text, text_end + 1, end)) {
		*skip = PREPARED_REFUSED;
		return true;
	}
	if (tracked && *text) {
		const char *name = server_name_for(session, known, text);
		size_t name_size = strlen(name) + 1;

		prepared_put_header(session, 'B', wire_message_size(message) - (size_t)(text_end + 1 - text) + name_size);
		outbox_put(prepared_outbox(session), portal, (size_t)(text - portal));
		outbox_put(prepared_outbox(session), name, name_size);
		*skip = (size_t)(text_end + 1 - message);
	} else if (tracked) {
		prepared_run_unnamed(session);
	} else {
		session->sent_effects |= SCAN_UNKNOWN;
		session->may_commit = session->may_write = true;
	}
	session->batch_named |= known != NULL;
	backend_request(session->backend, REQUEST_BIND, 0, known);
	return true;
}

/* The statement's name behind a portal that was bound in the same breath. */
static struct statement_name *bound_last(const struct requests *requests)
{
	for (uint32_t i = requests_count(requests); i > 0; i--)
		if (requests_at(requests, i - 1)->kind == REQUEST_BIND)
			return requests_at(requests, i - 1)->name;
	return NULL;
}

bool prepared_describe(struct session *session, const char *message, size_t size, size_t *skip)
{
	const char *text = message + WIRE_HEADER_SIZE + 1;

	if (size < WIRE_HEADER_SIZE + 2 || message[size - 1] != '\0')
		return false;
	bool tracked = message[WIRE_HEADER_SIZE] == 'S' && prepared_tracks_name(session, text);
	struct statement_name *known = tracked && *text ? map_get_text(&session->names, text) : NULL;

	if (tracked) {
		if (*text) {
			const char *name = server_name_for(session, known, text);

			prepared_put_header(session, 'D', WIRE_HEADER_SIZE + 1 + strlen(name) + 1);
			outbox_put(prepared_outbox(session), "S", 1);
			outbox_put(prepared_outbox(session), name, strlen(name) + 1);
			*skip = size;
		} else {
			prepared_materialise_unnamed(session);
		}
	}
	struct statement_name *described = known ? known : bound_last(&session->backend->requests);

	if (described)
		described->described = true;
	if (known)
		known->described_alone = true;
	session->batch_named |= known != NULL;
	backend_request(session->backend, REQUEST_DESCRIBE, 0, known);
	return true;
}

static void answer_close(struct session *session)
{
	static const char complete[] = { '3', 0, 0, 0, 4 };

	outbox_put(session_relay(session)->to_client, complete, sizeof(complete));
}

/* One that SQL has made: the next server connection is told. */
static void forget_sql_statement(struct session *session, const char *text)
{
	struct state_builder builder = { 0 };

	if (!state_statement(session->settings, text))
		return;
	state_builder_copy(&builder, session->settings);
	state_builder_deallocate(&builder, text);
	state_unref(&session->settings);
	session->settings = state_builder_finish(&builder);
	session->waiter.settings = session->settings;
}

/* Without a server connection there is nothing to close but the name. */
static void close_alone(struct session *session, char kind, const char *text)
{
	if (kind == 'S' && !*text)
		session->unnamed_token = 0;
	if (kind == 'S' && *text) {
		struct statement_name *name = map_take_text(&session->names, text);

		statement_name_unref(&name);
		forget_sql_statement(session, text);
	}
	answer_close(session);
}

bool prepared_close(struct session *session, const char *message, size_t size, size_t *skip)
{
	char kind = message[WIRE_HEADER_SIZE];
	const char *text = message + WIRE_HEADER_SIZE + 1;

	if (!session->backend) {
		close_alone(session, kind, text);
		*skip = size;
		return true;
	}
	bool ours = kind == 'S' && *text && prepared_tracks(session);

	if (ours && (map_get_text(&session->names, text) || !prepared_sql_may_have_made(session, text))) {
		struct statement_name *name = map_take_text(&session->names, text);

		backend_request(session->backend, REQUEST_LOCAL_CLOSE, 0, name);
		statement_name_unref(&name);
		*skip = size;
		return true;
	}
	bool unnamed = kind == 'S' && !*text;
	enum unnamed_before unnames = unnamed ? prepared_unnames(session) : UNNAMED_NONE;

	if (ours)
		leftovers_doubt(session, LEFTOVER_STATEMENTS);
	if (unnamed)
		session->unnamed_token = session->backend->unnamed_token = 0;
	backend_request(session->backend, REQUEST_CLOSE, unnamed ? REQUEST_UNNAMED : 0, NULL);
	requests_last(&session->backend->requests)->unnames = (uint8_t)unnames;
	return true;
}

enum unnamed_before prepared_query(struct session *session)
{
	enum unnamed_before unnames = prepared_unnames(session);

	session->pins &= ~PIN_BIT(PIN_LARGE_STATEMENT);
	session->unnamed_token = 0;
	session->backend->unnamed_token = 0;
	return unnames;
}
