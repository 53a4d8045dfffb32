/* The command line. */
#include <stdio.h>
#include <string.h>

#include "pgweir/admin.h"
#include "pgweir/config.h"
#include "pgweir/control.h"
#include "pgweir/http.h"
#include "pgweir/settings.h"
#include "provision_command.h"
#include "secret_command.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct arguments {
	const char *config_path;
	const char *words[64];
	int word_count;
	bool json, yes;
	const char *reassign_to, *crash_at;
};

static int command_run(const struct arguments *arguments);
static int command_check(const struct arguments *arguments);
static int command_describe(const struct arguments *arguments);
static int command_secret(const struct arguments *arguments);
static int command_provision(const struct arguments *arguments);

static const struct {
	const char *word;
	const char *usage;
	const char *help;
	int (*run)(const struct arguments *arguments);
} commands[] = {
	{ NULL, "pgweir -c FILE", "run in the foreground", command_run },
	{ "check", "pgweir check -c FILE", "validate FILE and print the effective settings", command_check },
	{ "describe", "pgweir describe settings|metrics|sample", "print the reference of all settings or metrics, or a commented pgweir.ini",
		command_describe },
	{ "secret", "pgweir secret show|test -c FILE NAME", "say how a secret fares, or log in to its servers with it",
		command_secret },
	{ "provision", "pgweir provision plan|apply|check|show|rotate|drop -c FILE [NAME …] [--json] [--yes] [--reassign-to ROLE]",
		"bring about the users that [provision] sections declare, and change their passwords", command_provision },
};

static void print_usage(FILE *to)
{
	fputs("pgweir " PGWEIR_VERSION ", a connection-pooling proxy for PostgreSQL\n\nUsage:\n", to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %-40s %s\n", commands[i].usage, commands[i].help);
	fputs("  pgweir --help | --version\n\nExit status: 0 good, 1 failed, 2 wrong usage.\n", to);
}

static int usage_error(const char *text, const char *word)
{
	fprintf(stderr, "pgweir: %s%s%s\nTry \"pgweir --help\".\n", text, word ? " " : "", word ? word : "");
	return EXIT_USAGE;
}

static void print_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->warning_count; i++)
		fprintf(stderr, "warning: %s\n", problems->warnings[i]);
	for (size_t i = 0; i < problems->count; i++)
		fprintf(stderr, "%s\n", problems->texts[i]);
}

static struct config *load(const struct arguments *arguments)
{
	struct config_problems problems = { 0 };
	struct config *config = config_load(arguments->config_path, &problems);

	print_problems(&problems);
	config_problems_fini(&problems);
	return config;
}

static int command_run(const struct arguments *arguments)
{
	if (!arguments->config_path)
		return usage_error("which configuration? Give it with -c FILE", NULL);
	static const struct control_console console = { .receive = admin_receive, .stop = admin_stop };
	static const struct control_pages pages = { .open = http_open, .close = http_close };
	struct config *config = load(arguments);

	return config ? control_run(config, &console, &pages) : EXIT_FAILED;
}

static int command_check(const struct arguments *arguments)
{
	if (!arguments->config_path)
		return usage_error("check what? Give it with -c FILE", NULL);
	struct config *config = load(arguments);

	if (!config)
		return EXIT_FAILED;
	config_print_effective(config, stdout);
	secret_command_check(config);
	config_unref(&config);
	return EXIT_GOOD;
}

static int command_describe(const struct arguments *arguments)
{
	const char *what = arguments->word_count > 1 ? arguments->words[1] : "";

	if (strcmp(what, "settings") == 0)
		settings_describe(stdout);
	else if (strcmp(what, "metrics") == 0)
		metrics_describe(stdout);
	else if (strcmp(what, "sample") == 0)
		settings_sample(stdout);
	else
		return usage_error("describe what? settings, metrics or sample", NULL);
	return EXIT_GOOD;
}

static bool run_on_secret(const struct config *config, const char *act, const char *name)
{
	const struct config_secret *secret = config_find_secret(config, name);

	if (!secret) {
		fprintf(stderr, "pgweir: there is no [secret %s]\n", name);
		return false;
	}
	return strcmp(act, "show") == 0 ? secret_command_show(secret) : secret_command_test(config, secret);
}

static int command_secret(const struct arguments *arguments)
{
	const char *act = arguments->word_count > 1 ? arguments->words[1] : "";

	if (strcmp(act, "show") != 0 && strcmp(act, "test") != 0)
		return usage_error("secret what? show or test", NULL);
	if (arguments->word_count != 3)
		return usage_error("which secret? Give its name", NULL);
	if (!arguments->config_path)
		return usage_error("which configuration? Give it with -c FILE", NULL);
	struct config *config = load(arguments);

	if (!config)
		return EXIT_FAILED;
	bool good = run_on_secret(config, act, arguments->words[2]);

	config_unref(&config);
	return good ? EXIT_GOOD : EXIT_FAILED;
}

static int command_provision(const struct arguments *arguments)
{
	struct provision_command command = { .act = arguments->word_count > 1 ? arguments->words[1] : "",
		.names = &arguments->words[2], .name_count = arguments->word_count > 2 ? (size_t)arguments->word_count - 2 : 0,
		.json = arguments->json, .yes = arguments->yes, .reassign_to = arguments->reassign_to,
		.crash_at = arguments->crash_at };

	if (!provision_command_knows(command.act))
		return usage_error("provision what? plan, apply, check, show, rotate or drop", NULL);
	if (!arguments->config_path)
		return usage_error("which configuration? Give it with -c FILE", NULL);
	if (!command.name_count && provision_command_wants_names(command.act))
		return usage_error("which provision? Give its name", NULL);
	struct config *config = load(arguments);

	if (!config)
		return EXIT_FAILED;
	command.config = config;
	bool good = provision_command_run(&command);

	config_unref(&config);
	return good ? EXIT_GOOD : EXIT_FAILED;
}

/* Options with a value, and where it goes. --crash-at is for tests: kill -9 at a given point of an apply or a rotation. */
static const char **option_value(const char *text, struct arguments *arguments)
{
	if (strcmp(text, "-c") == 0 || strcmp(text, "--config") == 0)
		return &arguments->config_path;
	if (strcmp(text, "--reassign-to") == 0)
		return &arguments->reassign_to;
	return strcmp(text, "--crash-at") == 0 ? &arguments->crash_at : NULL;
}

static bool *option_switch(const char *text, struct arguments *arguments)
{
	if (strcmp(text, "--json") == 0)
		return &arguments->json;
	return strcmp(text, "--yes") == 0 ? &arguments->yes : NULL;
}

/* Returns EXIT_GOOD, or the status to end with. */
static int read_arguments(int count, char **texts, struct arguments *arguments)
{
	for (int i = 1; i < count; i++) {
		const char **value = option_value(texts[i], arguments);
		bool *given = option_switch(texts[i], arguments);

		if (value) {
			if (++i == count)
				return usage_error(texts[i - 1], "wants a value");
			*value = texts[i];
		} else if (given) {
			*given = true;
		} else if (texts[i][0] == '-' && texts[i][1]) {
			return usage_error("unknown option", texts[i]);
		} else if (arguments->word_count == (int)ARRAY_LEN(arguments->words)) {
			return usage_error("too many arguments", NULL);
		} else {
			arguments->words[arguments->word_count++] = texts[i];
		}
	}
	return EXIT_GOOD;
}

static bool asks_for(int count, char **texts, const char *option, char letter)
{
	for (int i = 1; i < count; i++)
		if (strcmp(texts[i], option) == 0 || (texts[i][0] == '-' && texts[i][1] == letter && !texts[i][2]))
			return true;
	return false;
}

int main(int count, char **texts)
{
	struct arguments arguments = { 0 };

	if (asks_for(count, texts, "--help", 'h')) {
		print_usage(stdout);
		return EXIT_GOOD;
	}
	if (asks_for(count, texts, "--version", 'V')) {
		puts("pgweir " PGWEIR_VERSION);
		return EXIT_GOOD;
	}
	int status = read_arguments(count, texts, &arguments);

	if (status != EXIT_GOOD)
		return status;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		bool wanted = commands[i].word ? arguments.word_count && strcmp(arguments.words[0], commands[i].word) == 0
			: arguments.word_count == 0;

		if (wanted)
			return commands[i].run(&arguments);
	}
	return usage_error("unknown command", arguments.words[0]);
}
