/* `pgweir doctor` at the servers: what its files say to one another of a cluster. */
#ifndef PGWEIR_DOCTOR_SERVERS_H
#define PGWEIR_DOCTOR_SERVERS_H

#include <stdbool.h>

#include "doctor.h"
#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/pgclient_sync.h"

struct doctor_login {
	const char *dbname, *user, *password;
	const char *tokens;             /* The [secret] that makes a token for each login, or NULL. */
};

struct doctor_host {
	bool answered, in_recovery;
	char *system;                   /* Its identifier, or NULL. */
	long long usable;               /* Connections that users get. */
};

struct doctor_cluster {
	struct doctor *doctor;
	const struct config *config;
	const struct config_cluster *cluster;
	struct doctor_host *hosts;
	struct doctor_login login;      /* For looking at hosts; user NULL: none is known. */
	struct lease *lease;
	bool probing;                   /* The login is the probe's. */
};

/* doctor_open.c */
/* NULL: `error`, with the SQLSTATE of a server that refused. */
struct pgclient_sync *doctor_open(const struct config *config, const struct config_tls *tls, const struct config_host *host,
	const struct doctor_login *login, struct error *error) MUST_USE;
const char *doctor_advice(const struct error *error);        /* What to do about it; a literal. */

/* doctor_hosts.c: fills in `found`. */
void doctor_look_at_host(const struct doctor_cluster *report, const struct config_host *host, struct doctor_host *found);

/* doctor_clusters.c: from what all hosts have said. */
void doctor_judge_roles(const struct doctor_cluster *report, const char *where);
void doctor_judge_limits(const struct doctor_cluster *report, const char *where);

/* doctor_logins.c */
/* Of clients that auth_file or auth_query knows nothing can be said before they come. */
void doctor_try_logins(const struct doctor_cluster *report, const struct config_database *database);
/* Provisioning begins with this login. */
void doctor_try_admin(const struct doctor_cluster *report);

#endif
