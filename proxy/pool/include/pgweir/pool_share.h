/* A worker's share of a pool: its connections, its waiters, and what they were opened with. On the worker's thread. */
#ifndef PGWEIR_POOL_SHARE_H
#define PGWEIR_POOL_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/config.h"
#include "pgweir/credentials.h"
#include "pgweir/error.h"
#include "pgweir/histogram.h"
#include "pgweir/list.h"
#include "pgweir/map.h"
#include "pgweir/pool_settings.h"
#include "pgweir/pool_table.h"
#include "pgweir/worker.h"

struct pool_stats {
	uint64_t queries, transactions, server_assignments;
	uint64_t received_bytes, sent_bytes;            /* From and to clients. */
	uint64_t query_us, transaction_us, wait_us;
	uint64_t client_parses, server_parses, binds;
	uint64_t login_failures, servers_opened;
	uint64_t audits, function_loads;                /* Questions to servers because of state_audit. */
	uint64_t waited, waited_us, wait_timeouts;      /* Of assignments those that had to wait, and for how long. */
	uint64_t query_waited_us;                       /* What of that came before a query. */
	uint64_t login_us, server_login_us;             /* Clients until their first ReadyForQuery; servers_opened. */
};

struct pool_latency {
	struct histogram server;        /* From a request to its ReadyForQuery. */
	struct histogram waited;        /* What that lacks of what clients have seen: mostly nothing, and nothing is noted then. */
	struct histogram wait;          /* For a server connection, of those who had to. */
	struct histogram login;         /* Of clients. */
	struct histogram server_login;
};

/* What clients have seen, waiting included, out of the two above: `waited` takes back what `server` has counted for a
 * query that waited, and counts it where it belongs; modulo 2^64. */
void pool_latency_seen(const struct pool_latency *latency, struct histogram *seen);

/* A name that clients of the share log in with, and what its [user] section says about their sessions. What it says
 * about server connections (pool_size, max_user_connections) counts for the role that logs in to the server. */
struct pool_guest {
	char *name;
	struct pool_settings settings;
};

struct hub_share;
struct functions;
struct functions_home;
struct pool_place;
struct pool_replicas;

struct pool_share {
	struct list link;               /* In the worker. */
	struct worker *worker;
	struct pool *pool;
	struct pool_cluster *cluster;
	char *key;
	struct config *config;          /* A reference: `database` lives in it. */
	const struct config_database *database;
	char *database_name, *dbname;
	char *user_name;                /* The role of the pool's logins: [database]'s `user`, or its clients' own. */
	struct map guests;              /* By name: struct pool_guest. One, or many where [database] forces a user. */
	struct credentials *credentials;        /* The newest a client of ours came with. A reference. */
	struct pool_settings settings;
	bool replication;               /* Every session has a connection of its own. */
	uint64_t opened_as;             /* A hash of what connections are opened with: equal on all workers. */
	struct list idle;               /* Used last first. */
	struct list lent;
	struct list cleaning;
	struct list waiters;            /* Oldest first. */
	unsigned idle_count, lent_count, cleaning_count, waiter_count;
	struct list openings;           /* Attempts under way. */
	unsigned opening;               /* How many of them. */
	const struct config_host *host_at;      /* Whose struct pool_host `host` is; both of `config`'s time. */
	struct pool_host *host;
	uint64_t look_for_room_us;      /* Not before: it was in vain. */
	uint64_t retry_at_us;           /* After a failed login: not before. */
	uint64_t doubted_us;            /* When the primary last refused to write. */
	uint64_t vacant_until_us;       /* Until then none is opened or kept without need: the database is to be idle, */
	unsigned vacant_for;            /* for so many statements that are under way. */
	struct error last_error;        /* Of the last failed attempt, "" if the last one succeeded. */
	struct buf last_error_body;
	bool refused;                   /* The last attempt was refused by the server itself, */
	bool password_refused;          /* and for its password, which may be about to change. */
	bool no_setup_batches;          /* The server has refused one (session/setup_answer.c). */
	unsigned session_count, session_linked;
	struct pool_stats stats;
	struct pool_latency latency;
	struct functions_home *functions_home;
	struct functions *functions;    /* The list as this worker knows it, or NULL. A reference. */
	struct hub_share *listening;    /* Who of its sessions listens to what, once one does. */
	struct pool_place *place;       /* Of a share at a replica: replicas.h. NULL: its connections go to the primary. */
	struct pool_replicas *replicas; /* Once sessions want them. */
};

struct pool_key {
	struct config *config;
	const struct config_database *database;
	const char *database_name, *user;       /* As the client gave them. */
	struct credentials *credentials;
	bool replication;
	const struct config_host *at;   /* A replica; NULL: the primary. */
};
/* Never NULL. Made when first asked for. */
struct pool_share *pool_share_find(struct worker *worker, const struct pool_key *key);
/* By PAUSE. */
bool pool_share_blocked(const struct pool_share *share);
/* Never NULL, and there as long as the share. */
struct pool_guest *pool_guest_get(struct pool_share *share, const char *name);
/* Of the database's struct functions_home. */
char *pool_functions_key(const struct config_database *database, const char *database_name) MUST_USE;

#endif
