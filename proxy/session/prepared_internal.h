/* What the files about prepared statements share. */
#ifndef PGWEIR_PREPARED_INTERNAL_H
#define PGWEIR_PREPARED_INTERNAL_H

#include "session_internal.h"

static inline bool prepared_tracks(const struct session *session)
{
	return session->tracks_statements;
}

/* The unnamed statement needs no names. */
static inline bool prepared_tracks_name(const struct session *session, const char *text)
{
	return session->tracks_statements || (!*text && session->mode != POOL_MODE_SESSION);
}

static inline struct outbox *prepared_outbox(struct session *session)
{
	return &session_relay(session)->to_server;
}

static inline enum unnamed_before prepared_unnames(const struct session *session)
{
	if (!session->unnamed_token)
		return UNNAMED_NONE;
	return session->backend->unnamed_token == session->unnamed_token ? UNNAMED_HERE : UNNAMED_ELSEWHERE;
}

/* scope.c: of a statement that means the same everywhere. */
void scope_put_none(struct buf *out);

/* prepared_server.c */
void prepared_put_header(struct session *session, char type, size_t size);      /* Of all bytes, the header's too. */
void prepared_put_parse(struct session *session, const char *name, const char *rest, size_t rest_size);
void prepared_make_room(struct session *session, uint8_t flags);
void prepared_materialise(struct session *session, struct statement_name *name);
void prepared_materialise_as(struct session *session, struct statement_name *name, uint8_t flags);
/* Sees to it that the server connection's unnamed statement is this client's, or that there is none. */
void prepared_materialise_unnamed(struct session *session);
void prepared_close_unnamed(struct session *session);
void prepared_batch_begins(struct session *session, const char *message, size_t size);
void prepared_run_unnamed(struct session *session);             /* The same, for a Bind. */
void prepared_put_unnamed(struct session *session, bool runs, uint8_t flags);

/* unsettled.c: what it says of a name is known only when a batch ahead of it is answered. */
bool prepared_is_unsettled(struct session *session, const char *message, size_t size);

/* prepared_parse.c: a Parse of the unnamed statement was skipped: `before` is there again, or nothing is. */
void prepared_unnamed_is_back(struct session *session, const struct statement_name *before, enum unnamed_before unnames);
void prepared_unnamed_is_kept(struct session *session, enum unnamed_before unnames);    /* What would have taken it away was skipped. */
/* Effects of the scanner, and of its own. */
#define PREPARED_EFFECTS_LISTEN (1u << 30)
uint32_t prepared_effects_of(struct session *session, struct statement *statement);
/* A statement of that name which is not one of the protocol's. */
bool prepared_sql_may_have_made(const struct session *session, const char *text);
/* One of no text, which no server can refuse, and nobody else's. Returns a reference. */
struct statement *prepared_stand_in(struct session *session) MUST_USE;

#endif
