#include "secret_command.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "pgweir/key_passphrase.h"
#include "pgweir/loop.h"
#include "pgweir/mem.h"
#include "pgweir/pgclient.h"
#include "pgweir/secrets.h"
#include "pgweir/tokens.h"
#include "progress.h"

enum { CONNECT_TIMEOUT_MS = 10 * 1000, STAMP_MAX = 32 };

/* --- show --- */

static void print_line(const char *name, const char *value)
{
	if (value)
		printf("%-9s %s\n", name, value);
}

/* A file's time says which version it is, and nothing about what is in it. */
static void print_version(const struct config_secret *secret, const char *version_id)
{
	struct stat status;
	struct tm local;
	char stamp[STAMP_MAX];

	print_line("version", version_id);
	if (!secret->path || stat(secret->path, &status) != 0 || !localtime_r(&status.st_mtime, &local))
		return;
	strftime(stamp, sizeof(stamp), "%F %T %z", &local);
	print_line("version", stamp);
	printf("%-9s %lld s\n", "age", (long long)(time(NULL) - status.st_mtime));
}

static void print_report(const struct config_secret *secret, const struct secrets_report *report)
{
	print_line("name", secret->name);
	print_line("provider", secret->provider);
	if (report->on_demand)
		print_line("value", "a token for each login");
	print_version(secret, report->values.current.version_id);
	print_line("username", report->values.current.username);
	print_line("host", report->values.current.host);
	if (report->values.current.port)
		printf("%-9s %u\n", "port", report->values.current.port);
	print_line("dbname", report->values.current.dbname);
	print_line("warning", report->warning[0] ? report->warning : NULL);
	print_line("problem", report->good ? NULL : report->error.text);
}

static void read_secret(const struct config_secret *secret, struct secrets_report *report)
{
	progress_say("reading secret %s", secret->name);
	secrets_read(secret, report);
	progress_end();
}

bool secret_command_show(const struct config_secret *secret)
{
	struct secrets_report report;

	read_secret(secret, &report);
	print_report(secret, &report);
	bool good = report.good;

	secrets_report_fini(&report);
	return good;
}

/* --- test --- */

struct login {
	struct loop *loop;
	bool good;
	struct error error;
};

static void logged_in(struct pgclient *client, const struct error *error, void *arg)
{
	struct login *login = arg;

	(void)client;
	login->good = !error;
	if (error)
		login->error = *error;
	loop_stop(login->loop);
}

static bool try_host(const struct config *config, const struct config_database *database, const struct config_host *host,
	const char *user, const struct lease_value *value)
{
	static const char *const sslmodes[] = {
		[SSLMODE_DISABLE] = "disable", [SSLMODE_ALLOW] = "allow", [SSLMODE_PREFER] = "prefer",
		[SSLMODE_REQUIRE] = "require", [SSLMODE_VERIFY_CA] = "verify-ca", [SSLMODE_VERIFY_FULL] = "verify-full",
	};
	const struct config_tls *tls = &database->server_tls;
	const char *dbname = database->dbname ? database->dbname : value->dbname ? value->dbname : "postgres";
	char *passphrase = key_passphrase_find(tls);
	struct login login = { .loop = loop_new("secret test") };
	struct pgclient_options options = {
		.host = host->host, .port = host->port, .dbname = dbname, .user = user, .password = value->password,
		.sslmode = sslmodes[tls->sslmode], .ssl_ca_file = tls->ca_file, .ssl_cert_file = tls->cert_file,
		.ssl_key_file = tls->key_file, .ssl_key_passphrase = passphrase, .application_name = config->application_name,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
	};
	struct pgclient *client = pgclient_new(login.loop, &options, logged_in, &login);

	mem_secret_free(passphrase);
	progress_say("logging in to %s:%u as %s", host->host, host->port, user);
	loop_run(login.loop);
	progress_end();
	pgclient_free(&client);
	loop_free(&login.loop);
	printf("database %s at %s:%u as %s: %s\n", database->name, host->host, host->port, user,
		login.good ? "logged in" : login.error.text);
	return login.good;
}

struct test {
	const struct config *config;
	const struct config_secret *secret;
	const struct lease_value *value;
	bool on_demand;
	unsigned tried;
	bool good;
};

/* Where each login gets a token of its own, with that. */
static bool try_with_token(struct test *test, const struct config_database *database, const struct config_host *host,
	const char *user)
{
	struct error error = { 0 };
	struct lease_value value = { .password = token_make_now(test->secret, host->host, host->port, user, &error) };

	if (!value.password)
		printf("database %s at %s:%u as %s: %s\n", database->name, host->host, host->port, user, error.text);
	bool good = value.password && try_host(test->config, database, host, user, &value);

	lease_value_fini(&value);
	return good;
}

static void try_database(struct test *test, const struct config_database *database, const char *user)
{
	const char *as = test->value->username ? test->value->username : user;

	for (size_t i = 0; i < database->cluster->host_count; i++) {
		const struct config_host *host = &database->cluster->hosts[i];
		bool good = test->on_demand ? try_with_token(test, database, host, as)
			: try_host(test->config, database, host, as, test->value);

		test->tried++;
		if (!good)
			test->good = false;
	}
}

static bool serves(const char *named, const struct config_secret *secret)
{
	return named && strcmp(named, secret->name) == 0;
}

/* A [user]'s secret serves every database that has no login of its own. */
static void try_users(struct test *test, const struct config_database *database, const struct config_secret *secret)
{
	for (size_t i = 0; i < test->config->user_count; i++) {
		const struct config_user *user = &test->config->users[i];
		bool forced = database->user && strcmp(database->user, user->name) != 0;

		if (serves(user->secret, secret) && !forced && !database->secret && !database->password)
			try_database(test, database, user->name);
	}
}

static bool try_all(const struct config *config, const struct config_secret *secret, const struct secrets_report *report)
{
	struct test test = {
		.config = config, .secret = secret, .value = &report->values.current, .on_demand = report->on_demand, .good = true,
	};

	for (size_t i = 0; i < config->database_count; i++) {
		const struct config_database *database = &config->databases[i];

		if (serves(database->secret, secret))
			try_database(&test, database, database->user ? database->user : "postgres");
		else
			try_users(&test, database, secret);
	}
	if (!test.tried)
		printf("secret \"%s\" logs in to no server: no [database], and no [user] of one, has it\n", secret->name);
	return test.good && test.tried;
}

bool secret_command_test(const struct config *config, const struct config_secret *secret)
{
	struct secrets_report report;

	secrets_publish_keys(config, true);
	read_secret(secret, &report);
	if (!report.good)
		print_report(secret, &report);
	bool good = report.good && try_all(config, secret, &report);

	lease_forget_all();
	secrets_report_fini(&report);
	return good;
}

/* --- check --- */

void secret_command_check(const struct config *config)
{
	for (size_t i = 0; i < config->secret_count; i++) {
		const struct config_secret *secret = &config->secrets[i];
		struct secrets_report report;

		/* A file is checked also where there is no network. */
		if (secrets_is_remote(secret))
			continue;
		secrets_read(secret, &report);
		if (!report.good)
			fprintf(stderr, "warning: secret \"%s\" cannot be read: %s\n", secret->name, report.error.text);
		else if (report.warning[0])
			fprintf(stderr, "warning: secret \"%s\": %s\n", secret->name, report.warning);
		secrets_report_fini(&report);
	}
}
