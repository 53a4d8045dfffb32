/* Clients of the console, from their welcome to their end, on the control thread.
 *
 * Failure story: whatever breaks a client's connection, and whatever it sends that makes no sense, ends that client
 * only; what it had begun and not finished (a PAUSE that still waits) is undone. */
#include "pgweir/admin.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "client.h"
#include "pgweir/clock.h"
#include "pgweir/control.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/session.h"
#include "pgweir/socket.h"
#include "pgweir/wire.h"
#include "stats.h"

enum { RECEIVE_SIZE = 8192, KEY_SIZE = 4 };

static struct list clients = { &clients, &clients };

struct list *admin_clients(void)
{
	return &clients;
}

/* The end of what the log calls "client connected". */
static void log_end(const struct client *client)
{
	const struct close_reason_row *row = close_reason_row(client->closing ? client->why : CLOSE_CLIENT_GONE);
	char address[SOCKET_ADDRESS_MAX];

	if (!control_config()->log_disconnections && row->level <= LOG_LEVEL_INFO)
		return;
	socket_address_text(&client->address, address, sizeof(address));
	log_event(row->level, "client disconnected", LOG_TEXT("reason", row->name),
		LOG_TEXT("database", client->database_name), LOG_TEXT("user", client->user), LOG_TEXT("address", address));
}

static void client_free(struct client *client)
{
	log_end(client);
	list_remove(&client->link);
	client_protocol_fini(client);
	conn_close(&client->conn);
	client_slot_release(&client->slot);
	buf_fini(&client->in);
	buf_fini(&client->out);
	mem_free(client->user);
	mem_free(client->database_name);
	mem_free(client->application_name);
	mem_free(client);
}

/* Sends what there is to say. False: the client is gone. */
static bool speak(struct client *client)
{
	bool sent = client->out.size == 0 || conn_send(&client->conn, client->out.bytes, client->out.size);

	buf_fini(&client->out);
	if (sent && !client->closing)
		return true;
	client_free(client);
	return false;
}

/* What to listen for: nothing more from a client whose job is at work, but for its end. */
static void listen_on(struct client *client)
{
	if (client->job)
		conn_watch_end(&client->conn);
	else
		conn_want_read(&client->conn, !conn_blocked(&client->conn));
}

static bool go_on(struct client *client)
{
	client_advance(client);
	if (!speak(client))
		return false;
	listen_on(client);
	return true;
}

void client_job_ended(struct client *client)
{
	go_on(client);
}

static void receive(struct client *client)
{
	for (;;) {
		char *at = buf_reserve(&client->in, RECEIVE_SIZE);
		ssize_t got = conn_recv(&client->conn, at, RECEIVE_SIZE);

		if (got == CONN_AGAIN)
			return;
		if (got <= 0) {
			client_free(client);
			return;
		}
		client->in.size += (size_t)got;
		client->request_us = clock_now_us();
		/* What a client that is not listened to any more has sent stays where it is. */
		if (!go_on(client) || client->job || conn_blocked(&client->conn))
			return;
		if (client->in.size == 0)
			buf_fini(&client->in);
	}
}

static void client_event(unsigned what, void *arg)
{
	struct client *client = arg;

	if (what & LOOP_WRITE) {
		if (!conn_flush(&client->conn)) {
			client_free(client);
			return;
		}
		if (!conn_blocked(&client->conn) && !go_on(client))
			return;
	}
	if (client->job) {
		if (what & LOOP_CLOSED)
			client_free(client);
		return;
	}
	if (what & (LOOP_READ | LOOP_CLOSED) && !conn_blocked(&client->conn))
		receive(client);
}

/* --- The welcome --- */

static const char *given(const struct login_session *session, const char *name, const char *otherwise)
{
	const char *value = state_get(session->settings, name);

	return value ? value : otherwise;
}

static void put_welcome(struct client *client)
{
	const struct config *config = control_config();
	bool admin = config_list_has(config->admin_users, client->user);
	const struct { const char *name, *value; } parameters[] = {
		{ "server_version", "15.0/pgweir " PGWEIR_VERSION },
		{ "client_encoding", "UTF8" },
		{ "server_encoding", "UTF8" },
		{ "DateStyle", "ISO" },
		{ "TimeZone", "UTC" },
		{ "standard_conforming_strings", "on" },
		{ "is_superuser", admin ? "on" : "off" },
		{ "integer_datetimes", "on" },
		/* Drivers that look for a primary need not ask. */
		{ "default_transaction_read_only", "off" },
		{ "in_hot_standby", "off" },
		{ "application_name", client->application_name },
	};
	/* Nothing here can be cancelled, so that nobody needs to guess it. */
	unsigned char key[KEY_SIZE];
	ssize_t got = getrandom(key, sizeof(key), 0);

	CHECK(got == sizeof(key));
	wire_put_authentication(&client->out, 0, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
		wire_put_parameter_status(&client->out, parameters[i].name, parameters[i].value);
	wire_put_backend_key(&client->out, (uint32_t)getpid(), key, sizeof(key));
	wire_put_ready_for_query(&client->out, client->status);
}

static struct client *client_new(struct login_session *session)
{
	struct client *client = NEW(struct client);

	client->id = session_next_id();
	client->slot = session->slot;
	client->user = session->user;
	client->database_name = session->database_name;
	client->in = session->early;
	session->slot = NULL;
	session->user = session->database_name = NULL;
	session->early = (struct buf){ 0 };
	client->application_name = mem_strdup(given(session, "application_name", ""));
	client->address = session->address;
	client->tls = session->tls;
	client->status = 'I';
	client->connected_us = client->request_us = clock_now_us();
	conn_move(&client->conn, &session->conn);
	list_push_back(&clients, &client->link);
	return client;
}

static void refuse_replication(struct client *client)
{
	wire_put_error(&client->out, &(struct wire_error){ .severity = "FATAL", .sqlstate = "0A000",
		.message = "replication is not possible with the admin console" });
	client->closing = true;
	client->why = CLOSE_CLIENT_BAD_SETTING;
}

void admin_receive(struct login_session *session)
{
	struct client *client = client_new(session);
	bool replication = session->replication != NULL;

	login_session_free(&session);
	stats_start();
	conn_attach(&client->conn, control_loop(), client_event, client);
	if (replication)
		refuse_replication(client);
	else
		put_welcome(client);
	go_on(client);
}

static void end(struct client *client, enum close_reason why)
{
	wire_put_error(&client->out, &(struct wire_error){ .severity = "FATAL", .sqlstate = "57P01",
		.message = "terminating connection due to administrator command" });
	client->closing = true;
	client->why = why;
}

void client_kill(struct client *client, bool at_work)
{
	end(client, CLOSE_CLIENT_KILLED);
	if (!at_work)
		speak(client);
}

void admin_stop(void)
{
	LIST_FOREACH(link, next, &clients) {
		struct client *client = LIST_MEMBER(link, struct client, link);

		end(client, CLOSE_CLIENT_SHUTDOWN);
		speak(client);
	}
	stats_stop();
}
