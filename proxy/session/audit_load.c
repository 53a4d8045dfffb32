/* Asks a client's server connection for the list of functions, after the transaction that first needed it.
 *
 * Failure story: if the server refuses, or is too slow, the list says so; if the connection is lost, the next to need it asks. */
#include "audit_internal.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

static bool is_quiet(const struct session *session)
{
	return session->state == SESSION_LINKED && session->pass_left == 0 && session->held.size == 0
		&& backend_quiet(session->backend);
}

bool audit_is_due(struct session *session)
{
	struct audit *audit = session->audit;

	if (!audit || !(audit->wanted || audit->refresh) || !is_quiet(session))
		return false;
	audit_adopt(session->share);
	if (!audit->wanted || !audit_functions(session))
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
	struct backend *backend = session->backend;
	struct buf message = { 0 };

	session->audit->wanted = session->audit->refresh = false;
	session->audit->load_failed = false;
	session->audit->builder = functions_builder_new(session->share->functions_home);
	session->share->stats.function_loads++;
	wire_put_query(&message, functions_question());
	backend_request(backend, REQUEST_QUERY, REQUEST_INJECTED | REQUEST_SETUP | REQUEST_READ, NULL);
	backend->unnamed_token = 0;
	session->state = SESSION_SETTING_UP;
	if (!conn_send(&backend->server->conn, message.bytes, message.size))
		conn_want_read(&backend->server->conn, true);
	buf_fini(&message);
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

	functions_publish(&audit->builder, audit->load_failed, session->worker->now_us);
	audit_adopt(session->share);
	audit_judge_pending(session);
}
