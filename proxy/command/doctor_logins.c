/* The logins that pgweir will make, tried at the primary where one is known. */
#include "ask.h"
#include "doctor_servers.h"
#include "pgweir/credentials.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"

static const struct config_host *best_host(const struct doctor_cluster *report)
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
		doctor_say(doctor, DOCTOR_WRONG, where, doctor_advice(&error), "auth_query: %s", error.text);
}

static void judge_connection_limit(const struct doctor_cluster *report, const struct config_database *database,
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

static void try_login(const struct doctor_cluster *report, const struct config_database *database, const char *user, bool query)
{
	struct credentials *credentials = credentials_for_server(report->config, database, user, NULL);
	const struct config_host *host = best_host(report);
	char *where = mem_printf("database %s as %s", database->name, credentials->user);
	struct doctor_login login = {
		.dbname = database->dbname, .user = credentials->user, .password = credentials->password,
		.tokens = credentials->on_demand ? credentials->secret : NULL,
	};
	struct error error = { 0 };
	struct pgclient_sync *ask = NULL;

	if (credentials->missing)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "see the finding about the secret", "its secret has no value");
	else if (credentials_can_prove(credentials) && !credentials->password)
		doctor_say(report->doctor, DOCTOR_NOTE, where, NULL, "only a verifier is known: the login cannot be tried here");
	else if (!(ask = doctor_open(report->config, &database->server_tls, host, &login, &error)))
		doctor_say(report->doctor, DOCTOR_WRONG, where, doctor_advice(&error), "at %s:%u: %s", host->host, host->port,
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

void doctor_try_logins(const struct doctor_cluster *report, const struct config_database *database)
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

void doctor_try_admin(const struct doctor_cluster *report)
{
	const struct config_cluster *cluster = report->cluster;
	struct lease *lease = cluster->admin_secret ? lease_find(cluster->admin_secret) : NULL;
	const struct lease_value *value = lease ? &lease->value : NULL;
	bool said_by_secret = value && value->username;
	const struct config_host *host = best_host(report);
	struct doctor_login login = {
		.dbname = "postgres", .user = said_by_secret ? value->username : cluster->admin_user,
		.password = value ? value->password : cluster->admin_password,
		.tokens = lease && lease->on_demand ? cluster->admin_secret : NULL,
	};
	char *where = mem_printf("cluster %s, admin_user %s", cluster->name, login.user ? login.user : "");
	struct error error = { 0 };
	struct pgclient_sync *ask = login.user ? doctor_open(report->config, &cluster->server_tls, host, &login, &error) : NULL;

	if (ask)
		doctor_say(report->doctor, DOCTOR_GOOD, where, NULL, "logs in at %s:%u", host->host, host->port);
	else if (login.user)
		doctor_say(report->doctor, DOCTOR_WRONG, where, doctor_advice(&error), "at %s:%u: %s", host->host, host->port,
			error.text);
	pgclient_sync_close(&ask);
	lease_unref(&lease);
	mem_free(where);
}
