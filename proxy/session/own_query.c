/* Queries of our own on a session's server connection, simple ones: the client sees nothing of them. */
#include "pgweir/wire.h"
#include "session_internal.h"

static void request(struct backend *backend, uint8_t flags, struct statement_name *name)
{
	backend_request(backend, REQUEST_QUERY, REQUEST_INJECTED | flags, name);
	/* A simple query takes the unnamed statement away. */
	backend->unnamed_token = 0;
}

static void make_message(struct buf *sql, struct buf *message)
{
	buf_append_char(sql, '\0');
	wire_put_query(message, sql->bytes);
	sql->size = 0;
}

void own_query_put_message(struct session *session, const struct buf *message, uint8_t flags, struct statement_name *name)
{
	request(session->backend, flags, name);
	outbox_put(&session_relay(session)->to_server, message->bytes, message->size);
}

void own_query_put(struct session *session, struct buf *sql, uint8_t flags, struct statement_name *name)
{
	struct buf message = { 0 };

	make_message(sql, &message);
	own_query_put_message(session, &message, flags, name);
	buf_fini(&message);
}

void own_query_ask(struct session *session, struct buf *sql, uint8_t flags)
{
	struct conn *conn = &session->backend->server->conn;
	struct buf message = { 0 };

	make_message(sql, &message);
	request(session->backend, REQUEST_SETUP | flags, NULL);
	session->state = SESSION_SETTING_UP;
	session->setup_kept = false;
	if (!conn_send(conn, message.bytes, message.size))
		conn_want_read(conn, true);
	buf_fini(&message);
	buf_fini(sql);
}
