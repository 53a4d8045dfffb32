/* Asks a client's server connection for the list of functions, after the transaction that first needed it.
 *
 * With routing = auto the list has names as well (pgweir/route_names.h). Then only a primary is asked: a replica may not have
 * seen yet the DDL because of which the question is asked.
 *
 * Failure story: if the server refuses, or is too slow, the list says so; if the connection is lost, the next to need it asks. */
#include <stdatomic.h>
#include <string.h>

#include "audit_internal.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

static bool is_quiet(const struct session *session)
{
	return session->state == SESSION_LINKED && session->pass_left == 0 && session->held.size == 0
		&& !session_needs_unnamed(session) && backend_quiet(session->backend);
}

static bool names_are_wanted(const struct session *session)
{
	return atomic_load_explicit(&session->share->functions_home->names_wanted, memory_order_relaxed);
}

/* The list that there is has no names because nobody has asked for any. */
static bool lacks_names(const struct session *session, const struct functions *functions)
{
	return !functions->names_asked && names_are_wanted(session);
}

static bool is_on_standby(const struct session *session)
{
	const char *standby = parameters_get(&session->backend->server->parameters, "in_hot_standby");

	return standby && strcmp(standby, "on") == 0;
}

const struct route_names *audit_names(struct session *session)
{
	audit_adopt(session->share);
	const struct functions *functions = audit_functions(session);

	/* All workers read what lies beside it. */
	if (!names_are_wanted(session))
		atomic_store_explicit(&session->share->functions_home->names_wanted, true, memory_order_relaxed);
	if (!functions || lacks_names(session, functions)) {
		audit_of(session)->wanted = true;
		return NULL;
	}
	if (functions_refresh_is_mine(session->share->functions_home, functions, session->worker->now_us))
		audit_of(session)->refresh = true;
	return functions->names;
}

bool audit_is_due(struct session *session)
{
	struct audit *audit = session->audit;
	const struct functions *functions;

	if (!audit || !(audit->wanted || audit->refresh) || !is_quiet(session))
		return false;
	if (names_are_wanted(session) && is_on_standby(session))
		return false;
	audit_adopt(session->share);
	functions = audit_functions(session);
	if (!audit->wanted || !functions || lacks_names(session, functions))
		return true;
	/* Another client has asked meanwhile. */
	audit->wanted = false;
	audit_judge_pending(session);
	return audit->refresh;
}

bool audit_loads(const struct session *session)
{
	return session->audit && session->audit->builder;
}

void audit_load(struct session *session)
{
	struct buf sql = { 0 };

	session->audit->wanted = session->audit->refresh = false;
	session->audit->load_failed = false;
	session->audit->builder = functions_builder_new(session->share->functions_home);
	session->share->stats.function_loads++;
	char *question = functions_builder_question(session->audit->builder);

	buf_append_text(&sql, question);
	mem_free(question);
	own_query_ask(session, &sql, REQUEST_READ);
}

void audit_row(struct session *session, const char *message, size_t size)
{
	const char *at = message + WIRE_HEADER_SIZE + 2, *end = message + size;
	char *columns[4] = { NULL };
	size_t count = 0;

	if (size < WIRE_HEADER_SIZE + 2)
		return;
	while (count < ARRAY_LEN(columns) && (columns[count] = leftovers_take_column(&at, end)))
		count++;
	if (count == ARRAY_LEN(columns))
		functions_builder_row(session->audit->builder, columns[0], columns[1], columns[2], columns[3]);
	else
		session->audit->load_failed = true;
	for (size_t i = 0; i < count; i++)
		mem_free(columns[i]);
}

void audit_load_failed(struct session *session)
{
	if (audit_loads(session))
		session->audit->load_failed = true;
}

void audit_loaded(struct session *session)
{
	struct audit *audit = session->audit;

	functions_builder_set_encoding(audit->builder, parameters_get(&session->backend->server->parameters, "client_encoding"));
	functions_publish(&audit->builder, audit->load_failed, session->worker->now_us);
	audit_adopt(session->share);
	audit_judge_pending(session);
}
