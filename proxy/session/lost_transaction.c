/* A transaction whose server is lost: until the client ends it, it has failed, as PostgreSQL has it, but without a server.
 *
 * The first thing that is refused after a loss that the client could not be told of gets 40001, everything else 25P02. A COMMIT
 * that does not know of the loss is refused as well: few look at the tag that says ROLLBACK. */
#include <string.h>

#include "lost.h"
#include "pgweir/mem.h"
#include "pgweir/scan_tokens.h"
#include "pgweir/wire.h"
#include "session_internal.h"

/* --- Texts --- */

enum text_kind {
	TEXT_OTHER,
	TEXT_EMPTY,
	TEXT_ROLLBACK,
	TEXT_ROLLBACK_FIRST,            /* And more behind it. */
	TEXT_COMMIT,
};

static bool take_semicolons(struct scan_cursor *words)
{
	bool taken = false;

	for (; words->token.part == SCAN_PART_OTHER && *words->token.at == ';'; taken = true)
		scan_cursor_next(words);
	return taken;
}

/* AND CHAIN would have to begin another one. */
static bool take_rest(struct scan_cursor *words)
{
	if (!scan_cursor_take(words, "work"))
		scan_cursor_take(words, "transaction");
	return !scan_cursor_take(words, "and") || (scan_cursor_take(words, "no") && scan_cursor_take(words, "chain"));
}

static enum text_kind kind_of(const char *text, size_t size)
{
	const char *end = text + strnlen(text, size);
	struct scan_cursor words = { .token = scan_token_next(text, end), .end = end };
	enum text_kind kind = TEXT_OTHER;

	take_semicolons(&words);
	if (words.token.part == SCAN_PART_END)
		return TEXT_EMPTY;
	if (scan_cursor_take(&words, "rollback") || scan_cursor_take(&words, "abort"))
		kind = TEXT_ROLLBACK;
	else if (scan_cursor_take(&words, "commit") || scan_cursor_take(&words, "end"))
		kind = TEXT_COMMIT;
	if (kind == TEXT_OTHER || !take_rest(&words))
		return TEXT_OTHER;
	bool closed = take_semicolons(&words);

	if (words.token.part == SCAN_PART_END)
		return kind;
	return closed && kind == TEXT_ROLLBACK ? TEXT_ROLLBACK_FIRST : TEXT_OTHER;
}

bool lost_is_rollback(const char *text, size_t size)
{
	return text && kind_of(text, size) == TEXT_ROLLBACK;
}

bool lost_ends_before(struct session *session, const char *message, size_t size)
{
	bool whole = size == wire_message_size(message);

	if (message[0] != 'Q' || !whole || session->lost == LOST_BATCH
		|| kind_of(message + WIRE_HEADER_SIZE, size - WIRE_HEADER_SIZE) != TEXT_ROLLBACK_FIRST)
		return false;
	session->lost = LOST_NOTHING;
	return true;
}

/* --- Answers --- */

static void put(struct session *session, struct buf *out)
{
	outbox_put(&session_relay(session)->to_client, out->bytes, out->size);
	buf_fini(out);
}

static void put_empty(struct session *session, char type)
{
	struct buf out = { 0 };

	wire_end(&out, wire_begin(&out, type));
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

static void refuse(struct session *session, bool ends)
{
	bool told = session->lost == LOST_TRANSACTION;

	session_put_refusal(session, told ? REFUSAL_ABORTED : REFUSAL_LOST);
	session->lost = session->lost == LOST_BATCH || ends ? LOST_NOTHING : LOST_TRANSACTION;
}

/* False: it is refused. */
static bool run(struct session *session, enum text_kind kind)
{
	struct buf out = { 0 };

	if (kind == TEXT_EMPTY) {
		put_empty(session, 'I');
		return true;
	}
	bool unaware = kind == TEXT_COMMIT && session->lost == LOST_UNTOLD;

	if (unaware || (kind != TEXT_COMMIT && kind != TEXT_ROLLBACK)) {
		refuse(session, unaware);
		return false;
	}
	size_t begun = wire_begin(&out, 'C');

	buf_append_cstring(&out, "ROLLBACK");
	wire_end(&out, begun);
	put(session, &out);
	session->lost = LOST_NOTHING;
	return true;
}

/* --- Messages: NULL-terminated parts are looked for, not trusted. --- */

static const char *behind(const char *at, const char *end)
{
	const char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;

	return nul ? nul + 1 : NULL;
}

static enum text_kind kind_of_statement(const struct session *session, const char *name, const char *end)
{
	const struct statement_name *known;

	if (!name || !behind(name, end))
		return TEXT_OTHER;
	if (!*name)
		return session->unnamed_token && session->unnamed ? kind_of(session->unnamed->bytes, session->unnamed->size) : TEXT_OTHER;
	known = map_get_text(&session->names, name);
	return known ? kind_of(known->statement->parse, known->statement->parse_size) : TEXT_OTHER;
}

static bool can_run(enum text_kind kind)
{
	return kind == TEXT_EMPTY || kind == TEXT_ROLLBACK || kind == TEXT_COMMIT;
}

/* Each: false if it is refused. What is too long to be seen whole has no `end`, and ends no transaction. */

static bool answer_query(struct session *session, const char *body, const char *end)
{
	session->unnamed_token = 0;
	run(session, end ? kind_of(body, (size_t)(end - body)) : TEXT_OTHER);
	put_ready(session);
	return true;
}

static bool answer_call(struct session *session, const char *body, const char *end)
{
	(void)body, (void)end;
	refuse(session, false);
	put_ready(session);
	return true;
}

static bool answer_parse(struct session *session, const char *body, const char *end)
{
	const char *text = behind(body, end);

	if (!text || !can_run(kind_of(text, (size_t)(end - text))) || !prepared_parse_unasked(session, body, text, end))
		return false;
	put_empty(session, '1');
	return true;
}

static bool answer_bind(struct session *session, const char *body, const char *end)
{
	enum text_kind kind = kind_of_statement(session, behind(body, end), end);

	session->lost_portal = TEXT_OTHER;
	if (*body || !can_run(kind))
		return false;
	session->lost_portal = (uint8_t)kind;
	put_empty(session, '2');
	return true;
}

static bool answer_describe(struct session *session, const char *body, const char *end)
{
	bool statement = *body == 'S';
	enum text_kind kind = statement ? kind_of_statement(session, body + 1, end) : (enum text_kind)session->lost_portal;

	if (!can_run(kind))
		return false;
	put_nothing_described(session, statement);
	return true;
}

static bool answer_execute(struct session *session, const char *body, const char *end)
{
	(void)end;
	if (*body || !can_run((enum text_kind)session->lost_portal))
		return false;
	if (!run(session, (enum text_kind)session->lost_portal))
		session->skipping = SESSION_SKIP_TO_SYNC;
	return true;
}

/* What was asked in this batch is lost, and not to be taken for done. */
static bool answer_sync(struct session *session, const char *body, const char *end)
{
	(void)body, (void)end;
	if (session->lost != LOST_TRANSACTION)
		refuse(session, false);
	put_ready(session);
	return true;
}

static bool (*const handlers[256])(struct session *session, const char *body, const char *end) = {
	['Q'] = answer_query, ['F'] = answer_call, ['P'] = answer_parse, ['B'] = answer_bind, ['D'] = answer_describe,
	['E'] = answer_execute, ['S'] = answer_sync,
};

bool lost_answer(struct session *session, const char *message, size_t size)
{
	bool (*handler)(struct session *session, const char *body, const char *end) = handlers[(unsigned char)message[0]];
	bool whole = size == wire_message_size(message) && size > WIRE_HEADER_SIZE;
	bool simple = message[0] == 'Q' || message[0] == 'F' || message[0] == 'S';

	if (!handler)
		return false;
	session->batch_kept = false;
	/* A batch that is lost has no good end. */
	bool hopeless = !simple && (!whole || session->lost == LOST_BATCH);

	if (!hopeless && handler(session, message + WIRE_HEADER_SIZE, whole ? message + size : NULL))
		return true;
	refuse(session, false);
	session->skipping = SESSION_SKIP_TO_SYNC;
	return true;
}
