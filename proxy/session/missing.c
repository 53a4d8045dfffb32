/* Statements that SQL has prepared, and that cannot be prepared again on the connection at hand: a table of theirs is gone.
 *
 * A direct connection would keep such a statement, say at each EXECUTE what is wrong, and run it again once the table is
 * back. So it stays the session's: where the server says that there is no such statement, the client is told the reason, and
 * it is tried again before the session's next transaction. */
#include <string.h>

#include "missing.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "session_internal.h"

struct missing {
	struct missing *next;
	struct buf reason;              /* The body of the server's ErrorResponse. */
	char name[];
};

static struct missing **find(struct session *session, const char *name)
{
	struct missing **at = &session->missing;

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static void forget(struct missing **at)
{
	struct missing *gone = *at;

	*at = gone->next;
	buf_fini(&gone->reason);
	mem_free(gone);
}

void missing_forget_all(struct session *session)
{
	while (session->missing)
		forget(&session->missing);
}

/* It points into the text of the PREPARE, which is not what the client has just sent. */
static void put_without_position(struct buf *out, const char *body, size_t size)
{
	const char *position = wire_error_field(body, size, 'P');
	size_t until = position ? (size_t)(position - 1 - body) : size;
	size_t behind = position ? until + 1 + strlen(position) + 1 : size;

	buf_append(out, body, until);
	buf_append(out, body + behind, size - behind);
}

static struct state *without(const struct state *state, const char *name)
{
	struct state_builder builder = { 0 };

	state_builder_copy(&builder, state);
	state_builder_deallocate(&builder, name);
	return state_builder_finish(&builder);
}

void missing_note(struct session *session, const char *name, const char *body, size_t size)
{
	struct missing **at = find(session, name);
	struct state *left = without(session->backend->settings, name);

	if (!*at) {
		*at = mem_alloc(sizeof(**at) + strlen(name) + 1);
		memcpy((*at)->name, name, strlen(name));
	}
	buf_fini(&(*at)->reason);
	put_without_position(&(*at)->reason, body, size);
	state_unref(&session->backend->settings);
	session->backend->settings = left;
}

/* What the server was asked for anew is not missing unless it fails again. */
void missing_retried(struct session *session, const char *name)
{
	struct missing **at = find(session, name);

	if (*at)
		forget(at);
}

static bool is_named(const char *message, const char *name)
{
	const char *from = strchr(message, '"'), *until = from ? strrchr(message, '"') : NULL;

	return from && (size_t)(until - from - 1) == strlen(name) && memcmp(from + 1, name, strlen(name)) == 0;
}

bool missing_error(struct session *session, const char *body, size_t size, struct buf *instead)
{
	const char *sqlstate = wire_error_field(body, size, 'C'), *message = wire_error_field(body, size, 'M');

	if (!sqlstate || !message || strcmp(sqlstate, "26000") != 0)
		return false;
	for (const struct missing *missing = session->missing; missing; missing = missing->next) {
		if (!is_named(message, missing->name))
			continue;
		size_t begun = wire_begin(instead, 'E');

		buf_append(instead, missing->reason.bytes, missing->reason.size);
		wire_end(instead, begun);
		return true;
	}
	return false;
}

/* The server cannot know of them. */
void missing_add(const struct session *session, struct state_builder *now)
{
	for (const struct missing *missing = session->missing; missing; missing = missing->next) {
		const char *sql = state_statement(session->settings, missing->name);

		if (sql)
			state_builder_prepare(now, missing->name, sql);
	}
}
