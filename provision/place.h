/* Where the work is done: connections to the primary of a cluster, as its admin_user.
 *
 * The primary of a cluster that is watched is the one that was observed. Otherwise each host is asked; of several that say
 * they are it, the one with the newest timeline is. One
 * connection, to the home database, holds the lock that makes sure that only one pgweir is at work in a cluster: advisory
 * locks belong to a database, and it is always the same one (the cluster's probe_dbname). */
#ifndef PGWEIR_PROVISION_PLACE_H
#define PGWEIR_PROVISION_PLACE_H

#include <stdatomic.h>

#include "pgweir/config.h"
#include "pgweir/lease.h"
#include "pgweir/pgclient_sync.h"
#include "pgweir/topology.h"

struct place {
	const struct config *config;
	const struct config_cluster *cluster;
	const struct config_host *primary;
	const struct config_host **others;      /* The cluster's other hosts, those that were found among them. */
	size_t other_count;
	struct lease_value admin;
	const struct config_secret *admin_tokens;       /* The admin logs in with tokens, one for each host. NULL: with a password. */
	struct pgclient_sync *home;
	const atomic_bool *stop;
	int version;                            /* Of the server, as libpq has it. */
};

/* False: `error`; `place` is to be freed either way. `topology` may be NULL, and is needed as long as the place. */
bool place_open(const struct config *config, const struct config_cluster *cluster, const struct topology *topology,
	const atomic_bool *stop, struct place *place, struct error *error) MUST_USE;
void place_close(struct place *place);

/* A connection to the primary as admin_user, or as another user. NULL: `error`. */
struct pgclient_sync *place_connect(const struct place *place, const char *dbname, struct error *error) MUST_USE;
struct pgclient_sync *place_connect_as(const struct place *place, const char *dbname, const char *user, const char *password,
	struct error *error) MUST_USE;
struct pgclient_sync *place_connect_to(const struct place *place, const struct config_host *host, struct error *error)
	MUST_USE;

/* The lock of whoever works on this cluster. False: another has had it for `wait_ms`, or `error` says something else. */
bool place_lock(struct place *place, uint64_t wait_ms, struct error *error) MUST_USE;
/* Text in one cell; NULL: `error`, or the cell is NULL (then the error's text is empty). */
char *place_ask(struct pgclient_sync *client, const char *sql, struct error *error) MUST_USE;
/* Waits a moment. False: the process is about to end. */
bool place_pause(const struct place *place, unsigned pause_ms) MUST_USE;

#endif
