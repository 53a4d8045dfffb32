#include <string.h>
#include <time.h>

#include "ask.h"
#include "doctor.h"
#include "pgweir/credentials.h"
#include "pgweir/key_passphrase.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"
#include "pgweir/tokens.h"
#include "progress.h"

enum { CLOCK_NOTE_MS = 1000, CLOCK_WRONG_MS = 30 * 1000, VERSION_OLDEST = 130000, LAG_NOTE_S = 60 };

struct login {
	const char *dbname, *user, *password;
	const char *tokens;             /* The [secret] that makes a token for each login, or NULL. */
};

/* --- Why a server refuses --- */

static const char *advice_for(const char *sqlstate)
{
	static const struct {
		const char *begins, *advice;
	} table[] = {
		{ "28P01", "the password is not the server's: correct it, or see `pgweir secret test` and docs/secrets.md" },
		{ "28000", "pg_hba.conf of the server has no rule for this user, database, address or encryption; or the role may not "
		           "log in" },
		{ "3D000", "there is no such database: create it, or correct dbname (probe_dbname of a cluster)" },
		{ "53300", "all of the server's connections are taken: lower pools, or raise max_connections" },
		{ "57P03", "the server starts or stops; try again" },
		{ "42501", "GRANT what the text says is lacking" },
		{ "08", "is it up, are host and port right, does a firewall let pgweir through, does server_tls_sslmode suit it?" },
		{ "", "the text is the server's" },
	};
	size_t i = 0;

	while (strncmp(sqlstate, table[i].begins, strlen(table[i].begins)) != 0)
		i++;
	return table[i].advice;
}

static struct pgclient_sync *open_host(const struct config *config, const struct config_tls *tls, const struct config_host *host,
	const struct login *login, struct error *error)
{
	const struct config_secret *tokens = login->tokens ? config_find_secret(config, login->tokens) : NULL;
	char *token = tokens ? token_make_now(tokens, host->host, host->port, login->user, error) : NULL;

	if (tokens && !token)
		return NULL;
	progress_say("asking %s:%u, %s as %s", host->host, host->port, login->dbname, login->user);
	char *passphrase = key_passphrase_find(tls);
	struct pgclient_options options = {
		.host = host->host, .port = host->port, .dbname = login->dbname, .user = login->user,
		.password = token ? token : login->password,
		.sslmode = config_sslmode_word(tls->sslmode), .ssl_ca_file = tls->ca_file, .ssl_cert_file = tls->cert_file,
		.ssl_key_file = tls->key_file, .ssl_key_passphrase = passphrase,
		.application_name = config->application_name ? config->application_name : "pgweir doctor",
	};

	struct pgclient_sync *client = ask_open(&options, error);

	mem_secret_free(passphrase);
	mem_secret_free(token);
	return client;
}

/* --- Hosts --- */

struct host_report {
	bool answered, in_recovery;
	char *system;
	long long usable;
};

struct cluster_report {
	struct doctor *doctor;
	const struct config *config;
	const struct config_cluster *cluster;
	struct host_report *hosts;
	struct login login;             /* For looking at hosts; user NULL: none is known. */
	struct lease *lease;
	bool probing;                   /* The login is the probe's. */
};

enum question_column { Q_RECOVERING, Q_VERSION, Q_VERSION_NUMBER, Q_SYSTEM, Q_CLOCK, Q_TOTAL, Q_USABLE, Q_TLS, Q_MONITOR,
	Q_RECEIVERS, Q_BEHIND_S };
static const char question[] =
	"SELECT pg_is_in_recovery(), current_setting('server_version'), current_setting('server_version_num')::int, "
	"(SELECT system_identifier FROM pg_catalog.pg_control_system()), "
	"(extract(epoch FROM clock_timestamp()) * 1000)::bigint, current_setting('max_connections')::int, "
	"current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int "
	"- coalesce(current_setting('reserved_connections', true)::int, 0), "
	"(SELECT version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), "
	"pg_has_role(current_user, 'pg_monitor', 'MEMBER'), (SELECT count(*) FROM pg_catalog.pg_stat_wal_receiver), "
	"CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn() "
	"THEN extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::bigint ELSE 0 END";

static long long clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void judge_clock(struct doctor *doctor, const char *where, long long server_ms, long long before_ms, long long after_ms)
{
	long long off_ms = server_ms < before_ms ? server_ms - before_ms : server_ms > after_ms ? server_ms - after_ms : 0;
	long long size_ms = off_ms < 0 ? -off_ms : off_ms;

	if (size_ms >= CLOCK_NOTE_MS)
		doctor_say(doctor, size_ms >= CLOCK_WRONG_MS ? DOCTOR_WRONG : DOCTOR_NOTE, where,
			"let NTP set both clocks; VALID UNTIL and signatures of AWS depend on them", "its clock is %lld ms %s", size_ms,
			off_ms < 0 ? "behind" : "ahead");
}

static bool is_local(const char *host)
{
	return *host == '/' || *host == '@' || strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0
		|| strncmp(host, "127.", 4) == 0;
}

static void judge_host(const struct cluster_report *report, const struct config_host *host, const char *where,
	const struct ask_rows *rows)
{
	struct doctor *doctor = report->doctor;
	const char *tls = ask_value(rows, 0, Q_TLS);
	bool in_recovery = ask_is_true(rows, 0, Q_RECOVERING);

	doctor_say(doctor, DOCTOR_GOOD, where, NULL, "%s, PostgreSQL %s, %s, %lld connections of which users get %lld",
		in_recovery ? "replica" : "primary", ask_value(rows, 0, Q_VERSION), tls ? tls : "not encrypted",
		ask_number(rows, 0, Q_TOTAL), ask_number(rows, 0, Q_USABLE));
	if (ask_number(rows, 0, Q_VERSION_NUMBER) < VERSION_OLDEST)
		doctor_say(doctor, DOCTOR_WRONG, where, "upgrade it to 13 or later", "PostgreSQL %s is not supported",
			ask_value(rows, 0, Q_VERSION));
	if (!tls && !is_local(host->host))
		doctor_say(doctor, DOCTOR_NOTE, where, "set ssl = on there, and server_tls_sslmode = verify-full here (docs/tls.md)",
			"passwords and data go there without encryption");
	if (tls && report->cluster->server_tls.sslmode < SSLMODE_VERIFY_CA && !is_local(host->host))
		doctor_say(doctor, DOCTOR_NOTE, where, "set server_tls_sslmode = verify-full and server_tls_ca_file (docs/tls.md)",
			"its certificate is not checked: whoever answers at this address is believed");
	if (in_recovery && ask_number(rows, 0, Q_RECEIVERS) == 0)
		doctor_say(doctor, DOCTOR_WRONG, where, "look at primary_conninfo and the replica's log",
			"no WAL comes in over the network: the replica is not connected to a primary");
	if (ask_number(rows, 0, Q_BEHIND_S) > LAG_NOTE_S)
		doctor_say(doctor, DOCTOR_NOTE, where, "see max_lag in docs/routing.md", "has still to replay what is %lld s old",
			ask_number(rows, 0, Q_BEHIND_S));
	if (report->probing && !ask_is_true(rows, 0, Q_MONITOR))
		doctor_say(doctor, DOCTOR_WRONG, where, "GRANT pg_monitor TO the probe_user, on the primary",
			"%s is no member of pg_monitor: a failover is seen late", report->login.user);
}

static void look_at_host(const struct cluster_report *report, const struct config_host *host, struct host_report *found)
{
	char *where = mem_printf("cluster %s, %s:%u", report->cluster->name, host->host, host->port);
	struct login nobody = { .dbname = "postgres", .user = "pgweir_doctor" };
	struct ask_rows rows = { 0 };
	struct error error = { 0 };
	struct pgclient_sync *ask = open_host(report->config, &report->cluster->server_tls, host,
		report->login.user ? &report->login : &nobody, &error);
	long long before_ms = clock_ms();

	if (ask && ask_rows(ask, question, &rows, &error)) {
		found->answered = true;
		found->in_recovery = ask_is_true(&rows, 0, Q_RECOVERING);
		found->system = mem_strdup(ask_value(&rows, 0, Q_SYSTEM));
		found->usable = ask_number(&rows, 0, Q_USABLE);
		judge_host(report, host, where, &rows);
		judge_clock(report->doctor, where, ask_number(&rows, 0, Q_CLOCK), before_ms, clock_ms());
	} else if (!report->login.user && strncmp(error.sqlstate, "28", 2) == 0) {
		doctor_say(report->doctor, DOCTOR_NOTE, where, "give the cluster a probe_user, and more can be said",
			"a server is there; no login is known to look closer with");
	} else {
		doctor_say(report->doctor, DOCTOR_WRONG, where, advice_for(error.sqlstate), "%s%s%s%s", report->login.user ? "as " : "",
			report->login.user ? report->login.user : "", report->login.user ? ": " : "", error.text);
	}
	ask_rows_fini(&rows);
	pgclient_sync_close(&ask);
	mem_free(where);
}

/* --- Clusters --- */

static void judge_roles(const struct cluster_report *report, const char *where)
{
	size_t answered = 0, primaries = 0;
	const char *system = NULL;
	bool strangers = false;

	for (size_t i = 0; i < report->cluster->host_count; i++) {
		const struct host_report *host = &report->hosts[i];

		answered += host->answered;
		primaries += host->answered && !host->in_recovery;
		strangers = strangers || (system && host->system && strcmp(system, host->system) != 0);
		system = host->system ? host->system : system;
	}
	if (strangers)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "put them into clusters of their own",
			"its hosts have different system identifiers: they are not copies of one another");
	if (answered && !primaries)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "promote one, or add the primary to hosts",
			"no host takes writes: all that answer are replicas");
	if (primaries > 1)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "stop the one that is out of date before it is written to",
			"%zu hosts take writes", primaries);
	if (report->cluster->host_count > 1 && !report->cluster->probe_user)
		doctor_say(report->doctor, DOCTOR_NOTE, where, "set probe_user (docs/routing.md)",
			"nobody watches its hosts: no reads on replicas, and a failover is found by failing connections");
}

static long long wanted_by_pools(const struct config *config, const struct config_cluster *cluster)
{
	long long wanted = 0;

	for (size_t i = 0; i < config->database_count; i++) {
		const struct config_database *database = &config->databases[i];
		struct config_limits limits;

		if (database->cluster != cluster)
			continue;
		config_limits(config, database, NULL, &limits);
		wanted += limits.pool_size + limits.reserve_pool_size;
	}
	return wanted * config->fleet_size;
}

static void judge_limits(const struct cluster_report *report, const char *where)
{
	const struct config *config = report->config;
	long long wanted = wanted_by_pools(config, report->cluster), most = report->cluster->max_server_conn, usable = 0;

	for (size_t i = 0; i < report->cluster->host_count; i++)
		if (report->hosts[i].answered && (!usable || report->hosts[i].usable < usable))
			usable = report->hosts[i].usable;
	if (!usable)
		return;
	if (most > 0 && most * config->fleet_size > usable)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "set max_server_conn = auto, or raise max_connections",
			"max_server_conn allows %lld connections by %d instances, the smallest host has %lld", most, config->fleet_size, usable);
	else if (most == 0 && wanted > usable)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "set max_server_conn = auto, or lower pool_size",
			"its pools may open %lld connections with one user each, the smallest host has %lld", wanted, usable);
	else if (wanted > usable)
		doctor_say(report->doctor, DOCTOR_NOTE, where, "lower pool_size where it is not needed",
			"its pools together want %lld connections with one user each, the smallest host has %lld: clients may wait", wanted,
			usable);
	else
		doctor_say(report->doctor, DOCTOR_GOOD, where, NULL, "pools for one user each need %lld of %lld connections", wanted,
			usable);
}

/* --- Logins --- */

static const struct config_host *best_host(const struct cluster_report *report)
{
	const struct config_cluster *cluster = report->cluster;

	for (size_t i = 0; i < cluster->host_count; i++)
		if (report->hosts[i].answered && !report->hosts[i].in_recovery)
			return &cluster->hosts[i];
	return &cluster->hosts[0];
}

/* auth_query as it will be run, for a user whom nobody has. */
static void try_auth_query(struct doctor *doctor, const struct config_database *database, const char *where, struct pgclient_sync *ask)
{
	char *prepare = mem_printf("PREPARE pgweir_doctor(text) AS %s", database->auth_query);
	struct ask_rows rows = { 0 };
	struct error error = { 0 };
	bool good = ask_rows(ask, prepare, &rows, &error);

	ask_rows_fini(&rows);
	good = good && ask_rows(ask, "EXECUTE pgweir_doctor('')", &rows, &error);
	ask_rows_fini(&rows);
	mem_free(prepare);
	if (good)
		doctor_say(doctor, DOCTOR_GOOD, where, NULL, "may run auth_query");
	else
		doctor_say(doctor, DOCTOR_WRONG, where, advice_for(error.sqlstate), "auth_query: %s", error.text);
}

static void judge_connection_limit(const struct cluster_report *report, const struct config_database *database,
	const char *where, struct pgclient_sync *ask)
{
	struct ask_rows rows = { 0 };
	struct error error;
	struct config_limits limits;

	config_limits(report->config, database, NULL, &limits);
	if (ask_rows(ask, "SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = session_user", &rows, &error)
	    && ask_number(&rows, 0, 0) >= 0
	    && ask_number(&rows, 0, 0) < (long long)limits.pool_size * report->config->fleet_size)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "ALTER ROLE … CONNECTION LIMIT, or a smaller pool_size",
			"the role may have %lld connections, the pool %d", ask_number(&rows, 0, 0), limits.pool_size);
	ask_rows_fini(&rows);
}

static void try_login(const struct cluster_report *report, const struct config_database *database, const char *user, bool query)
{
	struct credentials *credentials = credentials_for_server(report->config, database, user, NULL);
	const struct config_host *host = best_host(report);
	char *where = mem_printf("database %s as %s", database->name, credentials->user);
	struct login login = {
		.dbname = database->dbname, .user = credentials->user, .password = credentials->password,
		.tokens = credentials->on_demand ? credentials->secret : NULL,
	};
	struct error error = { 0 };
	struct pgclient_sync *ask = NULL;

	if (credentials->missing)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "see the finding about the secret", "its secret has no value");
	else if (credentials_can_prove(credentials) && !credentials->password)
		doctor_say(report->doctor, DOCTOR_NOTE, where, NULL, "only a verifier is known: the login cannot be tried here");
	else if (!(ask = open_host(report->config, &database->server_tls, host, &login, &error)))
		doctor_say(report->doctor, DOCTOR_WRONG, where, advice_for(error.sqlstate), "at %s:%u: %s", host->host, host->port,
			error.text);
	else
		doctor_say(report->doctor, DOCTOR_GOOD, where, NULL, "logs in at %s:%u", host->host, host->port);
	if (ask) {
		judge_connection_limit(report, database, where, ask);
		if (query)
			try_auth_query(report->doctor, database, where, ask);
	}
	pgclient_sync_close(&ask);
	mem_free(where);
	credentials_unref(&credentials);
}

/* Of clients that auth_file or auth_query knows nothing can be said before they come. */
static void try_logins(const struct cluster_report *report, const struct config_database *database)
{
	const struct config *config = report->config;

	if (database->user || database->secret) {
		try_login(report, database, database->user ? database->user : "postgres", false);
		return;
	}
	if (!database->dbname)
		return;
	for (size_t i = 0; i < config->user_count; i++) {
		const struct config_user *user = &config->users[i];

		if (user->password || user->secret)
			try_login(report, database, user->name, false);
	}
	if (database->auth_user && !database->auth_dbname)
		try_login(report, database, database->auth_user, true);
}

/* Provisioning begins with this login. */
static void try_admin(const struct cluster_report *report)
{
	const struct config_cluster *cluster = report->cluster;
	struct lease *lease = cluster->admin_secret ? lease_find(cluster->admin_secret) : NULL;
	const struct lease_value *value = lease ? &lease->value : NULL;
	bool said_by_secret = value && value->username;
	const struct config_host *host = best_host(report);
	struct login login = {
		.dbname = "postgres", .user = said_by_secret ? value->username : cluster->admin_user,
		.password = value ? value->password : cluster->admin_password,
		.tokens = lease && lease->on_demand ? cluster->admin_secret : NULL,
	};
	char *where = mem_printf("cluster %s, admin_user %s", cluster->name, login.user ? login.user : "");
	struct error error = { 0 };
	struct pgclient_sync *ask = login.user ? open_host(report->config, &cluster->server_tls, host, &login, &error) : NULL;

	if (ask)
		doctor_say(report->doctor, DOCTOR_GOOD, where, NULL, "logs in at %s:%u", host->host, host->port);
	else if (login.user)
		doctor_say(report->doctor, DOCTOR_WRONG, where, advice_for(error.sqlstate), "at %s:%u: %s", host->host, host->port,
			error.text);
	pgclient_sync_close(&ask);
	lease_unref(&lease);
	mem_free(where);
}

/* --- The whole --- */

static void choose_login(struct cluster_report *report)
{
	const struct config_cluster *cluster = report->cluster;

	report->lease = cluster->probe_secret ? lease_find(cluster->probe_secret) : NULL;
	report->probing = cluster->probe_user || cluster->probe_secret;
	if (!report->probing)
		return;
	const struct lease_value *value = report->lease ? &report->lease->value : NULL;

	report->login = (struct login){
		.dbname = cluster->probe_dbname,
		.user = cluster->probe_user ? cluster->probe_user : value ? value->username : NULL,
		.password = value ? value->password : cluster->probe_password,
		.tokens = report->lease && report->lease->on_demand ? cluster->probe_secret : NULL,
	};
}

/* Without a probe_user, whoever may log in to one of the databases. */
static struct credentials *borrow_login(struct cluster_report *report)
{
	const struct config *config = report->config;

	for (size_t i = 0; i < config->database_count && !report->login.user; i++) {
		const struct config_database *database = &config->databases[i];

		if (database->cluster != report->cluster || !database->dbname)
			continue;
		for (size_t j = 0; j <= config->user_count; j++) {
			const char *user = j < config->user_count ? config->users[j].name : database->user;
			struct credentials *credentials = user ? credentials_for_server(config, database, user, NULL) : NULL;

			if (credentials && (credentials->password || credentials->on_demand)) {
				report->login = (struct login){ database->dbname, credentials->user, credentials->password,
					credentials->on_demand ? credentials->secret : NULL };
				return credentials;
			}
			credentials_unref(&credentials);
		}
	}
	return NULL;
}

static void look_at_cluster(struct doctor *doctor, const struct config *config, const struct config_cluster *cluster)
{
	char *where = mem_printf("cluster %s", cluster->name);
	struct cluster_report report = { .doctor = doctor, .config = config, .cluster = cluster };

	report.hosts = NEW_ARRAY(struct host_report, cluster->host_count);
	choose_login(&report);
	struct credentials *borrowed = report.login.user ? NULL : borrow_login(&report);

	for (size_t i = 0; i < cluster->host_count; i++)
		look_at_host(&report, &cluster->hosts[i], &report.hosts[i]);
	judge_roles(&report, where);
	judge_limits(&report, where);
	try_admin(&report);
	for (size_t i = 0; i < config->database_count; i++)
		if (config->databases[i].cluster == cluster)
			try_logins(&report, &config->databases[i]);
	for (size_t i = 0; i < cluster->host_count; i++)
		mem_free(report.hosts[i].system);
	mem_free(report.hosts);
	lease_unref(&report.lease);
	credentials_unref(&borrowed);
	mem_free(where);
}

void doctor_look_at_servers(struct doctor *doctor, const struct config *config)
{
	for (size_t i = 0; i < config->cluster_count; i++)
		look_at_cluster(doctor, config, &config->clusters[i]);
}
