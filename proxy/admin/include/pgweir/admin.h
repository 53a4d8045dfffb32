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

#endif
