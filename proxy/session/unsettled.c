/* What a message means by a name may hang on messages ahead of it that may yet be skipped: a Parse or a Close in a batch whose
 * Sync is not answered. Within that batch nothing needs to be known, since the message would be skipped with them; behind the
 * Sync it waits for the answer. Whoever does not pipeline batches never waits here. */
#include <string.h>

#include "pgweir/wire.h"
#include "prepared_internal.h"

static const struct request *from_the_end(const struct requests *requests, uint32_t i)
{
	return requests_at(requests, requests->count - 1 - i);
}

static bool is_about_unnamed(const struct request *request)
{
	return request->flags & REQUEST_UNNAMED || (request->kind == REQUEST_QUERY && !(request->flags & REQUEST_INJECTED));
}

/* The unnamed statement may be another one than the client's last Parse of it, if that may have been skipped, or there may be one
 * still. What begins its batch is not skipped: a Parse may only fail, and then there is none. */
static bool unnamed_is_unsettled(const struct requests *requests)
{
	bool behind_sync = false;

	for (uint32_t i = 0; i < requests->count; i++) {
		const struct request *request = from_the_end(requests, i);
		bool begins = i + 1 == requests->count || from_the_end(requests, i + 1)->kind == REQUEST_SYNC;

		behind_sync |= request->kind == REQUEST_SYNC;
		if (is_about_unnamed(request))
			return behind_sync && !begins;
	}
	return false;
}

/* `text`: NULL for any name. */
static bool is_unsettled(const struct requests *requests, const char *text, const struct statement *statement)
{
	bool behind_sync = false;

	for (uint32_t i = 0; i < requests->count; i++) {
		const struct request *request = from_the_end(requests, i);

		behind_sync |= request->kind == REQUEST_SYNC;
		if (behind_sync && request_names(request)
			&& (!text || request->name->statement == statement || strcmp(request->name->text, text) == 0))
			return true;
	}
	return false;
}

/* The statement's name in a Parse, Bind, Describe or Close, or NULL. */
static const char *name_in(const char *message, const char *end)
{
	const char *name = message + WIRE_HEADER_SIZE;

	if (message[0] == 'B')
		name += strnlen(name, (size_t)(end - name)) + 1;
	else if (message[0] != 'P' && *name++ != 'S')
		return NULL;
	return name < end && memchr(name, '\0', (size_t)(end - name)) ? name : NULL;
}

/* What it mentions may be prepared ahead of it with a Sync, which would end a batch that has failed, so that the query ran. */
static bool may_end_batch(struct session *session, const char *text, size_t size)
{
	const struct requests *requests = &session->backend->requests;
	bool batch = false;

	if (!session->names.size)
		return false;
	for (uint32_t i = 0; i < requests->count && from_the_end(requests, i)->kind != REQUEST_SYNC; i++)
		batch |= (REQUEST_BIT(from_the_end(requests, i)->kind) & REQUESTS_BEFORE_SYNC) != 0;
	return batch && session_text_effects(session, text, size) & SCAN_STATEMENT_NAMES;
}

bool prepared_is_unsettled(struct session *session, const char *message, size_t size)
{
	const struct requests *requests = &session->backend->requests;
	const char *text = message + WIRE_HEADER_SIZE, *end = message + size;
	const char *name = "";

	if (size <= WIRE_HEADER_SIZE)
		return false;
	if (message[0] == 'Q' && may_end_batch(session, text, (size_t)(end - text)))
		return true;
	if (!requests->syncs || !strchr("PBDCQ", message[0]))
		return false;
	if (message[0] != 'Q')
		name = name_in(message, end);
	if (!name)
		return false;
	if (*name && requests->naming) {
		const struct statement_name *known = map_get_text(&session->names, name);

		return is_unsettled(requests, name, known ? known->statement : NULL);
	}
	if (*name)
		return false;
	if (strchr("BD", message[0]) && unnamed_is_unsettled(requests))
		return true;
	if (!requests->naming || !is_unsettled(requests, NULL, NULL) || message[0] == 'C')
		return false;
	/* Names in SQL. */
	if (strchr("BD", message[0]))
		return session->unnamed_effects & SCAN_STATEMENT_NAMES;
	text += message[0] == 'P';
	return session_text_effects(session, text, (size_t)(end - text)) & SCAN_STATEMENT_NAMES;
}
