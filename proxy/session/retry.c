/* "cached plan must not change result type": after DDL the server refuses a prepared statement whose rows would look
 * different. Outside a transaction nothing is lost by preparing it again and asking again, unseen by a client that has the
 * rows described to it in the same breath, or never had. One that goes by what it was told of the statement before would take
 * the new rows for the old ones: it gets the error, with which drivers know what to do. So does one that binds with a format for
 * each column that it was told of, also on a server connection that has not seen the table as it was.
 *
 * A batch of the extended protocol that uses a named statement, or still may, is kept while it is small and nothing of its
 * answer has been forwarded. If its Bind or Describe is refused for that reason, and the batch is all that is outstanding,
 * the rest of the answer is swallowed, the name gets a statement of its own, and the batch is walked once more. */
#include <stdatomic.h>
#include <string.h>

#include "pgweir/wire.h"
#include "retry.h"
#include "session_internal.h"

enum { BATCH_MAX = 4096 };

static const char changed_plan[] = "cached plan must not change result type";

/* Behind a Flush all may be answered in the middle of a batch, whose beginning has run and would not run again. */
static bool may_start_kept_batch(const struct session *session, char type)
{
	const struct backend *backend = session->backend;
	bool outside = !backend || (backend->status == 'I' && !backend->unsynced && backend->requests.count == 0);

	return (type == 'B' || type == 'P' || type == 'D') && outside && session->pass_left == 0
		&& session->mode != POOL_MODE_SESSION;
}

void retry_begin(struct session *session, const char *bytes, size_t size)
{
	bool fresh = !session->backend || session->backend->requests.count == 0;

	if (!fresh)
		return;
	session->batch = size && may_start_kept_batch(session, bytes[0]) ? BATCH_AWAITED : BATCH_FORGOTTEN;
	session->batch_answered = session->batch_named = false;
}

void retry_keep(struct session *session, const char *bytes, size_t size)
{
	struct buf *batch = session->backend ? &session->backend->batch : NULL;

	if (session->batch == BATCH_FORGOTTEN)
		return;
	if (batch && session->batch == BATCH_AWAITED)
		batch->size = 0;
	bool keep = batch && batch->size + size <= BATCH_MAX && (session->batch_named || session->backend->unsynced);

	session->batch = keep ? BATCH_KEPT : BATCH_FORGOTTEN;
	if (keep)
		buf_append(batch, bytes, size);
}

/* The words are of the server's lc_messages. The routine's name is not, but another pooler may leave it out. */
static bool is_changed_plan(const char *body, size_t size)
{
	const char *sqlstate = wire_error_field(body, size, 'C');
	const char *message = wire_error_field(body, size, 'M');
	const char *routine = wire_error_field(body, size, 'R');

	if (!sqlstate || strcmp(sqlstate, "0A000") != 0)
		return false;
	return (routine && strcmp(routine, "RevalidateCachedQuery") == 0) || (message && strcmp(message, changed_plan) == 0);
}

/* Whoever prepares the same text from now on gets a statement that knows the table as it is, seen by us or not. */
static void note_changed_tables(struct session *session, struct statement *statement)
{
	if (!atomic_exchange(&statement->outdated, true))
		atomic_fetch_add(&session->share->pool->database->epoch, 1);
}

/* A Describe comes with the oldest request, or is it. */
static bool is_described(const struct requests *requests)
{
	uint32_t count = requests_until_sync(requests);

	for (uint32_t i = 0; i < count; i++)
		if (requests_at(requests, i)->kind == REQUEST_DESCRIBE)
			return true;
	return false;
}

/* How many formats a Bind has for the columns of its rows; 0 if it is cut short. */
static uint16_t result_formats(const char *body, const char *end)
{
	const char *portal_end = memchr(body, '\0', (size_t)(end - body));
	const char *name_end = portal_end ? memchr(portal_end + 1, '\0', (size_t)(end - portal_end - 1)) : NULL;
	const char *at = name_end ? name_end + 1 : end;

	if (end - at < 2 || end - at < 4 + 2 * wire_u16(at))
		return 0;
	at += 2 + 2 * wire_u16(at);
	unsigned values = wire_u16(at);

	for (at += 2; values && end - at >= 4; values--) {
		uint32_t size = wire_u32(at);

		at += 4;
		if (size == UINT32_MAX)
			continue;
		if (size > (size_t)(end - at))
			return 0;
		at += size;
	}
	return values == 0 && end - at >= 2 ? wire_u16(at) : 0;
}

/* One format is for all columns, however many there are. */
static bool binds_by_columns(const struct buf *batch)
{
	const char *at = batch->bytes, *end = at + batch->size;

	while (end - at >= WIRE_HEADER_SIZE && wire_message_size(at) <= (size_t)(end - at)) {
		const char *next = at + wire_message_size(at);

		if (*at == 'B' && result_formats(at + WIRE_HEADER_SIZE, next) > 1)
			return true;
		at = next;
	}
	return false;
}

bool retry_wanted(struct session *session, const struct request *request, const char *body, size_t size)
{
	struct requests *requests = &session->backend->requests;
	bool alone = requests_until_sync(requests) + 1 == requests_count(requests);

	if (!request->name || (request->kind != REQUEST_BIND && request->kind != REQUEST_DESCRIBE) || !is_changed_plan(body, size))
		return false;
	note_changed_tables(session, request->name->statement);
	if (!alone || (request->name->described && !is_described(requests)) || session->batch == BATCH_FORGOTTEN || session->batch_answered || session->retried
		|| session->backend->status != 'I' || session->state != SESSION_LINKED || session->pass_left)
		return false;
	if (request->name->described_alone && binds_by_columns(&session->backend->batch))
		return false;
	session->retry_name = statement_name_ref(request->name);
	session->backend->mute = true;
	session->state = SESSION_SETTING_UP;
	return true;
}

/* A server connection that has prepared the statement since has no plan to refuse, only formats of columns that are gone. */
bool retry_explains(struct session *session, const struct request *request, const char *body, size_t size, struct buf *out)
{
	const char *sqlstate = wire_error_field(body, size, 'C');
	const char *routine = wire_error_field(body, size, 'R');

	if (request->kind != REQUEST_BIND || !request->name || !request->name->described_alone || !sqlstate || !routine)
		return false;
	if (strcmp(sqlstate, "08P01") != 0 || strcmp(routine, "PortalSetResultFormat") != 0)
		return false;
	note_changed_tables(session, request->name->statement);
	wire_put_error(out, &(struct wire_error){
		.severity = "ERROR", .sqlstate = "0A000", .message = changed_plan, .detail = wire_error_field(body, size, 'M'),
	});
	return true;
}

/* With the refusal's ReadyForQuery swallowed: puts the batch in front of what has come since. */
void retry_start(struct session *session)
{
	struct buf again = { 0 };

	buf_append(&again, session->backend->batch.bytes, session->backend->batch.size);
	session->backend->mute = false;
	prepared_renew(session, session->retry_name);
	statement_name_unref(&session->retry_name);
	buf_append(&again, session->held.bytes, session->held.size);
	buf_fini(&session->held);
	session->held = again;
	session->retried = true;
}
