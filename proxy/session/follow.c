/* Settings that a client changes follow it.
 *
 * Which they are, the server knows best: transactions, savepoints, SET LOCAL and functions all have their say. So after a
 * transaction in which something may have changed a setting, the server is asked once what differs from its login, and
 * the answer becomes the session's settings. What a RESET took away of the client's own startup values is added again.
 *
 * Failure story: if the server will not say, the session keeps its server connection. */
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"
#include "session_internal.h"

/* Operators are named with their schema, since search_path is the client's. The login's own user is the parameter. */
static const char question[] =
	"SELECT s.name, s.setting FROM pg_catalog.pg_settings s WHERE s.source OPERATOR(pg_catalog.=) 'session'"
	" AND s.context OPERATOR(pg_catalog.<>) 'internal' UNION ALL SELECT 'role', r FROM pg_catalog.current_setting('role') r"
	" WHERE r OPERATOR(pg_catalog.<>) 'none' UNION ALL SELECT 'session_authorization', a"
	" FROM pg_catalog.current_setting('session_authorization') a WHERE a OPERATOR(pg_catalog.<>) ";

static void put_literal(struct buf *out, const char *text)
{
	buf_append_text(out, "E'");
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_append_char(out, *text);
		buf_append_char(out, *text);
	}
	buf_append_char(out, '\'');
}

bool follow_is_due(const struct session *session)
{
	const struct backend *backend = session->backend;

	return session->settings_changed && session->mode != POOL_MODE_SESSION && session->state == SESSION_LINKED
		&& session->pass_left == 0 && session->held.size == 0 && backend_quiet(backend);
}

void follow_ask(struct session *session)
{
	struct backend *backend = session->backend;
	struct buf sql = { 0 }, message = { 0 };

	buf_append_text(&sql, question);
	put_literal(&sql, backend->server->target->credentials->user);
	buf_append_char(&sql, '\0');
	wire_put_query(&message, sql.bytes);
	backend_request(backend, REQUEST_QUERY, REQUEST_INJECTED | REQUEST_SETUP | REQUEST_READ, NULL);
	backend->unnamed_token = 0;
	session->settings_changed = false;
	session->learned = NEW(struct state_builder);
	session->state = SESSION_SETTING_UP;
	if (!conn_send(&backend->server->conn, message.bytes, message.size))
		conn_want_read(&backend->server->conn, true);
	buf_fini(&sql);
	buf_fini(&message);
}

/* The next column of a DataRow as text of its own, or NULL. */
static char *take_column(const char **at, const char *end)
{
	if (end - *at < 4)
		return NULL;
	uint32_t size = wire_u32(*at);

	*at += 4;
	if (size > (size_t)(end - *at))
		return NULL;
	char *text = mem_strndup(*at, size);

	*at += size;
	return text;
}

void follow_row(struct session *session, const char *message, size_t size)
{
	const char *at = message + WIRE_HEADER_SIZE + 2, *end = message + size;

	if (!session->learned || size < WIRE_HEADER_SIZE + 2)
		return;
	char *name = take_column(&at, end);
	char *value = name ? take_column(&at, end) : NULL;

	if (value)
		state_builder_set(session->learned, name, value);
	mem_free(name);
	mem_free(value);
}

static struct state *with_startup_values(const struct state *now, const struct state *startup)
{
	struct state_builder builder = { 0 };

	state_builder_copy(&builder, now);
	for (size_t i = 0; i < state_count(startup); i++)
		if (!state_get(now, state_pairs(startup)[i].name))
			state_builder_set(&builder, state_pairs(startup)[i].name, state_pairs(startup)[i].value);
	return state_builder_finish(&builder);
}

static void replace(struct state **to, struct state *with)
{
	state_unref(to);
	*to = with;
}

/* With the answer complete. */
void follow_learned(struct session *session)
{
	struct backend *backend = session->backend;
	struct state *now = state_builder_finish(session->learned);

	mem_free(session->learned);
	session->learned = NULL;
	replace(&session->settings, with_startup_values(now, session->startup));
	replace(&backend->settings, now);
	replace(&session->parse_scope, session_parse_scope(session->settings));
	session->waiter.settings = session->settings;
	session->setup_due = backend->settings != session->settings;
	if (session->pinned_otherwise)
		return;
	if (session->pin == PIN_SETTING)
		session->pin = PIN_NONE;
	backend->touched = false;
}

/* The server has refused to say. */
void follow_failed(struct session *session)
{
	struct state *learned = state_builder_finish(session->learned);

	state_unref(&learned);
	mem_free(session->learned);
	session->learned = NULL;
}
