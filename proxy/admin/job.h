/* One command at work, from its call to the end of its answer.
 *
 * A job runs on the control thread. What only workers know it collects on a tour of them: the visit runs on each
 * worker in turn, the rest waits. Its client may leave meanwhile; the job then ends by itself with the tour. */
#ifndef PGWEIR_ADMIN_JOB_H
#define PGWEIR_ADMIN_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "commands.h"
#include "pgweir/list.h"
#include "pgweir/map.h"
#include "pgweir/pool.h"
#include "result.h"

struct client;

enum job_state {
	JOB_NEW,
	JOB_RUNNING,
	JOB_DONE,
	JOB_FAILED,
};

/* On a worker's thread; may touch nothing of the job but `result` and the part below "what commands keep". */
typedef void job_visit_cb(struct job *job, struct worker *worker);
/* On the control thread. */
typedef void job_cb(struct job *job);

enum { JOB_TAG_MAX = 128, JOB_POLL_MS = 50 };

struct job {
	struct list link;               /* In the list of all. */
	struct client *client;          /* NULL: it has left. */
	struct call call;
	enum job_state state;
	struct result result;
	struct buf notices;             /* Messages that go ahead of the answer. */
	size_t rows_at;                 /* How far the result has been sent. */
	char tag[JOB_TAG_MAX];          /* Of CommandComplete. */
	struct error error;
	char *detail;
	const char *hint;
	bool starting;                  /* Within job_start(). */
	bool touring;
	job_visit_cb *visit;
	job_cb *after_tour;
	job_cb *abandoned;              /* Undoes what was begun when the client leaves before the end. May be NULL. */
	struct loop_timer timer;

	/* What commands keep. */
	struct map sums;                /* Values are freed with mem_free(). */
	struct pool_database *database; /* NULL: all. */
	struct pool_cluster *cluster;   /* NULL: that does not matter. */
	uint64_t number;
	bool found;
	bool undo;                      /* It was this command that changed what `abandoned` would change back. */
};

struct job *job_new(struct client *client, struct call *call, uint64_t binary) MUST_USE;       /* Takes the call. */
void job_start(struct job *job);                /* Refuses what the client may not do. May have ended on return. */
void job_free(struct job **job);                /* NULL is fine. A running one goes on alone if it must. */

/* --- For commands: each ends with one of these two, now or later --- */

void job_done(struct job *job, const char *tag);
void job_fail(struct job *job, const char *sqlstate, const char *text, const char *hint);

/* Runs `visit` on each worker in turn, then `after` here. */
void job_tour(struct job *job, job_visit_cb *visit, job_cb *after);
/* The same in slices, for whatever looks at all pools or sessions. The callbacks' `arg` is the job, which they may touch
 * as a visit may. */
void job_walk(struct job *job, const struct worker_walk *calls, job_cb *after);
/* The last tour again after JOB_POLL_MS. */
void job_tour_again(struct job *job);

void job_notice(struct job *job, const char *text, const char *detail);
/* Whether the worker's share is one of the job's database. */
bool job_wants(const struct job *job, const struct pool_share *share);

#endif
