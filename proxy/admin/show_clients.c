/* SHOW CLIENTS */
#include <string.h>

#include "pgweir/clock.h"
#include "show.h"
#include "socket_row.h"

static const struct column client_columns[] = {
	SOCKET_COLUMNS,
	{ "id", COLUMN_INT8 },
	{ "replication", COLUMN_TEXT },
	{ "pin", COLUMN_TEXT },
	{ "worker", COLUMN_INT8 },
};
const struct table clients_table = TABLE(client_columns);

static const char *const session_states[] = {
	[SESSION_WELCOMING] = "waiting",
	[SESSION_IDLE] = "idle",
	[SESSION_WAITING] = "waiting",
	[SESSION_SETTING_UP] = "active",
	[SESSION_LINKED] = "active",
	[SESSION_FINISHING] = "active",
	[SESSION_CLOSED] = "closed",
};

static const char *setting_of(const struct session *session, const char *name)
{
	const char *value = state_get(session->settings, name);

	return value ? value : state_get(session->login_settings, name);
}

struct socket_row socket_row_of_session(const struct session *session, struct sockaddr_storage *address)
{
	*address = (struct sockaddr_storage){ 0 };
	memcpy(address, &session->address, sizeof(session->address));
	return (struct socket_row){
		.type = "C",
		.user = session->guest->name,
		.database = session->share->database_name,
		.state = session_states[session->state],
		.application_name = setting_of(session, "application_name"),
		.conn = &session->conn,
		.address = address,
		.now_us = session->worker->now_us,
		.connected_us = session->connected_us,
		.request_us = session->request_us,
		.waiting_since_us = session->waiter.since_us,
		.id = session->id,
		.link = session->backend ? session->backend->id : 0,
		.prepared = session->names.size,
	};
}

/* "listen,cursor" */
static void put_pins(struct result *result, uint32_t pins)
{
	struct buf text = { 0 };

	for (unsigned pin = 0; pin < PIN_COUNT; pin++) {
		if (!(pins & PIN_BIT(pin)))
			continue;
		if (text.size)
			buf_append_char(&text, ',');
		buf_append_text(&text, session_pin_name((enum session_pin)pin));
	}
	buf_append_char(&text, '\0');
	result_text(result, text.bytes);
	buf_fini(&text);
}

static void put_session(struct job *job, const struct session *session)
{
	struct result *result = &job->result;
	struct sockaddr_storage address;
	struct socket_row row = socket_row_of_session(session, &address);

	result_begin(result);
	socket_row_put(result, &row);
	result_int(result, (int64_t)session->id);
	result_text(result, session->replication ? session->replication : "none");
	put_pins(result, session->pins);
	result_int(result, session->worker->index);
	result_end(result);
}

struct socket_row socket_row_of_console(const struct client *client)
{
	return (struct socket_row){
		.type = "C",
		.user = client->user,
		.database = client->database_name,
		.state = "active",
		.application_name = client->application_name,
		.conn = &client->conn,
		.address = &client->address,
		.now_us = clock_now_us(),
		.connected_us = client->connected_us,
		.request_us = client->request_us,
		.id = client->id,
		.prepared = client->statements.size,
	};
}

static void put_console(struct job *job, const struct client *client)
{
	struct result *result = &job->result;
	struct socket_row row = socket_row_of_console(client);

	result_begin(result);
	socket_row_put(result, &row);
	result_int(result, (int64_t)client->id);
	result_text(result, "none");
	result_text(result, "");
	result_null(result);
	result_end(result);
}

static void visit_client(struct list *link, void *arg)
{
	put_session(arg, LIST_MEMBER(link, struct session, link));
}

void show_clients(struct job *job)
{
	static const struct worker_walk walk = { .session = visit_client };

	LIST_FOREACH(link, next, admin_clients())
		put_console(job, LIST_MEMBER(link, struct client, link));
	job_walk(job, &walk, show_done);
}
