/* Groups of messages: where one ends, and whether a replica may run all of it. */
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "route.h"
#include "session_internal.h"

struct walk {
	struct session *session;
	const char *bytes;
	size_t at;                      /* Of the message at hand. */
	bool executes;
	unsigned cause;                 /* So far. */
};

static void add(struct walk *walk, unsigned cause)
{
	if (!route_cause_allows_replica(walk->cause))
		return;
	if (!route_cause_allows_replica(cause) || walk->cause == ROUTE_READ)
		walk->cause = cause;
}

/* Behind the text that begins at `at`, or NULL if it does not end before `end`. */
static const char *behind_text(const char *at, const char *end)
{
	const char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;

	return nul ? nul + 1 : NULL;
}

/* What a Parse earlier in the group has called so; its text is judged there. */
static bool parsed_before(const struct walk *walk, const char *name)
{
	for (size_t at = 0; at < walk->at; at += wire_message_size(walk->bytes + at))
		if (walk->bytes[at] == 'P' && strcmp(walk->bytes + at + WIRE_HEADER_SIZE, name) == 0)
			return true;
	return false;
}

static unsigned judge_unnamed(struct session *session)
{
	const struct buf *kept = session->unnamed;

	if (!session->unnamed_token || !kept || session->pins)
		return ROUTE_PIPELINE;
	return route_judge_text(session, kept->bytes, kept->size);
}

static unsigned judge_named(const struct walk *walk, const char *name)
{
	struct session *session = walk->session;

	if (parsed_before(walk, name))
		return ROUTE_READ;
	if (!*name)
		return judge_unnamed(session);
	struct statement_name *known = map_get_text(&session->names, name);

	return known ? route_judge_statement(session, known->statement) : ROUTE_PIPELINE;
}

static void judge_parse(struct walk *walk, const char *body, const char *end)
{
	const char *text = behind_text(body, end);
	const char *types = text ? behind_text(text, end) : NULL;
	bool pins = *body && !walk->session->tracks_statements;

	add(walk, !types || pins ? ROUTE_PIPELINE : route_judge_text(walk->session, text, (size_t)(types - text)));
}

static void judge_bind(struct walk *walk, const char *body, const char *end)
{
	const char *name = behind_text(body, end);

	add(walk, name && behind_text(name, end) ? judge_named(walk, name) : ROUTE_PIPELINE);
}

static void judge_describe(struct walk *walk, const char *body, const char *end)
{
	if (body == end || !behind_text(body + 1, end))
		add(walk, ROUTE_PIPELINE);
	else if (*body == 'S')
		add(walk, judge_named(walk, body + 1));
}

/* Messages of a batch; those that are not here have no place in one that is routed. */
static void judge_message(struct walk *walk, const char *message, size_t size)
{
	const char *body = message + WIRE_HEADER_SIZE, *end = message + size;

	switch (message[0]) {
	case 'P':
		judge_parse(walk, body, end);
		break;
	case 'B':
		judge_bind(walk, body, end);
		break;
	case 'D':
		judge_describe(walk, body, end);
		break;
	case 'E':
		walk->executes = true;
		break;
	case 'C':
	case 'S':
		break;
	default:
		add(walk, ROUTE_PIPELINE);
	}
}

static const struct route_group partial = { 0, ROUTE_CAUSES };

static struct route_group judge_query(struct session *session, const char *bytes, size_t size)
{
	size_t whole = wire_message_size(bytes);

	if (whole > GROUP_MAX || whole < WIRE_HEADER_SIZE + 1)
		return (struct route_group){ 0, ROUTE_TOO_LONG };
	if (whole > size)
		return partial;
	return (struct route_group){ whole, route_judge_text(session, bytes + WIRE_HEADER_SIZE, whole - WIRE_HEADER_SIZE) };
}

struct route_group route_group_judge(struct session *session, const char *bytes, size_t size)
{
	struct walk walk = { .session = session, .bytes = bytes, .cause = ROUTE_READ };

	if (bytes[0] == 'Q')
		return judge_query(session, bytes, size);
	while (size - walk.at >= WIRE_HEADER_SIZE) {
		const char *message = bytes + walk.at;
		size_t whole = wire_message_size(message);

		if (whole < WIRE_HEADER_SIZE || whole > GROUP_MAX - walk.at)
			return (struct route_group){ 0, ROUTE_TOO_LONG };
		if (whole > size - walk.at)
			break;
		judge_message(&walk, message, whole);
		/* What is the primary's anyway need not be waited for. */
		if (!route_cause_allows_replica(walk.cause))
			return (struct route_group){ 0, walk.cause };
		walk.at += whole;
		if (message[0] == 'S')
			return (struct route_group){ walk.at, walk.cause };
	}
	return partial;
}

/* --- A group that has been kept --- */

void route_group_texts(struct session *session, const struct buf *group, route_text_cb *visit, uint64_t arg)
{
	for (size_t at = 0; at < group->size; at += wire_message_size(group->bytes + at)) {
		const char *body = group->bytes + at + WIRE_HEADER_SIZE;
		size_t size = wire_message_size(group->bytes + at) - WIRE_HEADER_SIZE;
		const char *name = NULL;

		if (group->bytes[at] == 'Q')
			visit(session, body, size, arg);
		else if (group->bytes[at] == 'P')
			visit(session, body + strlen(body) + 1, size - strlen(body) - 1, arg);
		else if (group->bytes[at] == 'B')
			name = body + strlen(body) + 1;
		struct statement_name *known = name && *name ? map_get_text(&session->names, name) : NULL;

		if (known)
			visit(session, known->statement->parse, known->statement->parse_size, arg);
		else if (name && !*name && session->unnamed)
			visit(session, session->unnamed->bytes, session->unnamed->size, arg);
	}
}

void route_group_forget_names(struct session *session, const struct buf *group)
{
	for (size_t at = 0; at < group->size; at += wire_message_size(group->bytes + at)) {
		const char *name = group->bytes + at + WIRE_HEADER_SIZE;

		if (group->bytes[at] != 'P' || !*name)
			continue;
		struct statement_name *known = map_take_text(&session->names, name);

		statement_name_unref(&known);
	}
}
