/* A thread of the data plane: a loop, its pools, its sessions, and the snapshot it works with.
 *
 * Everything in here belongs to the worker's own thread. Other threads send letters. */
#ifndef PGWEIR_WORKER_H
#define PGWEIR_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/close_reason.h"
#include "pgweir/config.h"
#include "pgweir/histogram.h"
#include "pgweir/list.h"
#include "pgweir/loop.h"
#include "pgweir/map.h"
#include "pgweir/topology.h"

enum {
	WORKERS_MAX = 64,
	WORKER_RECEIVE_SIZE = 65536,
	WORKER_TICK_MS = 50,
};

struct pool_share;
struct session;

struct worker {
	unsigned index;
	struct loop *loop;
	struct config *config;          /* A reference. */
	struct topology *topology;      /* A reference; NULL before the first. */
	char *receive_buffer;           /* What recv() fills; shared by all connections of this worker, one event at a time. */
	struct list shares;             /* struct pool_share. */
	struct list cancels;            /* In flight. */
	struct list hubs;               /* struct hub. */
	struct map shares_by_key;
	struct list walks;              /* That are here now, between two turns. */
	struct list sessions, *next_session;    /* The latter: of worker_visit_sessions(). */
	/* The session library's, as is: */
	void *relay;
	struct session **sessions_by_pid;       /* Buckets of a table, a power of two of them. */
	size_t pid_buckets, pid_count;
	_Atomic unsigned session_count; /* Written by this worker, and by whoever hands a session over. */
	struct loop_timer tick;
	uint64_t ticks;
	uint64_t now_us;                /* As of the last worker_now(). */
	bool draining;
	uint64_t closed[CLOSE_REASON_COUNT];
	uint64_t cancels_delivered, cancels_unknown;
	unsigned tls_sessions;
	struct histogram loop_delay;    /* How late the tick came, which says how long others had to wait for their turn. */
	uint64_t loop_delay_us, loop_delay_total_us;    /* Of the last one, and of all. */
	uint32_t next_pid;
};

/* What upper libraries have to do on each worker. Set before workers_start(). */
struct worker_hooks {
	void (*prepare)(struct worker *worker);         /* On its thread, before anything else. */
	void (*tick)(struct worker *worker);            /* Every WORKER_TICK_MS. */
	void (*finish)(struct worker *worker);          /* On its thread, before the pools go away. */
};

void workers_start(struct config *config, const struct worker_hooks *hooks);
void workers_stop(void);
unsigned workers_count(void);
struct worker *worker_at(unsigned index);
struct worker *worker_least_loaded(void);       /* Counts a session on it already. */

uint64_t worker_now(struct worker *worker);     /* loop_now_us(); also kept in now_us. */

/* Gives every worker a new snapshot; each adopts it between two events. */
void workers_publish(struct config *config);
void workers_publish_topology(struct topology *topology);

/* Runs `visit` on each worker in turn, on that worker's thread, then `done` on `home`. For admin commands. */
typedef void worker_visit_cb(struct worker *worker, void *arg);
typedef void worker_session_cb(struct list *link, void *arg);
typedef void worker_done_cb(void *arg);
void workers_visit(struct loop *home, worker_visit_cb *visit, worker_done_cb *done, void *arg);
/* For whatever looks at all pools or sessions: the same in slices, between which a worker serves its clients. What lives
 * throughout comes once, what comes or goes meanwhile once or not at all. Any of the callbacks may be NULL. */
struct worker_walk {
	worker_session_cb *session;                             /* Sessions come first. */
	void (*share)(struct pool_share *share, void *arg);
	worker_visit_cb *last;                                  /* Once on each. */
};
void workers_walk(struct loop *home, const struct worker_walk *calls, worker_done_cb *done, void *arg);
/* Those of one worker, on its thread, all in this turn. `visit` may end any of them: who gives a server connection back serves
 * another, which may end by that. */
void worker_visit_sessions(struct worker *worker, worker_session_cb *visit, void *arg);
/* Before a session is taken out of the worker's list. */
void worker_walk_skip(struct worker *worker, const struct list *leaving);

/* As workers_visit() for those workers whose bit is set, all at once, without an answer. `visit` must not need `arg` to live. */
void workers_wake(uint64_t mask, worker_visit_cb *visit, void *arg);

#endif
