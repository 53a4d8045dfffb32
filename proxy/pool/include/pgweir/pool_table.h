/* What all workers share of the pools: sizes, names, statements.
 *
 * Entries are made when first asked for and live as long as the process: there are as many as an operator's names, and
 * pointers to them never go stale. Any thread may call any of this. */
#ifndef PGWEIR_POOL_TABLE_H
#define PGWEIR_POOL_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgweir/quota.h"
#include "pgweir/statement.h"
#include "pgweir/worker.h"

struct pool_share;

/* What all workers share of a database name, whatever the user. */
struct pool_database {
	char *name;
	_Atomic bool paused, disabled;
	_Atomic uint64_t epoch;         /* Grows with every DDL seen: statements parsed before mean something else. */
	_Atomic bool asks_sequences;    /* Some client has called currval() or lastval(). */
	_Atomic unsigned sequences_cleared;     /* For nothing, before any client had. */
	_Atomic unsigned reconnect;     /* Grows with RECONNECT: older connections are let go. */
	struct quota quota;             /* max_db_connections */
};

/* What all workers share of a cluster's name. */
struct pool_cluster {
	char *name;
	_Atomic bool paused;
};

struct pool_user {
	char *name;
	struct quota quota;             /* max_user_connections */
};

struct pool_host {
	char *name;                     /* "host:port" */
	struct quota quota;             /* max_server_conn */
	_Atomic int allowed;            /* What the server allows ordinary roles; 0: not known. */
	_Atomic uint64_t answered_us;   /* When it said so, or did not when it was asked; 0: never. */
	_Atomic bool asking;            /* A login under way will ask. */
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
	_Atomic bool password_refused;  /* By the last login that got an answer, on whichever worker: what is open is precious. */
	_Atomic uint64_t stored;        /* Of the credentials used last, and what connections of an earlier one are counted by. */
	_Atomic unsigned outdated;
	_Atomic unsigned primary;       /* Which host of an unobserved cluster serves; moves when one turns out to be a standby. */
	struct statement_table statements;
	_Atomic uint64_t parameters_seen;       /* A hash of what new connections report: it changes with the server's defaults. */
	pthread_mutex_t welcomes_mutex; /* The session library's: ParameterStatus sets ready to send. */
	struct list welcomes;
	unsigned welcome_count;
	struct pool_mark marks[WORKERS_MAX];
};

/* Grows when all connections that are open are to be replaced. */
static inline unsigned pool_generation(const struct pool *pool)
{
	return atomic_load_explicit(&pool->database->reconnect, memory_order_relaxed)
		+ atomic_load_explicit(&pool->outdated, memory_order_relaxed);
}

/* NULL if no such name has been used yet. */
struct pool_database *pool_database_find(const char *name);
/* Made when first asked for. */
struct pool_database *pool_database_get(const char *name);
typedef void pool_database_cb(struct pool_database *database, void *arg);
void pool_database_foreach(pool_database_cb *visit, void *arg);
struct pool_cluster *pool_cluster_get(const char *name);
void pool_cluster_resume_all(void);     /* Wakes nobody. */
bool pool_any_cluster_paused(void);
typedef void pool_host_cb(struct pool_host *host, void *arg);
void pool_host_foreach(pool_host_cb *visit, void *arg);
/* Pauses or resumes every database, those whose names are used later too; wakes nobody. */
void pool_pause_all(bool paused);
/* From now on connections of the database (NULL: of all) are outdated; closes none. */
void pool_reconnect(struct pool_database *database);
bool pool_all_paused(void);
void pools_free(void);          /* After the workers have stopped. */

#endif
