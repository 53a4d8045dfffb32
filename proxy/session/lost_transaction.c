/* A transaction whose server is lost: until the client ends it, it has failed, as PostgreSQL has it, but without a server.
 *
 * The first thing that is refused after a loss that the client could not be told of gets 40001, everything else what PostgreSQL
 * says in a transaction that has failed. A COMMIT that does not know of the loss is refused as well: few look at the tag that
 * says ROLLBACK. What ends the transaction and goes on (AND CHAIN, or with statements behind it) needs a server (lost_needs.c,
 * lost_again.c).
 *
 * Failure story: what no server has looked at may be called 25P02 although a server would have found more wrong with it: a
 * text that has a mistake, a portal that never was. */
#include <string.h>

#include "lost.h"
#include "lost_text.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "session_internal.h"

/* --- The end --- */

static bool free_portal(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

static void portals_free(struct session *session)
{
	if (!session->lost_portals)
		return;
	map_foreach(session->lost_portals, free_portal, NULL);
	map_fini(session->lost_portals);
	mem_free(session->lost_portals);
	session->lost_portals = NULL;
}

void lost_ends(struct session *session)
{
	session->lost = LOST_NOTHING;
	portals_free(session);
	buf_fini(&session->beginning);
}

/* --- Answers --- */

static void put(struct session *session, struct buf *out)
{
	outbox_put(session_relay(session)->to_client, out->bytes, out->size);
	buf_fini(out);
}

static void put_empty(struct session *session, char type)
{
	struct buf out = { 0 };

	wire_end(&out, wire_begin(&out, type));
	put(session, &out);
}

static void put_tag(struct session *session, const char *tag)
{
	struct buf out = { 0 };
	size_t begun = wire_begin(&out, 'C');

	buf_append_cstring(&out, tag);
	wire_end(&out, begun);
	put(session, &out);
}

static void put_ready(struct session *session)
{
	struct buf out = { 0 };

	wire_put_ready_for_query(&out, lost_status(session));
	put(session, &out);
}

static void put_nothing_described(struct session *session, bool statement)
{
	struct buf out = { 0 };

	if (statement) {
		size_t begun = wire_begin(&out, 't');

		buf_append_u16(&out, 0);
		wire_end(&out, begun);
	}
	wire_end(&out, wire_begin(&out, 'n'));
	put(session, &out);
}

/* The client knows of it from here on. */
static void told(struct session *session)
{
	if (session->lost == LOST_BATCH)
		lost_ends(session);
	else
		session->lost = LOST_TRANSACTION;
}

static void refuse(struct session *session)
{
	session_put_refusal(session, session->lost == LOST_TRANSACTION ? REFUSAL_ABORTED : REFUSAL_LOST);
	told(session);
}

/* In PostgreSQL's words, if the client knows what has become of its transaction. Takes the text. */
static void refuse_as(struct session *session, const char *sqlstate, char *text)
{
	struct wire_error error = { .severity = "ERROR", .sqlstate = sqlstate, .message = text };
	struct buf out = { 0 };

	if (session->lost == LOST_TRANSACTION) {
		wire_put_error(&out, &error);
		put(session, &out);
	} else {
		refuse(session);
	}
	mem_free(text);
}

/* False: it is refused. */
static bool run(struct session *session, const struct lost_text *text)
{
	if (text->kind == LOST_TEXT_EMPTY) {
		put_empty(session, 'I');
		return true;
	}
	if (text->kind == LOST_TEXT_TO_SAVEPOINT) {
		refuse_as(session, "3B001", mem_printf("savepoint \"%s\" does not exist", text->savepoint));
		return false;
	}
	if (text->kind != LOST_TEXT_ENDS) {
		refuse(session);
		return false;
	}
	if (text->commits && session->lost == LOST_UNTOLD) {
		refuse(session);
		lost_ends(session);
		return false;
	}
	/* In what was only begun there is nothing to undo. */
	put_tag(session, text->commits && session->lost == LOST_BEGUN ? "COMMIT" : "ROLLBACK");
	lost_ends(session);
	return true;
}

/* --- Messages: NULL-terminated parts are looked for, not trusted. --- */

/* Each: false if it is refused as anything is. What is too long to be seen whole has no `end`, and ends no transaction. */

static bool answer_query(struct session *session, const char *body, const char *end)
{
	struct lost_text text = { .kind = LOST_TEXT_OTHER };

	session->unnamed_token = 0;
	if (end)
		text = lost_text_read(body, (size_t)(end - body));
	if (text.chains && !(text.commits && session->lost == LOST_UNTOLD))
		text.kind = LOST_TEXT_OTHER;
	if (session->lost_portals)
		mem_free(map_take_text(session->lost_portals, ""));
	run(session, &text);
	put_ready(session);
	return true;
}

static bool answer_call(struct session *session, const char *body, const char *end)
{
	(void)body, (void)end;
	refuse(session);
	put_ready(session);
	return true;
}

static bool skip_to_sync(struct session *session)
{
	session->skipping = SESSION_SKIP_TO_SYNC;
	return true;
}

static bool has_parameters(const char *types, const char *end)
{
	return !types || end - types < 2 || types[0] || types[1];
}

static bool answer_parse(struct session *session, const char *body, const char *end)
{
	const char *text = lost_behind(body, end), *types = lost_behind(text, end);

	if (has_parameters(types, end))
		return false;
	struct lost_text read = lost_text_read(text, (size_t)(end - text));

	if (read.kind == LOST_TEXT_OTHER || read.chains || read.more)
		return false;
	if (*body && map_get_text(&session->names, body)) {
		refuse_as(session, "42P05", mem_printf("prepared statement \"%s\" already exists", body));
		return skip_to_sync(session);
	}
	if (!prepared_parse_unasked(session, body, text, end))
		return false;
	put_empty(session, '1');
	return true;
}

/* SQL has its own, which are not looked at here. */
static bool is_known(const struct session *session, const char *name)
{
	return !session->tracks_statements || session->sql_prepared || session->pins
		|| (*name && state_statement(session->settings, name));
}

/* What it is: LOST_TEXT_OTHER where it has parameters. False: there is none, which has been said. */
static bool look_up(struct session *session, const char *name, struct lost_text *found)
{
	size_t size = 0;
	const char *text = lost_find_statement(session, name, &size);

	*found = (struct lost_text){ .kind = LOST_TEXT_OTHER };
	if (!text && !is_known(session, name)) {
		refuse_as(session, "26000", *name ? mem_printf("prepared statement \"%s\" does not exist", name)
			: mem_strdup("unnamed prepared statement does not exist"));
		return false;
	}
	if (text && !has_parameters(lost_behind(text, text + size), text + size))
		*found = lost_text_read(text, size);
	return true;
}

/* How many values a Bind has, for a statement that takes none. */
static unsigned count_values(const char *formats, const char *end)
{
	size_t left = (size_t)(end - formats);
	size_t skip = left >= 2 ? 2 + 2 * (size_t)wire_u16(formats) : left;

	return skip + 2 <= left ? wire_u16(formats + skip) : 0;
}

static bool answer_bind(struct session *session, const char *body, const char *end)
{
	const char *name = lost_behind(body, end), *formats = lost_behind(name, end);
	struct lost_text found;

	if (!formats)
		return false;
	if (!look_up(session, name, &found))
		return skip_to_sync(session);
	if ((found.kind != LOST_TEXT_ENDS && found.kind != LOST_TEXT_TO_SAVEPOINT) || found.chains || found.more)
		return false;
	if (count_values(formats, end)) {
		refuse_as(session, "08P01", mem_printf("bind message supplies %u parameters, but prepared statement \"%s\" requires 0",
			count_values(formats, end), name));
		return skip_to_sync(session);
	}
	if (!session->lost_portals)
		session->lost_portals = NEW(struct map);
	if (*body && map_get_text(session->lost_portals, body)) {
		refuse_as(session, "42P03", mem_printf("cursor \"%s\" already exists", body));
		return skip_to_sync(session);
	}
	mem_free(map_put_text(session->lost_portals, body, mem_dup(&found, sizeof(found))));
	put_empty(session, '2');
	return true;
}

static const struct lost_text *find_portal(const struct session *session, const char *name, const char *end)
{
	return session->lost_portals && lost_behind(name, end) ? map_get_text(session->lost_portals, name) : NULL;
}

static bool answer_describe(struct session *session, const char *body, const char *end)
{
	bool statement = *body == 'S';
	struct lost_text found = { .kind = LOST_TEXT_OTHER };

	if (!lost_behind(body + 1, end))
		return false;
	if (statement && !look_up(session, body + 1, &found))
		return skip_to_sync(session);
	if (statement ? found.kind == LOST_TEXT_OTHER : !find_portal(session, body + 1, end))
		return false;
	put_nothing_described(session, statement);
	return true;
}

static bool answer_execute(struct session *session, const char *body, const char *end)
{
	const struct lost_text *portal = find_portal(session, body, end);
	struct lost_text text = portal ? *portal : (struct lost_text){ .kind = LOST_TEXT_OTHER };

	return run(session, &text) || skip_to_sync(session);
}

/* What was asked in this batch is lost, and not to be taken for done. */
static bool answer_sync(struct session *session, const char *body, const char *end)
{
	(void)body, (void)end;
	if (session->lost < LOST_TRANSACTION)
		refuse(session);
	put_ready(session);
	return true;
}

/* As ever, and here too. */
static bool note_close(struct session *session, const char *body, const char *end)
{
	if (*body == 'P' && find_portal(session, body + 1, end))
		mem_free(map_take_text(session->lost_portals, body + 1));
	return false;
}

static const struct {
	bool (*handle)(struct session *session, const char *body, const char *end);
	bool simple;                    /* It is a group by itself, or its end. */
	bool passes;                    /* If it is not answered, it is dealt with as ever. */
} handlers[256] = {
	['Q'] = { answer_query, true, false }, ['F'] = { answer_call, true, false }, ['S'] = { answer_sync, true, false },
	['P'] = { answer_parse, false, false }, ['B'] = { answer_bind, false, false }, ['D'] = { answer_describe, false, false },
	['E'] = { answer_execute, false, false }, ['C'] = { note_close, false, true },
};

bool lost_answer(struct session *session, const char *message, size_t size)
{
	unsigned char type = (unsigned char)message[0];
	bool whole = size == wire_message_size(message) && size > WIRE_HEADER_SIZE;
	/* A batch that is lost has no good end. */
	bool hopeless = !handlers[type].simple && (!whole || session->lost == LOST_BATCH);

	if (!handlers[type].handle)
		return false;
	session->batch = BATCH_FORGOTTEN;
	if ((!hopeless || handlers[type].passes) && handlers[type].handle(session, message + WIRE_HEADER_SIZE, whole ? message + size : NULL))
		return true;
	if (handlers[type].passes)
		return false;
	refuse(session);
	session->skipping = SESSION_SKIP_TO_SYNC;
	return true;
}
