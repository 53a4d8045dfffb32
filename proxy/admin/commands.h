/* The commands of the console: one table of what there is, what it takes, who may, and what does it. */
#ifndef PGWEIR_ADMIN_COMMANDS_H
#define PGWEIR_ADMIN_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/error.h"
#include "result.h"
#include "words.h"

struct job;

enum command_arguments {
	ARGUMENTS_NONE,
	ARGUMENTS_MAYBE_ONE,
	ARGUMENTS_ONE,
	ARGUMENTS_SETTING,              /* key = value, key TO value */
	ARGUMENTS_ANY,
	ARGUMENTS_SQL,                  /* All that is left of the message, of whatever SQL: call_parse() leaves it as it is. */
};

enum command_who {
	COMMAND_STATS_USERS,            /* And admin users. */
	COMMAND_ADMIN_USERS,
};

struct command {
	const char *words;              /* In capitals, one blank apart. The row with the longest match counts. */
	enum command_arguments arguments;
	enum command_who who;
	const struct table *table;      /* What the rows look like; NULL: there are none. */
	void (*run)(struct job *job);
	const char *value;              /* The text of the one row, or of CommandComplete, where that is all there is to it. */
	const char *usage;              /* Behind the words in SHOW HELP. */
	const char *help;               /* NULL: taken for the sake of drivers, not in SHOW HELP. */
};

/* A statement that the table has recognized. */
struct call {
	const struct command *command;  /* NULL: an empty statement. */
	struct words words;
	size_t arguments_at;            /* Words before the first argument. */
	char *sql;                      /* Of ARGUMENTS_SQL, else NULL. */
};

/* Reads one statement; `*used` as for words_parse(). False: `error` says what is wrong, `*hint` what to do. */
bool call_parse(struct call *call, const char *sql, size_t *used, struct error *error, const char **hint) MUST_USE;
void call_fini(struct call *call);
/* The i-th word behind the command's own, or NULL. */
const char *call_argument(const struct call *call, size_t i);

/* Calls `visit` for each command that SHOW HELP lists. */
typedef void command_cb(const struct command *command, void *arg);
void commands_foreach(command_cb *visit, void *arg);

#endif
