/* Pools of server connections.
 *
 * A pool is (database, role): the connections that log in to one database as one role, on whichever host of the cluster
 * serves. The role is the clients' own unless [database] forces one; then all clients share the pool. Its size is one quota
 * shared by all workers; each worker has a share of it with idle connections and waiters of its own. A share without an
 * idle connection opens one if the quota allows, else borrows from a sibling's share. Sessions borrow backends; they never
 * open or close one. The pool knows nothing about clients, SQL, or where credentials come from. */
#ifndef PGWEIR_POOL_H
#define PGWEIR_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/backend.h"
#include "pgweir/pool_share.h"
#include "pgweir/pool_table.h"
#include "pgweir/worker.h"

enum pool_outcome {
	POOL_GRANTED,           /* `backend` is yours until pool_release(). Set its sink and owner at once. */
	POOL_TIMED_OUT,         /* query_wait_timeout passed. */
	POOL_REFUSED,           /* The server refuses our login: share->last_error says how. */
};

struct pool_opening;
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
	struct state *custom;           /* It must know no other custom settings than these. */
	bool any_custom;                /* Or it may. */
	const char *replication;
	uint64_t last_owner;            /* It would rather have the one that this session had last, if it is as good; 0: any. */
	uint64_t since_us;              /* 0: not waiting. */
	struct pool_opening *opening;   /* A login under way for it, or NULL. What comes of it may also serve another. */
	uint64_t waited_us;             /* For what was granted last; 0: nothing, or the owner has seen to it. */
};

/* An idle connection at once, or NULL: then the waiter waits. */
struct backend *pool_acquire(struct pool_share *share, struct pool_waiter *waiter) MUST_USE;
void pool_waiter_cancel(struct pool_waiter *waiter);    /* Fine if it does not wait. */

/* Somebody waits for what backends like this one are needed for: it should be given back without delay. */
bool pool_is_awaited(const struct backend *backend);

/* Gives a quiet backend back. */
void pool_release(struct backend *backend);
/* Gives back one whose client went away: what runs is cancelled, drained, rolled back and verified, or closed if that
 * does not end in time. `cut`: a message of the client's was sent only in part, so that it must be closed. */
void pool_abandon(struct backend *backend, bool cut);
void pool_close(struct backend *backend, enum close_reason reason);

/* An error that the server has given to whoever has it on loan: some are a reason to look at the hosts. */
void pool_note_error(const struct backend *backend, const char *sqlstate);

/* Another host may become its primary: there are several, and they are watched. */
bool pool_can_fail_over(const struct pool_share *share);

/* A cancel to what runs on `backend`, which is not lent to anybody else before it has arrived. Then, or when the worker ends,
 * `done` is called, if it is not NULL; the backend may be gone by then. */
typedef void pool_cancel_done_cb(void *arg);
void pool_cancel(struct backend *backend, pool_cancel_done_cb *done, void *arg);

/* --- Administration, on the worker's thread --- */

void pool_worker_start(struct worker *worker);
void pool_worker_finish(struct worker *worker);
void pool_worker_tick(struct worker *worker);
/* Lets go of idle connections to that database of the server's, whatever clients call it, on all workers, for what `backend`
 * is about to run; until that has ended, or a while has passed. */
void pool_vacate(struct backend *backend, const char *dbname);
void pool_vacate_ends(struct backend *backend); /* It has. Nothing happens if there was no such thing. */
void pool_worker_adopt(struct worker *worker, struct config *config);
/* A secret has another value: what is opened from now on logs in with that. */
void pool_worker_adopt_secrets(struct worker *worker, void *unused);
/* Takes the worker's new topology into use: connections to hosts that may not keep them go, at once or after their
 * transaction, and waiters are served. */
void pool_worker_follow(struct worker *worker);
/* Serves waiters again, after something has changed that they may have waited for. */
void pool_worker_retry(struct worker *worker, void *unused);
/* Closes idle connections of the database and of the cluster; NULL: of all of them. */
void pool_worker_close_idle(struct worker *worker, struct pool_database *database, struct pool_cluster *cluster);
/* True if it goes as soon as it is released: after RECONNECT, a change of what it was opened with, or too long a life. */
bool pool_outdated(const struct backend *backend);

#endif
