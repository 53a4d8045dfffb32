#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "pgweir/command_line.h"
#include "pgweir/mem.h"
#include "pgweir/nearest.h"

/* --- Help --- */

bool command_shows(const struct command *command, enum command_option_id id)
{
	return ((command->needs | command->takes) & (1u << id)) && command_options[id].help;
}

static void print_option(const struct command *command, enum command_option_id id, FILE *out)
{
	const struct command_option *option = &command_options[id];
	bool needed = command->needs & (1u << id);

	if (!command_shows(command, id))
		return;
	fputs(needed ? " " : " [", out);
	if (option->letter)
		fprintf(out, "-%c", option->letter);
	else
		fprintf(out, "--%s", option->name);
	if (option->value)
		fprintf(out, " %s", option->value);
	fputs(needed ? "" : "]", out);
}

void command_print_usage(const struct command *command, FILE *out)
{
	fprintf(out, "pgweir%s%s", *command->words ? " " : "", command->words);
	for (enum command_option_id id = 0; id < OPTION_COUNT; id++)
		print_option(command, id, out);
	if (command->operands)
		fprintf(out, " %s", command->operands);
}

static void print_help(FILE *out)
{
	fputs("pgweir " PGWEIR_VERSION ", a connection-pooling proxy for PostgreSQL\n\nUsage:\n", out);
	for (size_t i = 0; i < command_count; i++) {
		fputs("  ", out);
		command_print_usage(&command_table[i], out);
		fprintf(out, "\n      %s\n", command_table[i].summary);
	}
	fputs("  pgweir [COMMAND] --help\n  pgweir --version\n\nExit status: 0 good, 1 failed, 2 wrong usage.\n", out);
}

static void print_help_of(const struct command *command, FILE *out)
{
	fputs("Usage: ", out);
	command_print_usage(command, out);
	fprintf(out, "\n\n%s%s%s\n", command->summary, command->detail ? "\n" : "", command->detail ? command->detail : "");
	for (enum command_option_id id = 0; id < OPTION_COUNT; id++) {
		const struct command_option *option = &command_options[id];

		if (command_shows(command, id))
			fprintf(out, "  --%s%s%s  %s\n", option->name, option->value ? " " : "", option->value ? option->value : "",
				option->help);
	}
}

enum command_status command_usage_error(const char *format, ...)
{
	va_list arguments;

	fputs("pgweir: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputs("\nTry \"pgweir --help\".\n", stderr);
	return COMMAND_USAGE;
}

/* --- Which command --- */

/* How many of the texts are the command's own words, 0 if they are another's. */
static int match(const struct command *command, int count, char *const *texts)
{
	const char *at = command->words;
	int matched = 0;

	while (*at) {
		size_t size = strcspn(at, " ");

		if (matched == count || strlen(texts[matched]) != size || memcmp(texts[matched], at, size) != 0)
			return 0;
		matched++;
		at += size + (at[size] == ' ');
	}
	return matched;
}

static const struct command *find(int count, char *const *texts, int *matched)
{
	for (size_t i = 0; i < command_count; i++) {
		*matched = match(&command_table[i], count, texts);
		if (*matched)
			return &command_table[i];
	}
	*matched = 0;
	return count == 0 || texts[0][0] == '-' ? &command_table[0] : NULL;
}

/* PgBouncer's file is an argument by itself, so that fingers give ours so. */
static void print_unknown(const char *word)
{
	struct nearest nearest = { .wanted = word };

	for (size_t i = 0; i < command_count; i++)
		nearest_offer(&nearest, command_table[i].words);
	fprintf(stderr, "unknown command %s", word);
	if (access(word, F_OK) == 0)
		fprintf(stderr, "; a FILE goes with -c: pgweir -c %s", word);
	else if (nearest.best)
		fprintf(stderr, "; did you mean %s?", nearest.best);
}

/* "secret" alone, or with a second word that it does not have. */
static enum command_status unknown(const char *word)
{
	const char *separator = " what?";
	size_t size = strlen(word);

	fputs("pgweir: ", stderr);
	for (size_t i = 0; i < command_count; i++) {
		const char *words = command_table[i].words;

		if (strncmp(words, word, size) == 0 && words[size] == ' ') {
			fprintf(stderr, "%s%s %s", *separator == ' ' ? word : "", separator, words + size + 1);
			separator = ",";
		}
	}
	if (*separator == ' ')
		print_unknown(word);
	fputs("\nTry \"pgweir --help\".\n", stderr);
	return COMMAND_USAGE;
}

/* --- Its arguments --- */

/* The option that `text` names; `*value` is what follows a `=`, or NULL. */
static int find_option(const char *text, const char **value)
{
	bool is_long = text[1] == '-';
	size_t size = strcspn(text, "=");

	*value = is_long && text[size] ? text + size + 1 : NULL;
	for (int id = 0; id < OPTION_COUNT; id++) {
		const struct command_option *option = &command_options[id];

		if (is_long ? strlen(option->name) == size - 2 && memcmp(option->name, text + 2, size - 2) == 0
		    : option->letter && text[1] == option->letter && !text[2])
			return id;
	}
	return -1;
}

static enum command_status read_option(struct command_line *line, char *const *texts, int count, int *at)
{
	const char *text = texts[*at], *value;
	int id = find_option(text, &value);

	if (id < 0)
		return command_usage_error("unknown option %s", text);
	if (!((line->command->needs | line->command->takes) & (1u << id)))
		return command_usage_error("%s does not go with this command", text);
	if (command_options[id].value && !value) {
		if (++*at == count)
			return command_usage_error("%s wants a %s", text, command_options[id].value);
		value = texts[*at];
	}
	line->options[id] = value ? value : "";
	return COMMAND_GOOD;
}

static enum command_status read_arguments(struct command_line *line, int count, char *const *texts)
{
	for (int i = 0; i < count; i++) {
		if (texts[i][0] == '-' && texts[i][1]) {
			enum command_status status = read_option(line, texts, count, &i);

			if (status != COMMAND_GOOD)
				return status;
		} else if (line->operand_count == line->command->most || line->operand_count == COMMAND_OPERANDS_MAX) {
			bool is_file = line->command->needs & (1u << OPTION_CONFIG) && !line->options[OPTION_CONFIG];

			return command_usage_error("too many arguments: %s%s", texts[i], is_file ? "; a FILE goes with -c" : "");
		} else {
			line->operands[line->operand_count++] = texts[i];
		}
	}
	for (int id = 0; id < OPTION_COUNT; id++)
		if ((line->command->needs & (1u << id)) && !line->options[id])
			return command_usage_error("give a %s with %s%s", command_options[id].value,
				command_options[id].letter ? "-" : "--",
				command_options[id].letter ? (char[]){ command_options[id].letter, '\0' } : command_options[id].name);
	if (line->operand_count < line->command->least)
		return command_usage_error("give it a %s", line->command->operands);
	return COMMAND_GOOD;
}

static bool asks_for(int count, char *const *texts, const char *option, char letter)
{
	for (int i = 0; i < count; i++)
		if (strcmp(texts[i], option) == 0 || (texts[i][0] == '-' && texts[i][1] == letter && !texts[i][2]))
			return true;
	return false;
}

int command_line_run(int count, char **texts)
{
	struct command_line line = { 0 };
	int matched;

	count--;
	texts++;
	line.command = find(count, texts, &matched);
	if (asks_for(count, texts, "--help", 'h')) {
		if (matched)
			print_help_of(line.command, stdout);
		else
			print_help(stdout);
		return COMMAND_GOOD;
	}
	if (asks_for(count, texts, "--version", 'V')) {
		puts("pgweir " PGWEIR_VERSION);
		return COMMAND_GOOD;
	}
	if (!line.command)
		return unknown(texts[0]);
	enum command_status status = read_arguments(&line, count - matched, texts + matched);

	return (int)(status == COMMAND_GOOD ? line.command->run(&line) : status);
}

/* --- What commands share --- */

void command_print_problems(struct config_problems *problems)
{
	for (size_t i = 0; i < problems->warning_count; i++)
		fprintf(stderr, "warning: %s\n", problems->warnings[i]);
	for (size_t i = 0; i < problems->count; i++)
		fprintf(stderr, "%s\n", problems->texts[i]);
	config_problems_fini(problems);
}

struct config *command_load(const struct command_line *line)
{
	struct config_problems problems = { 0 };
	struct config *config = config_load(line->options[OPTION_CONFIG], &problems);

	command_print_problems(&problems);
	return config;
}

/* What is to be replaced stays until all of the new one is written. */
static char *written_path(const struct command_line *line)
{
	return mem_printf("%s%s", line->options[OPTION_OUTPUT], line->options[OPTION_FORCE] ? ".new" : "");
}

FILE *command_open_output(const struct command_line *line)
{
	if (!line->options[OPTION_OUTPUT])
		return stdout;
	char *path = written_path(line);

	if (line->options[OPTION_FORCE])
		unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!file)
		fprintf(stderr, "pgweir: cannot write %s: %s%s\n", path, strerror(errno), errno == EEXIST ? "; --force replaces it" : "");
	mem_free(path);
	return file;
}

bool command_close_output(const struct command_line *line, FILE *file)
{
	bool good = !ferror(file);
	char *path = file == stdout ? NULL : written_path(line);

	good = (file == stdout ? fflush(file) : fclose(file)) == 0 && good;
	if (path && line->options[OPTION_FORCE])
		good = good && rename(path, line->options[OPTION_OUTPUT]) == 0;
	if (!good)
		fprintf(stderr, "pgweir: cannot write %s: %s\n", path ? path : "to standard output", strerror(errno));
	if (!good && path)
		unlink(path);
	mem_free(path);
	return good;
}
