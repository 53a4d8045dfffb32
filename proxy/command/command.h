/* The command line: one table of commands, and one of the options they take.
 *
 * Dispatch, usage, --help, the completion of shells and the manual page come from these two tables; a command is added by
 * adding a row. Standard output has what was asked for, standard error what is to be said about it. */
#ifndef PGWEIR_COMMAND_H
#define PGWEIR_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "pgweir/config.h"

enum command_status { COMMAND_GOOD = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };
enum { COMMAND_OPERANDS_MAX = 64 };

enum command_option_id {
	OPTION_CONFIG,
	OPTION_OUTPUT,
	OPTION_URL,
	OPTION_FORCE,
	OPTION_JSON,
	OPTION_YES,
	OPTION_REASSIGN_TO,
	OPTION_CRASH_AT,
	OPTION_COUNT,
};

struct command_option {
	const char *name;               /* Without the dashes. */
	char letter;                    /* '\0': none. */
	const char *value;              /* What follows it, for people; NULL: it is a switch. */
	const char *help;               /* NULL: for tests, and kept out of every document. */
};
extern const struct command_option command_options[OPTION_COUNT];

struct command;

/* What was said. */
struct command_line {
	const struct command *command;
	const char *options[OPTION_COUNT];      /* NULL: not given. Switches are "". */
	const char *operands[COMMAND_OPERANDS_MAX];
	int operand_count;
};

struct command {
	const char *words;              /* "secret show"; "" for pgweir without a command. */
	const char *operands;           /* "NAME", "[NAME...]", "bash|zsh|fish"; NULL: none. */
	int least, most;                /* Operands. */
	unsigned needs, takes;          /* Bits, 1 << option. */
	const char *summary;
	const char *detail;             /* For the manual page; may be NULL. */
	enum command_status (*run)(const struct command_line *line);
};
extern const struct command command_table[];
extern const size_t command_count;

/* "pgweir secret show -c FILE NAME" */
void command_print_usage(const struct command *command, FILE *out);
/* Says so on standard error. */
enum command_status command_usage_error(const char *format, ...) PRINTF_LIKE(1, 2);

/* Warnings and errors, one line each, to standard error; frees them. */
void command_print_problems(struct config_problems *problems);
/* The file that -c names, with its problems on standard error; NULL: it cannot be used. */
struct config *command_load(const struct command_line *line) MUST_USE;
/* Standard output, or the file of -o: new, or replaced with --force, and for its owner alone. NULL: said on standard
 * error. command_close_output() is false when something could not be written. */
FILE *command_open_output(const struct command_line *line) MUST_USE;
bool command_close_output(const struct command_line *line, FILE *file) MUST_USE;

/* Is the option one of the command's, and not for tests alone? */
bool command_shows(const struct command *command, enum command_option_id id);

/* --- The commands --- */

enum command_status completion_command(const struct command_line *line);
enum command_status doctor_command(const struct command_line *line);
enum command_status import_command(const struct command_line *line);
enum command_status init_command(const struct command_line *line);
enum command_status man_command(const struct command_line *line);

#endif
