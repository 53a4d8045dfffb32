/* Failure story: anything that goes wrong with the connection ends in pgclient_give_up(): every query gets the error, then
 * the owner, once. What goes wrong with a query alone is that query's error, and the connection goes on. A callback may
 * free the client; `gone` tells whoever called it. */
#include "pgweir/pgclient.h"

#include <libpq-fe.h>
#include <string.h>

#include "pgclient_loop.h"
#include "pgweir/mem.h"

static void socket_ready(unsigned what, void *arg);

void pgclient_watch(struct pgclient *client, bool wanted)
{
	if (client->watching)
		loop_io_fini(&client->io);
	client->watching = wanted;
	if (wanted)
		loop_io_init(&client->io, client->loop, PQsocket(client->conn), socket_ready, client);
}

static void close_connection(struct pgclient *client)
{
	pgclient_forget_resolution(client);
	pgclient_watch(client, false);
	pgclient_drop_result(client);
	PQfinish(client->conn);
	client->conn = NULL;
}

void pgclient_free(struct pgclient **client)
{
	struct pgclient *gone = *client;

	*client = NULL;
	if (!gone)
		return;
	if (gone->gone)
		*gone->gone = true;
	loop_timer_stop(&gone->timer);
	close_connection(gone);
	while (!list_empty(&gone->queries))
		pgclient_drop_query(gone);
	char *const texts[] = { gone->host, gone->dbname, gone->user, gone->sslmode, gone->ca_file, gone->cert_file,
		gone->key_file, gone->application_name, gone->options };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		mem_free(texts[i]);
	mem_secret_free(gone->password);
	mem_secret_free(gone->key_passphrase);
	mem_free(gone);
}

/* --- What ends it --- */

void pgclient_give_up(struct pgclient *client, const struct error *error)
{
	struct error copy = *error, query_error = *error;

	client->state = STATE_DEAD;
	loop_timer_stop(&client->timer);
	close_connection(client);
	while (!list_empty(&client->queries)) {
		if (!pgclient_finish_query(client, NULL, &query_error))
			return;
		/* It was not those behind it that took too long. */
		if (strcmp(copy.sqlstate, "57014") == 0)
			error_set(&query_error, "08006", "the connection was closed, since a query took too long");
	}
	client->callback(client, &copy, client->arg);
}

void pgclient_give_up_as_libpq_says(struct pgclient *client)
{
	struct error error;

	/* A server that wants a password where there is none is there, as one that refuses a wrong one. */
	pgclient_take_text(&error, PQconnectionNeedsPassword(client->conn) ? "28P01" : "08006", PQerrorMessage(client->conn));
	if (client->state == STATE_CONNECTING)
		pgclient_take_sqlstate(&error);
	pgclient_give_up(client, &error);
}

static void timer_fired(void *arg)
{
	struct pgclient *client = arg;

	if (!client->failure.text[0] && client->state == STATE_BUSY)
		error_set(&client->failure, "57014", "the query took too long");
	else if (!client->failure.text[0])
		error_set(&client->failure, "08006", "connecting to %s:%u took too long", client->host, client->port);
	pgclient_give_up(client, &client->failure);
}

void pgclient_fail_later(struct pgclient *client)
{
	loop_timer_start(&client->timer, 0);
}

/* --- While it lives --- */

struct pgclient *pgclient_new(struct loop *loop, const struct pgclient_options *options, pgclient_cb *callback, void *arg)
{
	struct pgclient *client = NEW(struct pgclient);

	*client = (struct pgclient){
		.loop = loop,
		.callback = callback,
		.arg = arg,
		.host = mem_strdup(options->host),
		.port = options->port,
		.dbname = mem_strdup(options->dbname),
		.user = mem_strdup(options->user),
		.password = mem_secret_dup(options->password),
		.sslmode = mem_strdup(options->sslmode),
		.ca_file = mem_strdup(options->ssl_ca_file),
		.cert_file = mem_strdup(options->ssl_cert_file),
		.key_file = mem_strdup(options->ssl_key_file),
		.key_passphrase = mem_secret_dup(options->ssl_key_passphrase),
		.application_name = mem_strdup(options->application_name),
		.options = mem_strdup(options->options),
	};
	list_init(&client->queries);
	loop_timer_init(&client->timer, loop, timer_fired, client);
	if (options->connect_timeout_ms)
		loop_timer_start(&client->timer, options->connect_timeout_ms);
	pgclient_open(client);
	return client;
}

static void drop_notifications(struct pgclient *client)
{
	PGnotify *notification;

	while ((notification = PQnotifies(client->conn)))
		PQfreemem(notification);
}

static void socket_ready(unsigned what, void *arg)
{
	struct pgclient *client = arg;

	if (client->state == STATE_CONNECTING) {
		pgclient_connect_further(client);
		return;
	}
	if (what & LOOP_WRITE)
		pgclient_flush(client);
	if (!(what & LOOP_READ))
		return;
	if (!PQconsumeInput(client->conn) && client->state == STATE_IDLE) {
		pgclient_give_up_as_libpq_says(client);
		return;
	}
	drop_notifications(client);
	if (client->state == STATE_BUSY)
		pgclient_read_results(client);
	else if (PQstatus(client->conn) == CONNECTION_BAD)
		pgclient_give_up_as_libpq_says(client);
}

/* --- Looking at it --- */

bool pgclient_is_open(const struct pgclient *client)
{
	return client->state == STATE_IDLE || client->state == STATE_BUSY;
}

int pgclient_server_version(const struct pgclient *client)
{
	return client->conn ? PQserverVersion(client->conn) : 0;
}

const char *pgclient_address(const struct pgclient *client)
{
	const char *address = pgclient_is_open(client) ? PQhostaddr(client->conn) : NULL;

	return address && address[0] ? address : NULL;
}
