/* Failure story: a connection that is lost while nothing was asked is made anew, and only what comes of that counts. A
 * server that refuses our login or our query is there, and says nothing about itself: that is not its being down. */
#include "probe_internal.h"

#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/key_passphrase.h"
#include "pgweir/mem.h"
#include "pace.h"

enum { TIMEOUT_LEAST_MS = 2000 };

uint64_t probe_timeout_ms(const struct probe *probe)
{
	uint64_t interval_ms = probe->cluster->probe_interval_ms;

	return interval_ms > TIMEOUT_LEAST_MS ? interval_ms : TIMEOUT_LEAST_MS;
}

/* --- What comes of a look --- */

static void look_again_after(struct probe *probe, uint64_t delay_ms)
{
	probe->state = PROBE_WAITING;
	loop_timer_start(&probe->timer, delay_ms);
}

static struct pace pace_of(const struct probe *probe)
{
	return (struct pace){ probe->cluster->probe_interval_ms, (unsigned)probe->cluster->probe_failures, probe->hasty };
}

/* Login, name of the database, privileges, no room: the server has something against us, and is there. */
static bool is_refusal(const char *sqlstate)
{
	static const char *const classes[] = { "28", "3D", "42", "53" };

	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

void probe_failed(struct probe *probe, const struct error *error, bool refused)
{
	probe->blind = refused;
	struct observation observation = {
		.what = probe->blind ? OBSERVED_BLIND : OBSERVED_DOWN, .asked_us = probe->asked_us, .now_us = clock_now_us(),
	};

	struct pace pace = pace_of(probe);

	probe->failures++;
	look_again_after(probe, pace_after_failure_ms(&pace, probe->failures, probe->blind));
	probe->callback(&observation, error, probe->arg);
}

void probe_tell(struct probe *probe, const struct observation *observation)
{
	struct pace pace = pace_of(probe);

	probe->failures = 0;
	probe->blind = false;
	look_again_after(probe, pace_after_answer_ms(&pace));
	probe->callback(observation, NULL, probe->arg);
}

/* --- Looking --- */

/* As configured; `auto` asks each new connection. */
static enum source source_of(const struct config_cluster *cluster)
{
	if (strcmp(cluster->lag_source, "streaming") == 0)
		return SOURCE_STREAMING;
	return strcmp(cluster->lag_source, "aurora") == 0 ? SOURCE_AURORA : SOURCE_UNKNOWN;
}

static void open_connection(struct probe *probe);

static void connection_changed(struct pgclient *client, const struct error *error, void *arg)
{
	struct probe *probe = arg;

	if (!error) {
		secret_login_worked(probe->login);
		names_note(probe->names, pgclient_address(client));
		probe_ask(probe);
		return;
	}
	struct error reason = *error;

	probe->client = NULL;
	pgclient_free(&client);
	if (probe->state == PROBE_WAITING) {
		open_connection(probe);
		probe->callback(&(struct observation){ .what = OBSERVED_LOST, .now_us = clock_now_us() }, NULL, probe->arg);
		return;
	}
	if (secret_login_try_other(probe->login, &reason))
		return;
	probe_failed(probe, &reason, is_refusal(reason.sqlstate));
}

static void connect_with(const struct credentials *credentials, const struct error *error, void *arg)
{
	struct probe *probe = arg;
	const struct config_cluster *cluster = probe->cluster;
	const struct config_tls *tls = &cluster->server_tls;

	if (error) {
		probe_failed(probe, error, true);
		return;
	}
	char *passphrase = key_passphrase_find(tls);
	struct pgclient_options options = {
		.host = probe->host->host,
		.port = probe->host->port,
		.dbname = cluster->probe_dbname,
		.user = credentials->user,
		.password = credentials->password,
		.sslmode = config_sslmode_word(tls->sslmode),
		.ssl_ca_file = tls->ca_file,
		.ssl_cert_file = tls->cert_file,
		.ssl_key_file = tls->key_file,
		.ssl_key_passphrase = passphrase,
		.application_name = probe->config->application_name,
		.options = "-c search_path=pg_catalog",
		.connect_timeout_ms = probe_timeout_ms(probe),
	};

	probe->client = pgclient_new(probe->loop, &options, connection_changed, probe);
	mem_secret_free(passphrase);
}

static void open_connection(struct probe *probe)
{
	const struct config_cluster *cluster = probe->cluster;

	loop_timer_stop(&probe->timer);
	probe->source = source_of(cluster);
	probe->multi_az = false;
	probe->nodes_us = 0;
	probe->state = PROBE_CONNECTING;
	probe->asked_us = clock_now_us();
	secret_login_begin(probe->login, credentials_for_us(cluster->probe_secret, cluster->probe_user, cluster->probe_password),
		probe->host->host, probe->host->port);
}

/* Another server may be behind the name. */
static void name_moved(const struct resolver_answer *now, void *arg)
{
	struct probe *probe = arg;
	const char *address = probe->client ? pgclient_address(probe->client) : NULL;

	if (address && resolver_answer_has(now, address)) {
		names_note(probe->names, address);
	} else if (probe->client) {
		pgclient_free(&probe->client);
		open_connection(probe);
	}
	probe->callback(&(struct observation){ .what = OBSERVED_LOST, .now_us = clock_now_us(), .moved = true }, NULL, probe->arg);
}

static void look(void *arg)
{
	struct probe *probe = arg;

	/* Nothing is to remember what the secret does not have any more, and libpq does. */
	if (probe->client && secret_login_is_retired(probe->login))
		pgclient_free(&probe->client);
	if (probe->client)
		probe_ask(probe);
	else
		open_connection(probe);
}

/* Not at once after the last one: many may call. */
void probe_hurry(struct probe *probe)
{
	if (probe->state != PROBE_WAITING || probe->blind)
		return;
	uint64_t since_ms = (clock_now_us() - probe->asked_us) / 1000;

	loop_timer_start(&probe->timer, since_ms < PACE_HASTY_MS ? PACE_HASTY_MS - since_ms : 0);
}

void probe_haste(struct probe *probe, bool hasty)
{
	bool sooner = hasty && !probe->hasty;

	probe->hasty = hasty;
	if (sooner)
		probe_hurry(probe);
}

void probe_renew(struct probe *probe)
{
	if (probe->state == PROBE_WAITING && probe->blind)
		loop_timer_start(&probe->timer, 0);
}

struct probe *probe_new(struct loop *loop, const struct probe_options *options, probe_cb *callback, void *arg)
{
	struct probe *probe = NEW(struct probe);

	*probe = (struct probe){
		.loop = loop,
		.config = config_ref(options->config),
		.cluster = options->cluster,
		.host = options->host,
		.callback = callback,
		.nodes_callback = options->nodes_callback,
		.arg = arg,
	};
	probe->login = secret_login_new(loop, connect_with, probe);
	if (probe->config->dns_max_ttl_ms)
		probe->names = names_new(loop, probe->host, probe->config->dns_max_ttl_ms, name_moved, probe);
	loop_timer_init(&probe->timer, loop, look, probe);
	loop_timer_start(&probe->timer, 0);
	return probe;
}

void probe_free(struct probe **probe)
{
	struct probe *gone = *probe;

	*probe = NULL;
	if (!gone)
		return;
	loop_timer_stop(&gone->timer);
	names_free(&gone->names);
	pgclient_free(&gone->client);
	secret_login_free(&gone->login);
	config_unref(&gone->config);
	mem_free(gone);
}

const char *probe_source(const struct probe *probe)
{
	static const char *const words[] = { [SOURCE_STREAMING] = "streaming", [SOURCE_AURORA] = "aurora" };

	return words[probe->source];
}
