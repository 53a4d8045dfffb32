/* A PostgreSQL server that knows one query: what is the secret of user $1? It runs on threads of its own, so that libpq
 * talks to it over a real socket. */
#ifndef PGWEIR_AUTH_FAKE_SERVER_H
#define PGWEIR_AUTH_FAKE_SERVER_H

#include <stdbool.h>

/* Users with a meaning: "error" gets an error of the query, "drop" a closed connection, "hang" no answer. */
void fake_server_start(void);
void fake_server_stop(void);
const char *fake_server_host(void);
unsigned short fake_server_port(void);

void fake_server_set(const char *user, const char *secret);     /* NULL: a user without a password. */
void fake_server_forget(const char *user);
void fake_server_refuse_logins(bool refuse);
void fake_server_drop_connections(void);                        /* All that are open now. */

unsigned fake_server_logins(void);      /* Since the start. */
unsigned fake_server_queries(void);
unsigned fake_server_connections(void); /* Open now. */
bool fake_server_saw_option(const char *option);                /* In the last startup packet's `options`. */

#endif
