/* Pools of server connections.
 *
 * A pool is (database, user): the connections that log in to one database as one role, on whichever host of the cluster
 * serves. Its size is one quota shared by all workers; each worker has a share of it with idle connections and waiters
 * of its own. A share without an idle connection opens one if the quota allows, else borrows from a sibling's share.
 * Sessions borrow backends; they never open or close one. The pool knows nothing about clients, SQL, or where
 * credentials come from. */
#ifndef PGWEIR_POOL_H
#define PGWEIR_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/backend.h"
#include "pgweir/error.h"
#include "pgweir/quota.h"
#include "pgweir/statement.h"
#include "pgweir/worker.h"

/* What [pgweir], [database] and [user] say together. */
struct pool_settings {
	enum pool_mode mode;
	int pool_size, min_pool_size, reserve_pool_size;
	uint64_t reserve_pool_timeout_us, query_wait_timeout_us, query_timeout_us, transaction_timeout_us;
	uint64_t idle_transaction_timeout_us, client_idle_timeout_us;
	uint64_t server_lifetime_us, server_idle_timeout_us, server_login_retry_us, server_check_delay_us;
	int max_prepared_statements;
	const char *reset_query, *check_query;
};

/* What all workers share of a database name, whatever the user. Lives as long as the process. */
struct pool_database {
	char *name;
	_Atomic bool paused, disabled;
	_Atomic uint64_t epoch;         /* Grows with every DDL seen: statements parsed before mean something else. */
	_Atomic unsigned reconnect;     /* Grows with RECONNECT: older connections are let go. */
	struct quota quota;             /* max_db_connections */
};

struct pool_user {
	char *name;
	struct quota quota;             /* max_user_connections */
};

struct pool_host {
	char *name;                     /* "host:port" */
	struct quota quota;             /* max_server_conn */
};

/* Per worker, and read by the others when they look for somebody to borrow from or to lend to. */
struct pool_mark {
	_Alignas(64) _Atomic int idle;
	_Atomic uint64_t oldest_wait_us;        /* 0: nobody waits. */
	_Atomic(struct pool_share *) share;
};

struct pool {
	char *key;
	struct pool_database *database;
	struct pool_user *user;
	struct quota quota;             /* pool_size, and while waiting takes too long reserve_pool_size more. */
	_Atomic int live;               /* Connections that are logged in. */
	_Atomic uint64_t waiting;       /* A bit for each worker with waiters. */
	_Atomic unsigned primary;       /* Which host of the cluster serves; moves when one turns out to be a standby. */
	struct statement_table statements;
	struct pool_mark marks[WORKERS_MAX];
};

struct pool_stats {
	uint64_t queries, transactions, server_assignments;
	uint64_t received_bytes, sent_bytes;            /* From and to clients. */
	uint64_t query_us, transaction_us, wait_us;
	uint64_t client_parses, server_parses, binds;
	uint64_t login_failures, servers_opened;
};

struct pool_share {
	struct list link;               /* In the worker. */
	struct worker *worker;
	struct pool *pool;
	char *key;
	struct config *config;          /* A reference: `database` lives in it. */
	const struct config_database *database;
	char *database_name, *user_name, *dbname;
	struct credentials *credentials;        /* The newest a client of ours came with. A reference. */
	struct pool_settings settings;
	bool replication;               /* Every session has a connection of its own. */
	unsigned generation;            /* Grows when the connection's parameters change. */
	struct list idle;               /* Used last first. */
	struct list lent;
	struct list cleaning;
	struct list waiters;            /* Oldest first. */
	unsigned idle_count, lent_count, cleaning_count, waiter_count;
	struct list openings;           /* Attempts under way. */
	unsigned opening;               /* How many of them. */
	uint64_t retry_at_us;           /* After a failed login: not before. */
	struct error last_error;        /* Of the last failed attempt, "" if the last one succeeded. */
	struct buf last_error_body;
	bool refused;                   /* The last attempt was refused by the server itself. */
	struct list welcomes;           /* The session library's: ParameterStatus sets ready to send. */
	unsigned welcome_count;
	unsigned session_count, session_linked;
	struct pool_stats stats;
};

/* --- Finding a share --- */

struct pool_key {
	struct config *config;
	const struct config_database *database;
	const char *database_name, *user;
	struct credentials *credentials;
	bool replication;
};
/* Never NULL. Made when first asked for. */
struct pool_share *pool_share_find(struct worker *worker, const struct pool_key *key);

/* --- Borrowing --- */

enum pool_outcome {
	POOL_GRANTED,           /* `backend` is yours until pool_release(). Set its sink and owner at once. */
	POOL_TIMED_OUT,         /* query_wait_timeout passed. */
	POOL_REFUSED,           /* The server refuses our login: share->last_error says how. */
};

struct pool_waiter;
/* Called exactly once after pool_acquire() returned NULL, on the same worker, never from within the call, and not at all
 * after pool_waiter_cancel(). */
typedef void pool_granted_cb(struct pool_waiter *waiter, enum pool_outcome outcome, struct backend *backend);

struct pool_waiter {
	struct list link;
	struct pool_share *share;
	pool_granted_cb *granted;
	struct state *login_state;      /* What the connection must have been logged in with; borrowed from the session. */
	struct state *settings;         /* What it should better have in force already. */
	const char *replication;
	uint64_t since_us;              /* 0: not waiting. */
};

/* An idle connection at once, or NULL: then the waiter waits. */
struct backend *pool_acquire(struct pool_share *share, struct pool_waiter *waiter) MUST_USE;
void pool_waiter_cancel(struct pool_waiter *waiter);    /* Fine if it does not wait. */

/* Gives a quiet backend back. */
void pool_release(struct backend *backend);
/* Gives back one whose client went away: what runs is cancelled, drained, rolled back and verified, or closed if that
 * does not end in time. `cut`: a message of the client's was sent only in part, so that it must be closed. */
void pool_abandon(struct backend *backend, bool cut);
void pool_close(struct backend *backend, enum close_reason reason);

/* A cancel to what runs on `backend`, which is not lent to anybody else before it has arrived. */
void pool_cancel(struct backend *backend);

/* --- Administration, on the worker's thread --- */

void pool_worker_start(struct worker *worker);
void pool_worker_finish(struct worker *worker);
void pool_worker_tick(struct worker *worker);
void pool_worker_adopt(struct worker *worker, struct config *config);
/* Serves waiters again, after something has changed that they may have waited for. */
void pool_worker_retry(struct worker *worker, void *unused);
/* Lets go of idle connections of the database (NULL: all), and of busy ones once they are released. */
void pool_worker_reconnect(struct worker *worker, struct pool_database *database);

/* Any thread; NULL if no such name has been used yet. */
struct pool_database *pool_database_find(const char *name);
/* Made when first asked for. */
struct pool_database *pool_database_get(const char *name);
typedef void pool_database_cb(struct pool_database *database, void *arg);
void pool_database_foreach(pool_database_cb *visit, void *arg);
/* Pauses or resumes every database, those whose names are used later too. Any thread; wakes nobody. */
void pool_pause_all(bool paused);
bool pool_all_paused(void);
void pools_free(void);          /* After the workers have stopped. */

#endif
