/* What statements need of the server connection at hand, ahead of the client's message that uses them. */
#include <string.h>

#include "pgweir/wire.h"
#include "prepared_internal.h"

void prepared_put_header(struct session *session, char type, size_t size)
{
	char header[WIRE_HEADER_SIZE] = { type };

	wire_put_u32(header + 1, (uint32_t)(size - 1));
	outbox_put(prepared_outbox(session), header, sizeof(header));
}

static void put_close(struct session *session, const char *name)
{
	size_t name_size = strlen(name) + 1;

	prepared_put_header(session, 'C', WIRE_HEADER_SIZE + 1 + name_size);
	outbox_put(prepared_outbox(session), "S", 1);
	outbox_put(prepared_outbox(session), name, name_size);
}

void prepared_put_parse(struct session *session, const char *name, const char *rest, size_t rest_size)
{
	size_t name_size = strlen(name) + 1;

	prepared_put_header(session, 'P', WIRE_HEADER_SIZE + name_size + rest_size);
	outbox_put(prepared_outbox(session), name, name_size);
	outbox_put(prepared_outbox(session), rest, rest_size);
}

/* The statement used longest ago makes room. If the server skips our Close after an error, the request's name brings
 * the statement back into the set. */
void prepared_make_room(struct session *session, uint8_t flags)
{
	struct backend *backend = session->backend;
	/* A reload may have brought it to nothing meanwhile. */
	size_t most = session->share->settings.max_prepared_statements ? (size_t)session->share->settings.max_prepared_statements : 1;

	while (prepared_count(&backend->prepared) >= most) {
		struct statement *oldest = statement_ref(prepared_oldest(&backend->prepared));
		struct statement_name *name = statement_name_new("", oldest);

		put_close(session, oldest->server_name);
		backend_request(backend, REQUEST_CLOSE, REQUEST_INJECTED | flags, name);
		prepared_remove(&backend->prepared, oldest);
		statement_name_unref(&name);
	}
}

void prepared_materialise_as(struct session *session, struct statement_name *name, uint8_t flags)
{
	struct backend *backend = session->backend;

	if (prepared_has(&backend->prepared, name->statement))
		return;
	if (!scope_fits(session, name->statement))
		prepared_renew(session, name);
	struct statement *statement = name->statement;

	prepared_make_room(session, flags);
	prepared_put_parse(session, statement->server_name, statement->parse, statement->parse_size);
	backend_request(backend, REQUEST_PARSE, REQUEST_INJECTED | flags, name);
	prepared_add(&backend->prepared, statement);
	session->share->stats.server_parses++;
}

void prepared_materialise(struct session *session, struct statement_name *name)
{
	prepared_materialise_as(session, name, 0);
}

/* If it cannot be prepared any more, the query does not find it. */
void prepared_materialise_alone(struct session *session, struct statement_name *name)
{
	static const char sync[] = { 'S', 0, 0, 0, 4 };

	if (prepared_has(&session->backend->prepared, name->statement))
		return;
	prepared_materialise_as(session, name, REQUEST_TRY);
	backend_request(session->backend, REQUEST_SYNC, REQUEST_INJECTED, NULL);
	outbox_put(prepared_outbox(session), sync, sizeof(sync));
}

/* What the client has kept, under the names of now. */
void prepared_put_unnamed(struct session *session, bool runs, uint8_t flags)
{
	const struct buf *kept = session->unnamed;
	size_t text_size = strlen(kept->bytes) + 1;
	struct buf rewritten = { 0 };

	if (session->unnamed_effects & SCAN_STATEMENT_NAMES && session->names.size
		&& sql_names_rewrite(session, kept->bytes, text_size, &rewritten, runs, prepared_materialise)) {
		buf_append(&rewritten, kept->bytes + text_size, kept->size - text_size);
		kept = &rewritten;
	}
	prepared_put_parse(session, "", kept->bytes, kept->size);
	backend_request(session->backend, REQUEST_PARSE, flags | REQUEST_UNNAMED, NULL);
	session->backend->unnamed_token = session->unnamed_token;
	buf_fini(&rewritten);
}

void prepared_close_unnamed(struct session *session)
{
	put_close(session, "");
	backend_request(session->backend, REQUEST_CLOSE, REQUEST_INJECTED | REQUEST_UNNAMED, NULL);
	session->backend->unnamed_token = 0;
}

/* If what is ahead of an unnamed Parse in its batch fails, the Parse is skipped, and what uses it may have been sent behind
 * the Sync: another client's must not be there then. A Parse that is the first takes it away, whatever comes of it. */
void prepared_batch_begins(struct session *session, const char *message, size_t size)
{
	uint64_t there = session->backend->unnamed_token;
	bool replaces = message[0] == 'P' && size > WIRE_HEADER_SIZE && !message[WIRE_HEADER_SIZE];

	if (there && there != session->unnamed_token && !replaces && session->mode != POOL_MODE_SESSION)
		prepared_close_unnamed(session);
}

void prepared_materialise_unnamed(struct session *session)
{
	struct backend *backend = session->backend;

	if (backend->unnamed_token == session->unnamed_token)
		return;
	/* A large one that is gone is nowhere else. */
	if (session->unnamed_token && session->unnamed) {
		prepared_put_unnamed(session, false, REQUEST_INJECTED);
		return;
	}
	prepared_close_unnamed(session);
}

/* The names that it mentions may stand for other statements than when it was parsed, or be on another connection. */
void prepared_run_unnamed(struct session *session)
{
	if (session->unnamed_token && session->unnamed && session->unnamed_effects & SCAN_STATEMENT_NAMES && session->names.size)
		prepared_put_unnamed(session, true, REQUEST_INJECTED);
	else
		prepared_materialise_unnamed(session);
}
