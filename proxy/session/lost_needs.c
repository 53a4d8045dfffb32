/* Which messages need a server although that of their transaction is lost: what ends the transaction and goes on, and
 * everything in one that has only begun.
 *
 * Failure story: a message that is too long to be seen whole is no end that goes on. Outside of what has only begun it gets
 * what everything gets in a transaction that has failed. */
#include <string.h>

#include "lost.h"
#include "lost_text.h"
#include "pgweir/wire.h"
#include "route.h"
#include "session_internal.h"

const char *lost_behind(const char *at, const char *end)
{
	const char *nul = at && at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;

	return nul ? nul + 1 : NULL;
}

const char *lost_find_statement(const struct session *session, const char *name, size_t *size)
{
	const struct statement_name *known = *name ? map_get_text(&session->names, name) : NULL;
	bool unnamed = !*name && session->unnamed_token && session->unnamed;

	if (!known && !unnamed)
		return NULL;
	*size = known ? known->statement->parse_size : session->unnamed->size;
	return known ? known->statement->parse : session->unnamed->bytes;
}

/* The text that a whole message is about. */
static struct lost_text text_of(const struct session *session, const char *message, size_t size)
{
	const char *body = message + WIRE_HEADER_SIZE, *end = message + size, *text = NULL;
	size_t text_size = 0;

	if (message[0] == 'Q') {
		text = body;
		text_size = (size_t)(end - body);
	} else if (message[0] == 'P' && (text = lost_behind(body, end))) {
		text_size = (size_t)(end - text);
	} else if (message[0] == 'B' && lost_behind(lost_behind(body, end), end)) {
		text = lost_find_statement(session, lost_behind(body, end), &text_size);
	}
	return text ? lost_text_read(text, text_size) : (struct lost_text){ .kind = LOST_TEXT_OTHER };
}

/* It ends what is lost and goes on. Who does not know of the loss must not take that for a COMMIT. */
static bool goes_on(const struct session *session, const struct lost_text *text)
{
	if (text->kind != LOST_TEXT_ENDS || !(text->chains || text->more) || (text->commits && session->lost == LOST_UNTOLD))
		return false;
	return !text->chains || session->beginning.size;
}

static void send_elsewhere(struct session *session, unsigned cause)
{
	if (!session->backend && session->routing && session->routing != ROUTING_REPLICA)
		session->route->forced = cause;
}

bool lost_needs_server(struct session *session, const char *message, size_t size)
{
	bool whole = size == wire_message_size(message) && size > WIRE_HEADER_SIZE;

	if (session->lost == LOST_BATCH || !strchr("QPBDEF", message[0]))
		return false;
	struct lost_text text = whole ? text_of(session, message, size) : (struct lost_text){ 0 };

	if (session->lost == LOST_BEGUN) {
		if (message[0] == 'Q' && lost_text_only_ends(&text) && !text.prepares)
			return false;
		send_elsewhere(session, ROUTE_RESCUED);
		return true;
	}
	if (session->lost != LOST_FAILED && !goes_on(session, &text))
		return false;
	session->lost = LOST_FAILED;
	send_elsewhere(session, ROUTE_TRANSACTION);
	return true;
}
