/* Prepared statements have one namespace, whether the protocol made them or SQL. Those of the protocol have names of ours
 * on the server, so that PREPARE, EXECUTE and DEALLOCATE of one are sent with that name; the server's errors get the
 * client's name back (prepared_names.c).
 *
 * Failure story: where a name cannot be told (more than SCAN_NAMES_MAX in one text), it stays as it is, and the server does not
 * find it. */
#include <string.h>

#include "pgweir/mem.h"
#include "prepared_internal.h"

struct deallocating {
	struct deallocating *next;
	struct statement_name *name;    /* NULL: not one of the protocol's. */
	struct statement_name *there;   /* What the server is to deallocate, by the client's name for it; NULL with `name`. */
};

static void drop(struct deallocating *gone)
{
	statement_name_unref(&gone->name);
	statement_name_unref(&gone->there);
	mem_free(gone);
}

void sql_names_settled(struct session *session)
{
	while (session->deallocating) {
		struct deallocating *next = session->deallocating->next;

		drop(session->deallocating);
		session->deallocating = next;
	}
}

const char *sql_names_client_name(const struct session *session, const char *server_name)
{
	for (const struct deallocating *each = session->deallocating; each; each = each->next)
		if (each->there && strcmp(each->there->statement->server_name, server_name) == 0)
			return each->there->text;
	return NULL;
}

static bool is_being_deallocated(const struct session *session, const struct statement *statement)
{
	for (const struct deallocating *each = session->deallocating; each; each = each->next)
		if (each->there && each->there->statement == statement)
			return true;
	return false;
}

/* Where this connection does not have the statement, or another DEALLOCATE has got it, one of no text stands in for it. To
 * prepare it again could fail, its table may be gone, and the client's transaction would fail with it. */
static struct statement_name *there_for(struct session *session, struct statement_name *name)
{
	if (prepared_has(&session->backend->prepared, name->statement) && !is_being_deallocated(session, name->statement))
		return statement_name_ref(name);
	return statement_name_new(name->text, prepared_stand_in(session));
}

/* Statements of the client's that are being deallocated by SQL, in the order of their command tags. Returns what the server
 * is to be told. */
static struct statement_name *note_deallocate(struct session *session, struct statement_name *name)
{
	struct statement_name *there = name ? there_for(session, name) : NULL;
	struct deallocating **end = &session->deallocating;

	while (*end)
		end = &(*end)->next;
	*end = NEW(struct deallocating);
	(*end)->name = statement_name_ref(name);
	(*end)->there = there;
	return there;
}

void sql_names_deallocated(struct session *session)
{
	struct deallocating *first = session->deallocating;

	if (!first)
		return;
	session->deallocating = first->next;
	if (first->name)
		prepared_forget(session, first->name, first->there->statement);
	drop(first);
}

/* Behind a DEALLOCATE in the same text the name is nobody's, or PREPARE's. */
static bool gone_before(const struct scan_names *names, unsigned number)
{
	for (unsigned i = 0; i < number; i++)
		if (names->list[i].effect == SCAN_DEALLOCATES
			&& (names->list[i].all || strcmp(names->list[i].text, names->list[number].text) == 0))
			return true;
	return false;
}

static struct statement_name *name_of(struct session *session, const struct scan_names *names, unsigned number)
{
	const struct scan_name *found = &names->list[number];

	if (!(found->effect & SCAN_STATEMENT_NAMES) || found->all || gone_before(names, number))
		return NULL;
	return map_get_text(&session->names, found->text);
}

bool sql_names_rewrite(struct session *session, const char *text, size_t size, struct buf *out, bool runs,
	sql_names_needed *needed)
{
	struct scan_names names;
	const char *from = text;

	scan_text(text, size, session_scan_flags(session, text, size), &names);
	for (unsigned i = 0; i < names.count; i++) {
		const struct scan_name *found = &names.list[i];
		struct statement_name *name = name_of(session, &names, i);
		bool ends = found->effect == SCAN_DEALLOCATES && !found->all;

		/* A server looks for it when it is run. */
		if (ends)
			name = runs ? note_deallocate(session, name) : NULL;
		if (!name || !found->spelled)
			continue;
		needed(session, name);
		buf_append(out, from, (size_t)(found->spelled - from));
		buf_append_text(out, name->statement->server_name);
		from = found->spelled + found->spelled_size;
	}
	if (from == text)
		return false;
	buf_append(out, from, (size_t)(text + size - from));
	return true;
}
