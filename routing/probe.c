/* Failure story: a connection that is lost while nothing was asked is made anew, and only what comes of that counts. A
 * server that refuses our login or our query is there, and says nothing about itself: that is not its being down. */
#include "probe.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/clock.h"
#include "pgweir/key_passphrase.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "pgweir/pgclient.h"
#include "pgweir/secret_login.h"
#include "names.h"
#include "pace.h"
#include "questions.h"

enum { TIMEOUT_LEAST_MS = 2000, NODES_AGAIN_US = 5 * 1000 * 1000 };

enum probe_state { PROBE_WAITING, PROBE_CONNECTING, PROBE_ASKING };

struct probe {
	enum probe_state state;
	struct loop *loop;
	struct config *config;          /* A reference. */
	const struct config_cluster *cluster;
	const struct config_host *host;
	probe_cb *callback;
	probe_nodes_cb *nodes_callback;
	void *arg;
	struct pgclient *client;        /* NULL: not connected. */
	struct secret_login *login;
	struct names *names;            /* NULL: the host is no name, or names are not resolved again. */
	struct loop_timer timer;
	enum source source;             /* Of this connection's server. */
	bool multi_az;                  /* It is a node of an RDS Multi-AZ cluster. */
	uint64_t nodes_us;              /* When it was asked for nodes; 0: not yet. */
	uint64_t asked_us;
	unsigned failures;              /* In a row. */
	bool blind;                     /* The last one was a refusal. */
	bool hasty;
};

static uint64_t timeout_ms(const struct probe *probe)
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

static void failed(struct probe *probe, const struct error *error, bool refused)
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

static uint64_t number(const struct pgclient_result *result, enum answer_column column)
{
	const char *text = pgclient_value(result, 0, column);

	return text ? strtoull(text, NULL, 10) : 0;
}

/* Whoever answers with an error is up, whatever it is that it does not know or let us do. True: that was it. */
static bool went_wrong(struct probe *probe, const struct pgclient_result *result, const struct error *error, size_t columns)
{
	struct error strange;

	if (!error && (pgclient_rows(result) == 0 || pgclient_columns(result) != columns)) {
		error_set(&strange, "42P01", "the server does not answer as PostgreSQL does");
		error = &strange;
	}
	if (!error)
		return false;
	/* Lost: connection_changed() comes next. */
	if (pgclient_is_open(probe->client))
		failed(probe, error, true);
	return true;
}

static bool is_true(const struct pgclient_result *result, size_t column)
{
	const char *text = pgclient_value(result, 0, column);

	return text && text[0] == 't';
}

static void tell(struct probe *probe, const struct observation *observation)
{
	struct pace pace = pace_of(probe);

	probe->failures = 0;
	probe->blind = false;
	look_again_after(probe, pace_after_answer_ms(&pace));
	probe->callback(observation, NULL, probe->arg);
}

/* --- Streaming replication --- */

static void nodes_answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct probe *probe = arg;
	struct nodes nodes;

	if (error && !pgclient_is_open(probe->client))
		return;
	if (!error)
		questions_read_nodes(result, &nodes);
	probe->nodes_callback(error ? NULL : &nodes, error, probe->arg);
}

/* Behind a look at the primary, now and then. */
static void ask_for_nodes(struct probe *probe)
{
	uint64_t now_us = clock_now_us();
	const char *query = probe->cluster->topology_query ? probe->cluster->topology_query
		: probe->multi_az ? questions_multi_az_nodes : NULL;

	if (!query || (probe->nodes_us && now_us < probe->nodes_us + NODES_AGAIN_US))
		return;
	char *sql = questions_wrap(query);

	probe->nodes_us = now_us;
	pgclient_query(probe->client, sql, NULL, 0, timeout_ms(probe), nodes_answered, probe);
	mem_free(sql);
}

static void answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct probe *probe = arg;

	if (went_wrong(probe, result, error, ANSWER_COLUMNS))
		return;
	struct observation observation = {
		.what = is_true(result, ANSWER_RECOVERING) ? OBSERVED_REPLICA : OBSERVED_PRIMARY,
		.asked_us = probe->asked_us,
		.now_us = clock_now_us(),
		.system_identifier = number(result, ANSWER_SYSTEM),
		.timeline = (uint32_t)number(result, ANSWER_TIMELINE),
		.position = number(result, ANSWER_POSITION),
		.wal = { (uint32_t)number(result, ANSWER_SEGMENT), (uint32_t)number(result, ANSWER_PAGE) },
	};

	tell(probe, &observation);
	if (observation.what == OBSERVED_PRIMARY)
		ask_for_nodes(probe);
}

/* --- Aurora: storage is shared, so that there are neither timelines nor positions --- */

/* A former writer may not have noticed yet: what it says of the others counts. */
static enum observed aurora_role(bool recovering, const struct node *writer, const struct node *self)
{
	return recovering || (writer && self && writer != self) ? OBSERVED_REPLICA : OBSERVED_PRIMARY;
}

static bool is_own_name(const struct node *self, const struct config_host *host)
{
	return !self || !self->host[0] || (strcasecmp(self->host, host->host) == 0 && self->port == host->port);
}

static void aurora_answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct probe *probe = arg;
	struct nodes nodes;

	if (went_wrong(probe, result, error, NODE_COLUMNS))
		return;
	questions_read_nodes(result, &nodes);
	nodes_place(&nodes, probe->host);
	const struct node *self = nodes_self(&nodes);
	struct observation observation = {
		.what = aurora_role(is_true(result, NODE_RECOVERING), nodes_writer(&nodes), self),
		.asked_us = probe->asked_us,
		.now_us = clock_now_us(),
		.tells_lag = self && self->tells_lag,
		.lag_us = self ? self->lag_us + self->age_us : 0,
		.server = self ? map_hash(self->id, strlen(self->id)) : 0,
		.shared_name = !is_own_name(self, probe->host),
	};

	tell(probe, &observation);
	probe->nodes_callback(&nodes, NULL, probe->arg);
}

/* --- Looking --- */

static void ask(struct probe *probe);

static void kind_answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct probe *probe = arg;

	if (went_wrong(probe, result, error, KIND_COLUMNS))
		return;
	probe->source = is_true(result, KIND_AURORA) ? SOURCE_AURORA : SOURCE_STREAMING;
	probe->multi_az = is_true(result, KIND_MULTI_AZ);
	ask(probe);
}

static void ask_nodes_of_aurora(struct probe *probe)
{
	char *sql = questions_wrap(probe->cluster->topology_query ? probe->cluster->topology_query : questions_aurora_nodes);

	pgclient_query(probe->client, sql, NULL, 0, timeout_ms(probe), aurora_answered, probe);
	mem_free(sql);
}

static void ask(struct probe *probe)
{
	probe->state = PROBE_ASKING;
	probe->asked_us = clock_now_us();
	switch (probe->source) {
	case SOURCE_UNKNOWN:
		pgclient_query(probe->client, questions_kind, NULL, 0, timeout_ms(probe), kind_answered, probe);
		break;
	case SOURCE_STREAMING:
		pgclient_query(probe->client, questions_streaming, NULL, 0, timeout_ms(probe), answered, probe);
		break;
	case SOURCE_AURORA:
		ask_nodes_of_aurora(probe);
		break;
	}
}

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
		ask(probe);
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
	failed(probe, &reason, is_refusal(reason.sqlstate));
}

static void connect_with(const struct credentials *credentials, const struct error *error, void *arg)
{
	struct probe *probe = arg;
	const struct config_cluster *cluster = probe->cluster;
	const struct config_tls *tls = &cluster->server_tls;

	if (error) {
		failed(probe, error, true);
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
		.connect_timeout_ms = timeout_ms(probe),
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
		ask(probe);
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
