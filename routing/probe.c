/* Failure story: a connection that is lost while nothing was asked is made anew, and only what comes of that counts. A
 * server that refuses our login or our query is there, and says nothing about itself: that is not its being down. */
#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"
#include "pgweir/pgclient.h"
#include "pace.h"

enum { TIMEOUT_LEAST_MS = 2000 };

enum probe_state { PROBE_WAITING, PROBE_CONNECTING, PROBE_ASKING };

struct probe {
	enum probe_state state;
	struct loop *loop;
	struct config *config;          /* A reference. */
	const struct config_cluster *cluster;
	const struct config_host *host;
	probe_cb *callback;
	void *arg;
	struct pgclient *client;        /* NULL: not connected. */
	struct loop_timer timer;
	uint64_t asked_us;
	unsigned failures;              /* In a row. */
	bool blind;                     /* The last one was a refusal. */
	bool hasty;
};

/* On a replica the control file knows of a new timeline only with the next restartpoint; whoever sends it WAL says so at
 * once, if we may see it (pg_monitor). */
static const char question[] =
	"SELECT r.recovering, "
	"CASE WHEN r.recovering THEN greatest((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver), "
	"(SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()), "
	"(SELECT min_recovery_end_timeline FROM pg_catalog.pg_control_recovery())) "
	"ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END, "
	"(SELECT system_identifier FROM pg_catalog.pg_control_system()), "
	"CASE WHEN r.recovering THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0'::pg_lsn, "
	"i.bytes_per_wal_segment, i.wal_block_size "
	"FROM (SELECT pg_catalog.pg_is_in_recovery() AS recovering OFFSET 0) r, pg_catalog.pg_control_init() i";

enum answer_column { ANSWER_RECOVERING, ANSWER_TIMELINE, ANSWER_SYSTEM, ANSWER_POSITION, ANSWER_SEGMENT, ANSWER_PAGE, ANSWER_COLUMNS };

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

static void answered(const struct pgclient_result *result, const struct error *error, void *arg)
{
	struct probe *probe = arg;
	struct error strange;

	/* Lost: connection_changed() comes next. */
	if (error && !pgclient_is_open(probe->client))
		return;
	if (!error && (pgclient_rows(result) != 1 || pgclient_columns(result) != ANSWER_COLUMNS)) {
		error_set(&strange, "42P01", "the server does not answer as PostgreSQL does");
		error = &strange;
	}
	/* Whoever answers with an error is up, whatever it is that it does not know or let us do. */
	if (error) {
		failed(probe, error, true);
		return;
	}
	const char *recovering = pgclient_value(result, 0, ANSWER_RECOVERING);
	struct observation observation = {
		.what = recovering && recovering[0] == 't' ? OBSERVED_REPLICA : OBSERVED_PRIMARY,
		.asked_us = probe->asked_us,
		.now_us = clock_now_us(),
		.system_identifier = number(result, ANSWER_SYSTEM),
		.timeline = (uint32_t)number(result, ANSWER_TIMELINE),
		.position = number(result, ANSWER_POSITION),
		.wal = { (uint32_t)number(result, ANSWER_SEGMENT), (uint32_t)number(result, ANSWER_PAGE) },
	};

	struct pace pace = pace_of(probe);

	probe->failures = 0;
	probe->blind = false;
	look_again_after(probe, pace_after_answer_ms(&pace));
	probe->callback(&observation, NULL, probe->arg);
}

/* --- Looking --- */

static void ask(struct probe *probe)
{
	probe->state = PROBE_ASKING;
	probe->asked_us = clock_now_us();
	pgclient_query(probe->client, question, NULL, 0, timeout_ms(probe), answered, probe);
}

static void open_connection(struct probe *probe);

static void connection_changed(struct pgclient *client, const struct error *error, void *arg)
{
	struct probe *probe = arg;

	if (!error) {
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
	failed(probe, &reason, is_refusal(reason.sqlstate));
}

static void open_connection(struct probe *probe)
{
	const struct config_cluster *cluster = probe->cluster;
	const struct config_tls *tls = &cluster->server_tls;
	struct lease *lease = cluster->probe_secret ? lease_find(cluster->probe_secret) : NULL;
	struct pgclient_options options = {
		.host = probe->host->host,
		.port = probe->host->port,
		.dbname = cluster->probe_dbname,
		.user = lease && lease->value.username ? lease->value.username : cluster->probe_user,
		.password = lease ? lease->value.password : cluster->probe_password,
		.sslmode = config_sslmode_word(tls->sslmode),
		.ssl_ca_file = tls->ca_file,
		.ssl_cert_file = tls->cert_file,
		.ssl_key_file = tls->key_file,
		.application_name = probe->config->application_name,
		.options = "-c search_path=pg_catalog",
		.connect_timeout_ms = timeout_ms(probe),
	};

	loop_timer_stop(&probe->timer);
	probe->state = PROBE_CONNECTING;
	probe->asked_us = clock_now_us();
	probe->client = pgclient_new(probe->loop, &options, connection_changed, probe);
	lease_unref(&lease);
}

static void look(void *arg)
{
	struct probe *probe = arg;

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
		.arg = arg,
	};
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
	pgclient_free(&gone->client);
	config_unref(&gone->config);
	mem_free(gone);
}
