/* When a message of the client's can be dealt with: most at once, some when there is a server, or when what is ahead of them has been
 * answered. Whoever waits is SESSION_SETTING_UP, or has no server yet. */
#include <string.h>

#include "client_message.h"
#include "lost.h"
#include "pgweir/wire.h"
#include "prepared_internal.h"
#include "route.h"
#include "setup.h"

static bool settings_on_their_way(const struct backend *backend)
{
	return requests_first(&backend->requests)->flags & REQUEST_SETUP;
}

/* Settings that are being put in force may fail and leave a failed transaction, in which this message cannot run. Only
 * one that would end the transaction could: ROLLBACK, COMMIT, END, ABORT, also behind a comment. Inside a batch that has
 * begun behind the settings the server would skip everything up to the Sync, and to wait for an answer before it could be
 * to wait for ever. */
static bool may_follow_query(const struct session *session, const char *message, size_t size)
{
	const char *text = message + WIRE_HEADER_SIZE;
	const char *end = message + size;

	if (session->backend->unsynced)
		return true;
	if (message[0] == 'P')
		text += strnlen(text, (size_t)(end - text)) + 1;
	else if (message[0] != 'Q')
		return false;
	while (text < end && strchr(" \t\r\n\f;", *text) && *text)
		text++;
	return text < end && !strchr("RrCcEeAa-/(", *text);
}

/* Behind a batch of settings that has failed the server skips everything up to a Sync, and what comes behind that runs: there
 * may be no transaction that has failed. */
static bool is_behind_sync_of_setup(const struct session *session)
{
	const struct requests *requests = session->backend ? &session->backend->requests : NULL;

	return requests && setup_batch_has(requests_first(requests)) && requests_until_sync(requests) < requests_count(requests);
}

/* Names of statements in it may be prepared ahead of it, with a Sync. */
static bool may_put_sync(struct session *session, const char *message, size_t size)
{
	const char *text = message + WIRE_HEADER_SIZE;

	return message[0] == 'Q' && session->names.size && size == wire_message_size(message)
		&& session_text_effects(session, text, size - WIRE_HEADER_SIZE) & SCAN_STATEMENT_NAMES;
}

static bool may_follow_setup(struct session *session, const char *message, size_t size)
{
	if (!settings_on_their_way(session->backend))
		return true;
	if (!setup_batch_has(requests_first(&session->backend->requests)))
		return may_follow_query(session, message, size);
	return !is_behind_sync_of_setup(session) && !may_put_sync(session, message, size);
}

void client_message_flush(struct session *session)
{
	static const char flush[] = { 'H', 0, 0, 0, 4 };

	outbox_put(&session_relay(session)->to_server, flush, sizeof(flush));
	backend_settle(session->backend);
}

static bool has_executes(const struct requests *requests)
{
	for (uint32_t i = 0; i < requests->count; i++)
		if (requests_at(requests, i)->kind == REQUEST_EXECUTE)
			return true;
	return false;
}

/* What names a statement, behind an Execute that may take names away. The server says nothing of it before the batch's Sync
 * unless it is asked to. */
static bool waits_for_names(struct session *session, char type)
{
	if (!session->unnaming || !strchr("PBDCQ", type) || !has_executes(&session->backend->requests))
		return false;
	client_message_flush(session);
	return true;
}

/* The beginning of the message's own batch may be on its way, too. */
static bool waits_for_batch(struct session *session, const char *message, size_t size)
{
	struct backend *backend = session->backend;

	if (session->state != SESSION_LINKED || !prepared_is_unsettled(session, message, size))
		return false;
	if (backend->unsynced)
		client_message_flush(session);
	else
		backend_settle(backend);
	session->state = SESSION_SETTING_UP;
	return true;
}

/* A text that takes settings, statements and pins away is answered before the next one is looked at, which must find them
 * gone; within a batch only the names. */
static bool waits_for_reset(struct session *session, char type)
{
	struct backend *backend = session->backend;

	if (!session->resetting)
		return false;
	if (backend->unsynced)
		return waits_for_names(session, type);
	backend_settle(backend);
	session->resetting = backend->requests.count > 0;
	session->unnaming &= session->resetting;
	return session->resetting;
}

bool client_message_has_turn(struct session *session, const struct message_rule *rule, const char *message, size_t size, size_t left)
{
	bool lost = session->lost != LOST_NOTHING;

	if (session->skipping || (lost && !lost_needs_server(session, message, size)))
		return true;
	/* Most messages come while there is a server already. */
	if (!lost && session->state == SESSION_LINKED && !session->resetting && !session->judged && !session->backend->requests.syncs
		&& (message[0] != 'Q' || !session->backend->requests.count) && !settings_on_their_way(session->backend))
		return true;
	if (session->judged && session->state == SESSION_LINKED && !route_may_go_on(session, message, left))
		return false;
	if (waits_for_batch(session, message, size))
		return false;
	if (rule->server == ALONE && session->state != SESSION_SETTING_UP
		&& !(message[0] == 'C' && (is_behind_sync_of_setup(session) || (session->backend && session->unnaming))))
		return true;
	if (!session->backend && !lost && rule->server == SERVER_UNLESS_KNOWN && prepared_parse_alone(session, message, size))
		return true;
	if (!session->backend && session->routing && !route_decide(session, message, left))
		return false;
	session_relay(session)->message = message;
	if (!session->backend && !session_link(session))
		return false;
	if (session->group == GROUP_DUE)
		route_may_go_on(session, message, left);
	if (session->state == SESSION_SETTING_UP)
		return false;
	if (lost) {
		lost_begin_again(session);
		return false;
	}
	if (!waits_for_reset(session, message[0]) && may_follow_setup(session, message, size))
		return true;
	/* What stands in line and needs no server would not be answered before the server says something more: never. */
	backend_settle(session->backend);
	session->state = SESSION_SETTING_UP;
	return false;
}
