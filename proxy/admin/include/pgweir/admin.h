/* The admin console: the databases "pgweir" and "pgbouncer".
 *
 * Answers PgBouncer's commands with PgBouncer's columns first. Runs on the control thread; what only a worker knows is
 * collected by a tour of the workers. */
#ifndef PGWEIR_ADMIN_H
#define PGWEIR_ADMIN_H

#include "pgweir/login.h"

/* Takes over a client of the console. Control thread. */
void admin_receive(struct login_session *session);
/* Closes all of them. */
void admin_stop(void);

/* The commands that SHOW HELP lists, for documents. */
struct admin_command {
	const char *words, *usage, *help;       /* usage may be NULL. */
	bool admins_only;                       /* Not for stats_users. */
	const char *const *columns;             /* Of the rows it answers with. */
	size_t column_count;
};
typedef void admin_command_cb(const struct admin_command *command, void *arg);
void admin_commands(admin_command_cb *callback, void *arg);

#endif
