/* The names that a client has given: what errors undo of them, and the client's own ones in the texts of errors. */
#include <string.h>

#include "pgweir/wire.h"
#include "prepared_internal.h"

/* Nobody's: what would have replaced it, or taken it away, may have been skipped. */
#define UNNAMED_UNKNOWN UINT64_MAX

static void forget_name(struct session *session, const struct statement_name *name)
{
	struct statement_name *known = map_get_text(&session->names, name->text);

	if (known != name)
		return;
	known = map_take_text(&session->names, name->text);
	statement_name_unref(&known);
}

void prepared_forget(struct session *session, const struct statement_name *name, const struct statement *gone)
{
	forget_name(session, name);
	prepared_remove(&session->backend->prepared, gone);
}

static void bring_name_back(struct session *session, struct statement_name *name)
{
	struct statement_name *replaced = map_put_text(&session->names, name->text, statement_name_ref(name));

	statement_name_unref(&replaced);
}

/* The client's next message of these kinds about the unnamed statement, of those behind the Sync, which may run yet. */
static struct request *next_about_unnamed(const struct requests *requests, unsigned kinds)
{
	for (uint32_t i = requests_until_sync(requests); i < requests_count(requests); i++) {
		struct request *later = requests_at(requests, i);
		bool about = later->kind == REQUEST_QUERY || later->flags & REQUEST_UNNAMED;

		if (about && !(later->flags & REQUEST_INJECTED) && REQUEST_BIT(later->kind) & kinds)
			return later;
	}
	return NULL;
}

#define PARSES REQUEST_BIT(REQUEST_PARSE)
#define ANY_KIND UINT32_MAX

/* What the client's Parse has replaced is there again: for the client, or for who replaces it, or takes it away, behind the Sync. */
static void undo_unnamed_parse(struct session *session, const struct request *request)
{
	const struct backend *backend = session->backend;
	struct request *later = next_about_unnamed(&backend->requests, ANY_KIND);
	struct request *parse = next_about_unnamed(&backend->requests, PARSES);
	/* One that has failed itself leaves none. */
	bool skipped = backend->skipping || request != requests_first(&backend->requests);
	enum unnamed_before unnames = skipped ? request->unnames : UNNAMED_NONE;
	struct statement_name *before = skipped ? request->name : NULL;

	if (later)
		later->unnames = (uint8_t)unnames;
	if (!parse) {
		prepared_unnamed_is_back(session, before, later ? UNNAMED_NONE : unnames);
	} else if (parse->name) {
		statement_name_unref(&parse->name);
		parse->name = statement_name_ref(before);
	}
}

/* What it would have taken away is still there. */
static void undo_unnaming(struct session *session, const struct request *request)
{
	struct request *later = next_about_unnamed(&session->backend->requests, ANY_KIND);

	if (!request->unnames)
		return;
	if (later)
		later->unnames = request->unnames;
	else if (session->unnamed)
		prepared_unnamed_is_kept(session, request->unnames);
}

void prepared_undone(struct session *session, const struct request *request)
{
	bool injected = request->flags & REQUEST_INJECTED;

	switch (request->kind) {
	case REQUEST_PARSE:
		if (request->flags & REQUEST_UNNAMED)
			session->backend->unnamed_token = UNNAMED_UNKNOWN;
		if (request->flags & REQUEST_UNNAMED && !injected)
			undo_unnamed_parse(session, request);
		else if (request->name && !injected)
			forget_name(session, request->name);
		break;
	case REQUEST_QUERY:
	case REQUEST_CLOSE:
		if (request->kind == REQUEST_QUERY || request->flags & REQUEST_UNNAMED)
			session->backend->unnamed_token = UNNAMED_UNKNOWN;
		undo_unnaming(session, request);
		break;
	case REQUEST_LOCAL_PARSE:
		forget_name(session, request->name);
		break;
	case REQUEST_LOCAL_CLOSE:
		if (request->name)
			bring_name_back(session, request->name);
		break;
	default:
		break;
	}
}

static bool forget_entry(const void *key, size_t size, void *value, void *arg)
{
	struct statement_name *name = value;

	(void)key, (void)size, (void)arg;
	statement_name_unref(&name);
	return true;
}

void prepared_forget_all(struct session *session)
{
	map_foreach(&session->names, forget_entry, NULL);
	map_fini(&session->names);
}

struct found_name {
	const char *server_name;
	const char *text;
};

static bool match_name(const void *key, size_t size, void *value, void *arg)
{
	const struct statement_name *name = value;
	struct found_name *found = arg;

	(void)key, (void)size;
	if (strcmp(name->statement->server_name, found->server_name) != 0)
		return true;
	found->text = name->text;
	return false;
}

/* What failed says it best: its name may be nobody's any more, if the Parse ahead of it failed after both were sent. Else also
 * one that a Close has taken away, which is still to be answered and has come behind what failed. */
static const char *client_name_for(struct session *session, const char *server_name)
{
	struct found_name found = { server_name, NULL };
	const struct requests *requests = &session->backend->requests;
	const struct request *failed = requests_first(requests);

	/* A Parse of a name that is taken, by a statement that may have other names as well. */
	if (failed->kind == REQUEST_PARSE && request_names(failed))
		return failed->name->text;
	if (failed->name)
		match_name(NULL, 0, failed->name, &found);
	if (!found.text)
		map_foreach(&session->names, match_name, &found);
	for (uint32_t i = 0; !found.text && i < requests->count; i++)
		if (requests_at(requests, i)->kind == REQUEST_LOCAL_CLOSE && requests_at(requests, i)->name)
			match_name(NULL, 0, requests_at(requests, i)->name, &found);
	return found.text ? found.text : sql_names_client_name(session, server_name);
}

/* Replaces `"pgweir_<id>"` by the client's own name. True if something was replaced. */
bool prepared_error(struct session *session, const char *body, size_t size, struct buf *rewritten)
{
	static const char mark[] = "\"pgweir_";
	const char *at = prepared_tracks(session) ? memmem(body, size, mark, sizeof(mark) - 1) : NULL;
	const char *stop = at ? memchr(at + 1, '"', (size_t)(body + size - at - 1)) : NULL;
	char server_name[32];

	/* One that is there in part goes as it comes. */
	if (!stop || (size_t)(stop - at - 1) >= sizeof(server_name) || body[size - 1] != '\0')
		return false;
	memcpy(server_name, at + 1, (size_t)(stop - at - 1));
	server_name[stop - at - 1] = '\0';
	const char *text = client_name_for(session, server_name);

	if (!text)
		return false;
	size_t begun = wire_begin(rewritten, 'E');

	buf_append(rewritten, body, (size_t)(at + 1 - body));
	buf_append_text(rewritten, text);
	buf_append(rewritten, stop, (size_t)(body + size - stop));
	wire_end(rewritten, begun);
	return true;
}
