/* The tables, and the commands that are a few lines each. */
#include <string.h>

#include "command.h"
#include "pgweir/admin.h"
#include "pgweir/close_reason.h"
#include "pgweir/control.h"
#include "pgweir/http.h"
#include "pgweir/settings.h"
#include "provision_command.h"
#include "secret_command.h"

#define BIT(option) (1u << (option))

const struct command_option command_options[OPTION_COUNT] = {
	[OPTION_CONFIG] = { "config", 'c', "FILE", "the configuration, pgweir.ini" },
	[OPTION_OUTPUT] = { "output", 'o', "FILE", "write to FILE, which must not exist, instead of standard output" },
	[OPTION_URL] = { "url", '\0', "URL", "a server, as postgresql://user:password@host:port/dbname" },
	[OPTION_FORCE] = { "force", '\0', NULL, "replace the file of -o" },
	[OPTION_JSON] = { "json", '\0', NULL, "one JSON document" },
	[OPTION_YES] = { "yes", '\0', NULL, "do it; without, only what would be done is said" },
	[OPTION_REASSIGN_TO] = { "reassign-to", '\0', "ROLE", "who gets what the user owns" },
	[OPTION_CRASH_AT] = { "crash-at", '\0', "POINT", NULL },
};

static enum command_status run_proxy(const struct command_line *line)
{
	static const struct control_console console = { .receive = admin_receive, .stop = admin_stop };
	static const struct control_pages pages = { .open = http_open, .close = http_close };
	struct config *config = command_load(line);

	if (!config)
		return COMMAND_FAILED;
	return control_run(config, &console, &pages) == 0 ? COMMAND_GOOD : COMMAND_FAILED;
}

static enum command_status run_check(const struct command_line *line)
{
	struct config_problems problems = { 0 };
	struct config *config = command_load(line);

	if (!config)
		return COMMAND_FAILED;
	bool good = control_check(config, &problems);

	command_print_problems(&problems);
	if (good)
		config_print_effective(config, stdout);
	secret_command_check(config);
	config_unref(&config);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}

static enum command_status describe_settings(const struct command_line *line)
{
	(void)line;
	settings_describe(stdout);
	return COMMAND_GOOD;
}

static enum command_status describe_metrics(const struct command_line *line)
{
	(void)line;
	metrics_describe(stdout);
	return COMMAND_GOOD;
}

/* Those that clients are told. */
static enum command_status describe_errors(const struct command_line *line)
{
	(void)line;
	fputs("# Errors that end a connection\n\n| SQLSTATE | text | reason in logs and metrics |\n|---|---|---|\n", stdout);
	for (enum close_reason reason = 0; reason < CLOSE_REASON_COUNT; reason++) {
		const struct close_reason_row *row = close_reason_row(reason);

		if (row->sqlstate)
			printf("| %s | %s | %s |\n", row->sqlstate, row->text, row->name);
	}
	return COMMAND_GOOD;
}

static enum command_status describe_sample(const struct command_line *line)
{
	(void)line;
	settings_sample(stdout);
	return COMMAND_GOOD;
}

static enum command_status on_secret(const struct command_line *line,
	bool (*act)(const struct config *config, const struct config_secret *secret))
{
	struct config *config = command_load(line);
	const struct config_secret *secret = config ? config_find_secret(config, line->operands[0]) : NULL;

	if (config && !secret)
		fprintf(stderr, "pgweir: there is no [secret %s]\n", line->operands[0]);
	bool good = secret && act(config, secret);

	config_unref(&config);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}

static bool show_secret(const struct config *config, const struct config_secret *secret)
{
	(void)config;
	return secret_command_show(secret);
}

static enum command_status secret_show(const struct command_line *line)
{
	return on_secret(line, show_secret);
}

static enum command_status secret_test(const struct command_line *line)
{
	return on_secret(line, secret_command_test);
}

static enum command_status provision(const struct command_line *line)
{
	struct provision_command command = {
		.act = line->command->words + strlen("provision "),
		.names = line->operands, .name_count = (size_t)line->operand_count,
		.json = line->options[OPTION_JSON], .yes = line->options[OPTION_YES],
		.reassign_to = line->options[OPTION_REASSIGN_TO], .crash_at = line->options[OPTION_CRASH_AT],
	};
	struct config *config = command_load(line);

	command.config = config;
	bool good = config && provision_command_run(&command);

	config_unref(&config);
	return good ? COMMAND_GOOD : COMMAND_FAILED;
}

/* --crash-at is for tests: kill -9 at a given point. */
#define PROVISION(act, least_, summary_, ...) \
	{ .words = "provision " act, .operands = (least_) ? "NAME..." : "[NAME...]", .least = (least_), .most = COMMAND_OPERANDS_MAX, \
	  .needs = BIT(OPTION_CONFIG), .takes = BIT(OPTION_JSON) | BIT(OPTION_CRASH_AT) __VA_ARGS__, .run = provision, .summary = (summary_) }

const struct command command_table[] = {
	{ .words = "", .needs = BIT(OPTION_CONFIG), .run = run_proxy,
	  .summary = "run in the foreground",
	  .detail = "SIGHUP reads the file again, SIGTERM drains and ends, SIGINT ends when transactions have ended, SIGQUIT ends at "
	            "once." },
	{ .words = "check", .needs = BIT(OPTION_CONFIG), .run = run_check,
	  .summary = "validate FILE and print the effective settings",
	  .detail = "Every problem is reported at once, with its line. Nothing is connected to; see doctor for that." },
	{ .words = "doctor", .needs = BIT(OPTION_CONFIG), .takes = BIT(OPTION_JSON), .run = doctor_command,
	  .summary = "connect to everything FILE names, and say what is wrong and what to do",
	  .detail = "Hosts, TLS, logins, roles, replication, connection limits, clocks, files and the probe user's rights. Exits "
	            "with 1 if something is wrong; what is merely worth knowing does not count." },
	{ .words = "init", .needs = BIT(OPTION_URL), .takes = BIT(OPTION_OUTPUT) | BIT(OPTION_FORCE), .run = init_command,
	  .summary = "ask a server what it has, and write a first pgweir.ini for it",
	  .detail = "The URL may name several hosts, comma-separated. A missing password is taken from PGPASSWORD. Nothing is changed "
	            "on the server." },
	{ .words = "import-pgbouncer", .operands = "PGBOUNCER.INI", .least = 1, .most = 1,
	  .takes = BIT(OPTION_OUTPUT) | BIT(OPTION_FORCE), .run = import_command,
	  .summary = "print a pgweir.ini that does what a PgBouncer configuration does",
	  .detail = "What has no counterpart becomes a comment with the reason. Exits with 1 if something needs a decision, which such "
	            "a comment marks with \"!\"." },
	{ .words = "describe settings", .run = describe_settings,
	  .summary = "print the reference of all settings" },
	{ .words = "describe sample", .run = describe_sample,
	  .summary = "print a commented pgweir.ini with every key at its default" },
	{ .words = "describe metrics", .run = describe_metrics,
	  .summary = "print the reference of all metrics" },
	{ .words = "describe errors", .run = describe_errors,
	  .summary = "print the errors with which pgweir ends connections" },
	{ .words = "describe man", .operands = "pgweir.1|pgweir.ini.5|pgweir-console.7", .least = 1, .most = 1, .run = man_command,
	  .summary = "print a manual page" },
	PROVISION("plan", 0, "say what is missing for the users that [provision] sections declare, and the SQL for it"),
	PROVISION("apply", 0, "bring about what [provision] sections declare"),
	PROVISION("check", 0, "say what is not as declared, and exit with 1 if something is not"),
	PROVISION("show", 0, "print name, login, secret and databases of the users"),
	PROVISION("rotate", 1, "change the passwords of the users"),
	PROVISION("drop", 1, "drop the users, with --yes", | BIT(OPTION_YES) | BIT(OPTION_REASSIGN_TO)),
	{ .words = "secret show", .operands = "NAME", .least = 1, .most = 1, .needs = BIT(OPTION_CONFIG), .run = secret_show,
	  .summary = "say how a secret fares, never what it holds" },
	{ .words = "secret test", .operands = "NAME", .least = 1, .most = 1, .needs = BIT(OPTION_CONFIG), .run = secret_test,
	  .summary = "log in with a secret to the servers it serves" },
	{ .words = "completion", .operands = "bash|zsh|fish", .least = 1, .most = 1, .run = completion_command,
	  .summary = "print the shell's completion of this command line" },
};
const size_t command_count = ARRAY_LEN(command_table);
