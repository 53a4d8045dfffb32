/* What one host of a cluster says of itself. */
#include <string.h>
#include <time.h>

#include "ask.h"
#include "doctor_servers.h"
#include "pgweir/mem.h"

enum { CLOCK_NOTE_MS = 1000, CLOCK_WRONG_MS = 30 * 1000, VERSION_OLDEST = 130000, LAG_NOTE_S = 60 };

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

static void judge_host(const struct doctor_cluster *report, const struct config_host *host, const char *where,
	const struct ask_rows *rows)
{
	struct doctor *doctor = report->doctor;
	const char *tls = ask_value(rows, 0, Q_TLS);
	bool in_recovery = ask_is_true(rows, 0, Q_RECOVERING);
	long long max_lag_ms = (long long)report->cluster->max_lag_ms;
	bool lags = max_lag_ms && ask_number(rows, 0, Q_BEHIND_S) * 1000 > max_lag_ms;

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
	if (ask_number(rows, 0, Q_BEHIND_S) > LAG_NOTE_S || lags)
		doctor_say(doctor, DOCTOR_NOTE, where, "see max_lag in docs/routing.md", "has still to replay what is %lld s old%s",
			ask_number(rows, 0, Q_BEHIND_S), lags ? ", more than max_lag: it gets no reads" : "");
	if (report->probing && !ask_is_true(rows, 0, Q_MONITOR))
		doctor_say(doctor, DOCTOR_WRONG, where, "GRANT pg_monitor TO the probe_user, on the primary",
			"%s is no member of pg_monitor: a failover is seen late", report->login.user);
}

void doctor_look_at_host(const struct doctor_cluster *report, const struct config_host *host, struct doctor_host *found)
{
	char *where = mem_printf("cluster %s, %s:%u", report->cluster->name, host->host, host->port);
	struct doctor_login nobody = { .dbname = "postgres", .user = "pgweir_doctor" };
	struct ask_rows rows = { 0 };
	struct error error = { 0 };
	struct pgclient_sync *ask = doctor_open(report->config, &report->cluster->server_tls, host,
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
		doctor_say(report->doctor, DOCTOR_NOTE, where, "give the cluster a probe_user, or a [user] its password (those of auth_file are not tried), and more can be said",
			"a server is there; no login is known to look closer with");
	} else {
		doctor_say(report->doctor, DOCTOR_WRONG, where, doctor_advice(&error), "%s%s%s%s", report->login.user ? "as " : "",
			report->login.user ? report->login.user : "", report->login.user ? ": " : "", error.text);
	}
	ask_rows_fini(&rows);
	pgclient_sync_close(&ask);
	mem_free(where);
}
