/* PAUSE CLUSTER and RESUME CLUSTER: for a switchover that no client sees.
 *
 * As PAUSE, of all databases of the cluster at once, also of those that are first used meanwhile: transactions come to
 * their end, then no server connection is left, and new transactions wait, up to query_wait_timeout. Sessions in session
 * mode must leave first. Failure story: as with PAUSE. */
#include <stdatomic.h>
#include <string.h>

#include "act.h"
#include "pgweir/control.h"

static bool take_cluster(struct job *job)
{
	const char *name = call_argument(&job->call, 0);
	struct error error;

	if (config_find_cluster(control_config(), name)) {
		job->cluster = pool_cluster_get(name);
		return true;
	}
	error_set(&error, "42704", "cluster \"%s\" does not exist", name);
	job_fail(job, error.sqlstate, error.text, "SHOW DATABASES lists the cluster of each database.");
	return false;
}

static bool is_of_cluster(const struct job *job, const struct pool_database *database)
{
	const struct config_database *configured = config_find_database(control_config(), database->name);

	return configured && strcmp(configured->cluster->name, job->cluster->name) == 0;
}

static void outdate(struct pool_database *database, void *arg)
{
	if (is_of_cluster(arg, database))
		atomic_fetch_add(&database->reconnect, 1);
}

static void add_connections(struct pool_database *database, void *arg)
{
	struct job *job = arg;

	if (is_of_cluster(job, database))
		job->number += (uint64_t)quota_used(&database->quota);
}

static void let_go(struct job *job, struct worker *worker)
{
	pool_worker_close_idle(worker, NULL, job->cluster);
}

static void resume(const struct job *job)
{
	atomic_store(&job->cluster->paused, false);
	workers_wake(UINT64_MAX, pool_worker_retry, NULL);
}

static void undo_pause(struct job *job)
{
	if (job->undo)
		resume(job);
}

static void look_whether_all_are_gone(struct job *job)
{
	job->number = 0;
	pool_database_foreach(add_connections, job);
	if (!atomic_load(&job->cluster->paused)) {
		job->undo = false;
		job_fail(job, "57014", "PAUSE CLUSTER was undone by RESUME", NULL);
	} else if (job->number == 0) {
		job_done(job, "PAUSE CLUSTER");
	} else {
		job_tour_again(job);
	}
}

void act_pause_cluster(struct job *job)
{
	if (!take_cluster(job))
		return;
	job->undo = !atomic_exchange(&job->cluster->paused, true);
	job->abandoned = undo_pause;
	pool_database_foreach(outdate, job);
	job_tour(job, let_go, look_whether_all_are_gone);
}

void act_resume_cluster(struct job *job)
{
	struct error error;

	if (!take_cluster(job))
		return;
	if (atomic_load(&job->cluster->paused)) {
		resume(job);
		job_done(job, "RESUME CLUSTER");
		return;
	}
	error_set(&error, "55000", "cluster \"%s\" is not paused", job->cluster->name);
	job_fail(job, error.sqlstate, error.text, NULL);
}
