/* A first pgweir.ini from what a server says of itself. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "command.h"
#include "pgweir/buf.h"
#include "pgweir/mem.h"
#include "pgweir/pgclient_url.h"
#include "pgweir/settings.h"
#include "progress.h"

enum { DATABASES_LISTED_MAX = 20, POOL_SIZE_LEAST = 2, POOL_SIZE_MOST = 20, REPLICA_TIMEOUT_MS = 2000 };

struct init_host {
	char *host;
	uint16_t port;
	struct pgclient_sync *ask;                /* NULL: it did not answer, */
	struct error error;             /* for this reason. */
	bool in_recovery;
	char *system;                   /* Its identifier, or NULL. */
};

struct init {
	struct pgclient_url url;
	struct init_host hosts[PGCLIENT_URL_HOSTS_MAX];
	size_t host_count;
	struct init_host *first;        /* The primary, or else any that answers. */
	char *version;
	long long usable, total;        /* Connections. */
	bool superuser, monitor, aurora, encrypted;
	struct ask_rows databases, replicas;
};

/* --- Asking --- */

static bool look_at(struct init *init, struct init_host *host, uint64_t timeout_ms)
{
	const struct pgclient_url *url = &init->url;
	struct pgclient_options options = {
		.host = host->host, .port = host->port, .dbname = url->dbname, .user = url->user, .password = url->password,
		.sslmode = url->sslmode, .ssl_ca_file = url->ssl_ca_file, .ssl_cert_file = url->ssl_cert_file,
		.ssl_key_file = url->ssl_key_file, .application_name = "pgweir init", .connect_timeout_ms = timeout_ms,
	};
	struct ask_rows rows = { 0 };
	struct error ignored;

	progress_say("asking %s:%u", host->host, host->port);
	host->ask = ask_open(&options, &host->error);
	if (!host->ask)
		return false;
	if (!ask_rows(host->ask, "SELECT pg_catalog.pg_is_in_recovery()", &rows, &host->error)) {
		pgclient_sync_close(&host->ask);
		return false;
	}
	host->in_recovery = ask_is_true(&rows, 0, 0);
	ask_rows_fini(&rows);
	if (ask_rows(host->ask, "SELECT system_identifier FROM pg_catalog.pg_control_system()", &rows, &ignored))
		host->system = mem_strdup(ask_value(&rows, 0, 0));
	ask_rows_fini(&rows);
	return true;
}

static struct init_host *add_host(struct init *init, const char *name, uint16_t port, uint64_t timeout_ms)
{
	struct init_host *host = &init->hosts[init->host_count++];

	*host = (struct init_host){ .host = mem_strdup(name), .port = port };
	look_at(init, host, timeout_ms);
	return host;
}

static bool same_system(const struct init_host *a, const struct init_host *b)
{
	return a->system && b->system && strcmp(a->system, b->system) == 0;
}

/* A replica that the primary names, where it listens on the primary's port; elsewhere nobody says where it listens. */
static void add_replica(struct init *init, const char *address)
{
	if (init->host_count == ARRAY_LEN(init->hosts))
		return;
	struct init_host *added = add_host(init, address, init->first->port, REPLICA_TIMEOUT_MS);

	if (added->ask && added->in_recovery && same_system(added, init->first))
		return;
	pgclient_sync_close(&added->ask);
	mem_free(added->host);
	mem_free(added->system);
	init->host_count--;
}

static bool ask_for_limits(struct init *init, struct error *error)
{
	struct ask_rows rows = { 0 };
	bool good = ask_rows(init->first->ask,
		"SELECT current_setting('server_version'), current_setting('max_connections')::int, "
		"current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int "
		"- coalesce(current_setting('reserved_connections', true)::int, 0), "
		"(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), "
		"EXISTS (SELECT FROM pg_catalog.pg_proc WHERE proname = 'aurora_version'), "
		"coalesce((SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), false), "
		"pg_catalog.pg_has_role('pg_monitor', 'USAGE')", &rows, error);

	if (good) {
		init->version = mem_strdup(ask_value(&rows, 0, 0));
		init->total = ask_number(&rows, 0, 1);
		init->usable = ask_number(&rows, 0, 2);
		init->superuser = ask_is_true(&rows, 0, 3);
		init->aurora = ask_is_true(&rows, 0, 4);
		init->encrypted = ask_is_true(&rows, 0, 5);
		init->monitor = ask_is_true(&rows, 0, 6);
	}
	ask_rows_fini(&rows);
	return good;
}

static bool ask_for_names(struct init *init, struct error *error)
{
	return ask_rows(init->first->ask, "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate "
		"AND has_database_privilege(datname, 'CONNECT') ORDER BY datname", &init->databases, error)
		&& ask_rows(init->first->ask, "SELECT DISTINCT host(client_addr), application_name FROM pg_catalog.pg_stat_replication "
			"WHERE client_addr IS DISTINCT FROM inet_server_addr() ORDER BY 1", &init->replicas, error);
}

static bool ask_all(struct init *init, struct error *error)
{
	for (size_t i = 0; i < init->url.host_count; i++) {
		struct init_host *host = add_host(init, init->url.hosts[i].host, init->url.hosts[i].port, 0);

		if (host->ask && (!init->first || (init->first->in_recovery && !host->in_recovery)))
			init->first = host;
	}
	if (!init->first) {
		*error = init->hosts[0].error;
		return error_prepend(error, "%s:%u", init->hosts[0].host, init->hosts[0].port);
	}
	if (!ask_for_limits(init, error) || !ask_for_names(init, error))
		return false;
	for (size_t i = 0; i < ask_count(&init->replicas); i++)
		if (ask_value(&init->replicas, i, 0))
			add_replica(init, ask_value(&init->replicas, i, 0));
	return true;
}

/* --- Writing --- */

static long long pool_size(const struct init *init)
{
	size_t databases = ask_count(&init->databases) ? ask_count(&init->databases) : 1;
	long long size = init->usable / 2 / (long long)databases;

	return size < POOL_SIZE_LEAST ? POOL_SIZE_LEAST : size > POOL_SIZE_MOST ? POOL_SIZE_MOST : size;
}

static void write_number(const char *key, long long value, FILE *out)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", value);
	settings_write(key, text, out);
}

static void write_server_tls(const struct init *init, FILE *out)
{
	const struct pgclient_url *url = &init->url;
	bool verified = url->sslmode && strncmp(url->sslmode, "verify-", 7) == 0;

	if (!verified)
		fprintf(out, "# %s For a server whose certificate is checked: verify-full, with server_tls_ca_file.\n",
			init->encrypted ? "The server speaks TLS." : "The connection was not encrypted.");
	settings_write("server_tls_sslmode", url->sslmode ? url->sslmode : init->encrypted ? "require" : "prefer", out);
	if (url->ssl_ca_file)
		settings_write("server_tls_ca_file", url->ssl_ca_file, out);
	if (url->ssl_cert_file)
		settings_write("server_tls_cert_file", url->ssl_cert_file, out);
	if (url->ssl_key_file)
		settings_write("server_tls_key_file", url->ssl_key_file, out);
}

static void write_main(const struct init *init, FILE *out)
{
	settings_write_header("pgweir", NULL, out);
	fputs("# Where clients come in. For other machines: listen_addr = *, with client_tls_… below.\n", out);
	settings_write("listen_addr", "127.0.0.1", out);
	settings_write("listen_port", "6432", out);
	fputs("# Clients prove that they know the password of their [user] section; auth_file and auth_query are other ways.\n", out);
	settings_write("auth_type", "scram-sha-256", out);
	settings_write("pool_mode", "transaction", out);
	fprintf(out, "# Server connections per database, user and host. The server has %lld, %lld of them for ordinary users.\n",
		init->total, init->usable);
	write_number("default_pool_size", pool_size(init), out);
	fputs("# Who may use the console: psql -p 6432 pgweir\n", out);
	settings_write("admin_users", init->url.user, out);
	fputs("# TLS towards clients needs a certificate:\n;client_tls_sslmode = require\n;client_tls_cert_file = tls.crt\n"
		";client_tls_key_file = tls.key\n", out);
	write_server_tls(init, out);
	fputs("# Metrics and the status page; health checks for load balancers:\n;http_listen = 127.0.0.1:9632\n"
		";health_listen = 0.0.0.0:9633\n", out);
}

static void write_hosts(const struct init *init, FILE *out)
{
	struct buf list = { 0 };

	for (size_t i = 0; i < init->host_count; i++) {
		const struct init_host *host = &init->hosts[i];

		if (!host->ask)
			fprintf(out, "# %s:%u did not answer: %s\n", host->host, host->port, host->error.text);
		else
			fprintf(out, "# %s:%u is %s.\n", host->host, host->port, host->in_recovery ? "a replica" : "the primary");
		if (host->ask && host != init->first && host->system && init->first->system && !same_system(host, init->first))
			fprintf(out, "# %s:%u has another system identifier: it is no copy of the first, and belongs in a cluster of its own.\n",
				host->host, host->port);
		buf_printf(&list, strchr(host->host, ':') ? "%s[%s]:%u" : "%s%s:%u", list.size ? ", " : "", host->host, host->port);
	}
	buf_append_char(&list, '\0');
	settings_write("hosts", list.bytes, out);
	buf_fini(&list);
}

/* Those the primary streams to that are not among the hosts. */
static void write_unknown_replicas(const struct init *init, FILE *out)
{
	for (size_t i = 0; i < ask_count(&init->replicas); i++) {
		const char *address = ask_value(&init->replicas, i, 0), *name = ask_value(&init->replicas, i, 1);
		bool known = false;

		for (size_t j = 0; j < init->host_count; j++)
			known = known || (address && strcmp(init->hosts[j].host, address) == 0);
		if (!known)
			fprintf(out, "# The primary streams to %s (\"%s\"): where that is a replica, add its host:port.\n",
				address ? address : "somebody it does not name to this user", name ? name : "");
	}
}

static void write_probe(const struct init *init, FILE *out)
{
	bool able = init->monitor && init->url.password;

	fprintf(out, "# With a user who watches, failovers are followed, and reads can go to replicas (docs/routing.md)%s:\n"
		"#   CREATE ROLE pgweir_probe LOGIN PASSWORD '…' IN ROLE pg_monitor;\n", able ? ". A user of its own needs less" : "");
	if (!able) {
		fputs(";probe_user = pgweir_probe\n;probe_password = …\n", out);
		return;
	}
	settings_write("probe_user", init->url.user, out);
	settings_write("probe_password", init->url.password, out);
}

static void write_cluster(const struct init *init, FILE *out)
{
	fputc('\n', out);
	settings_write_header("cluster", "main", out);
	write_hosts(init, out);
	write_unknown_replicas(init, out);
	if (init->aurora)
		fputs("# This is Aurora: name the cluster's writer endpoint first; readers are found by themselves.\n", out);
	write_probe(init, out);
}

static void write_databases(const struct init *init, FILE *out)
{
	bool all = ask_count(&init->databases) > DATABASES_LISTED_MAX;

	if (all)
		fprintf(out, "\n# The server has %zu databases: one section serves them all.\n", ask_count(&init->databases));
	for (size_t i = 0; i < (all ? 1 : ask_count(&init->databases)); i++) {
		const char *name = ask_value(&init->databases, i, 0);

		fputc('\n', out);
		settings_write_header("database", all ? "*" : name, out);
		settings_write("cluster", "main", out);
		if (!all)
			settings_write("dbname", name, out);
		if (init->host_count > 1)
			fputs("# Reads to the replicas, once there is a probe_user:\n;routing = auto\n", out);
	}
}

static void write_user(const struct init *init, FILE *out)
{
	fputc('\n', out);
	if (init->superuser)
		fprintf(out, "# %s is a superuser; applications should have a role of their own.\n", init->url.user);
	settings_write_header("user", init->url.user, out);
	if (init->url.password)
		settings_write("password", init->url.password, out);
	else
		fputs("# The server asked for no password. Clients need one here, or another auth_type:\n;password = …\n", out);
}

static void write_all(const struct init *init, FILE *out)
{
	fprintf(out, "# pgweir.ini for PostgreSQL %s at %s:%u.\n"
		"# `pgweir describe settings` has every key, `pgweir doctor -c FILE` tries this file against the servers.\n\n",
		init->version, init->first->host, init->first->port);
	write_main(init, out);
	write_cluster(init, out);
	write_databases(init, out);
	write_user(init, out);
}

/* --- The whole --- */

/* What libpq would take, where the URL says nothing. */
static void fill_in(struct pgclient_url *url)
{
	const struct passwd *me = getpwuid(geteuid());

	if (!url->user)
		url->user = mem_strdup(getenv("PGUSER") ? getenv("PGUSER") : me ? me->pw_name : "postgres");
	if (!url->password)
		url->password = mem_secret_dup(getenv("PGPASSWORD"));
	if (!url->dbname)
		url->dbname = mem_strdup(getenv("PGDATABASE") ? getenv("PGDATABASE") : url->user);
}

static void fini(struct init *init)
{
	for (size_t i = 0; i < init->host_count; i++) {
		pgclient_sync_close(&init->hosts[i].ask);
		mem_free(init->hosts[i].host);
		mem_free(init->hosts[i].system);
	}
	ask_rows_fini(&init->databases);
	ask_rows_fini(&init->replicas);
	mem_free(init->version);
	pgclient_url_fini(&init->url);
}

static bool deliver(const struct command_line *line, const struct init *init)
{
	FILE *out = command_open_output(line);

	if (!out)
		return false;
	write_all(init, out);
	if (out == stdout && init->url.password)
		fputs("pgweir: it holds a password; let nobody else read the file (-o FILE sees to that)\n", stderr);
	return command_close_output(line, out);
}

enum command_status init_command(const struct command_line *line)
{
	struct init init = { 0 };
	struct error error = { 0 };
	bool good = pgclient_url_parse(&init.url, line->options[OPTION_URL], &error);

	fill_in(&init.url);
	good = good && ask_all(&init, &error);
	progress_end();
	if (!good)
		fprintf(stderr, "pgweir: %s\n", error.text);
	good = good && deliver(line, &init);
	fini(&init);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}
