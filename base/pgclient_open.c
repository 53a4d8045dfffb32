/* Connecting, on a loop: the name is looked up first, then libpq goes on whenever its socket is ready. */
#include <libpq-fe.h>

#include "pgclient_loop.h"
#include "pgweir/mem.h"

/* What the resolver calls back with; outlives a client that is freed meanwhile. */
struct resolution {
	struct pgclient *client;
};

static void ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static void start_connecting(struct pgclient *client, const struct resolver_answer *answer)
{
	const struct pgclient_options options = {
		.host = client->host, .port = client->port, .dbname = client->dbname, .user = client->user,
		.password = client->password, .sslmode = client->sslmode, .ssl_ca_file = client->ca_file,
		.ssl_cert_file = client->cert_file, .ssl_key_file = client->key_file, .ssl_key_passphrase = client->key_passphrase,
		.application_name = client->application_name, .options = client->options,
	};

	client->state = STATE_CONNECTING;
	client->conn = pgclient_start(&options, answer);
	mem_secret_free(client->password);
	mem_secret_free(client->key_passphrase);
	client->password = client->key_passphrase = NULL;
	CHECK(client->conn);
	if (PQstatus(client->conn) == CONNECTION_BAD) {
		pgclient_take_text(&client->failure, "08006", PQerrorMessage(client->conn));
		pgclient_fail_later(client);
		return;
	}
	PQsetNoticeProcessor(client->conn, ignore_notice, NULL);
	PQsetErrorVerbosity(client->conn, PQERRORS_VERBOSE);
	pgclient_watch(client, true);
	loop_io_write(&client->io, true);
}

static void resolved(const struct resolver_answer *answer, void *arg)
{
	struct resolution *resolution = arg;
	struct pgclient *client = resolution->client;

	mem_free(resolution);
	if (!client)
		return;
	client->resolution = NULL;
	if (answer->count) {
		start_connecting(client, answer);
		return;
	}
	error_set(&client->failure, "08006", "could not resolve \"%s\": %s", client->host, answer->error_text);
	pgclient_fail_later(client);
}

void pgclient_forget_resolution(struct pgclient *client)
{
	if (client->resolution)
		client->resolution->client = NULL;
	client->resolution = NULL;
}

void pgclient_open(struct pgclient *client)
{
	if (pgclient_is_path(client->host)) {
		start_connecting(client, NULL);
		return;
	}
	client->resolution = NEW(struct resolution);
	client->resolution->client = client;
	resolver_lookup(client->loop, client->host, client->port, resolved, mem_free, client->resolution);
}

static void opened(struct pgclient *client)
{
	bool gone = false;

	client->state = STATE_IDLE;
	loop_timer_stop(&client->timer);
	PQsetErrorVerbosity(client->conn, PQERRORS_DEFAULT);
	PQsetnonblocking(client->conn, 1);
	pgclient_watch(client, true);
	loop_io_read(&client->io, true);
	client->gone = &gone;
	client->callback(client, NULL, client->arg);
	if (gone)
		return;
	client->gone = NULL;
	pgclient_send_next(client);
}

/* libpq may open another socket in here, perhaps with the same number: the old one is let go before. */
void pgclient_connect_further(struct pgclient *client)
{
	pgclient_watch(client, false);
	PostgresPollingStatusType status = PQconnectPoll(client->conn);

	if (status == PGRES_POLLING_OK) {
		opened(client);
	} else if (status == PGRES_POLLING_FAILED) {
		pgclient_give_up_as_libpq_says(client);
	} else {
		pgclient_watch(client, true);
		if (status == PGRES_POLLING_WRITING)
			loop_io_write(&client->io, true);
		else
			loop_io_read(&client->io, true);
	}
}
