/* PAUSE, RESUME, DISABLE, ENABLE.
 *
 * A paused database lends no server connection. PAUSE answers when none is left: what runs comes to its end (a
 * transaction, or in session mode the session), and what lies idle is closed, so that the server may then be stopped.
 * Failure story: if its client leaves before that, the PAUSE is undone; if somebody resumes, it fails. */
#include <stdatomic.h>
#include <string.h>

#include "act.h"
#include "pgweir/control.h"

static bool is_console(const char *name)
{
	return strcmp(name, "pgbouncer") == 0 || strcmp(name, "pgweir") == 0;
}

bool act_take_database(struct job *job)
{
	const char *name = call_argument(&job->call, 0);
	struct error error;

	if (!name)
		return true;
	if (is_console(name)) {
		job_fail(job, "0A000", "the admin console is not a pooled database", NULL);
		return false;
	}
	if (!config_find_database(control_config(), name) && !pool_database_find(name)) {
		error_set(&error, "3D000", "database \"%s\" does not exist", name);
		job_fail(job, error.sqlstate, error.text, "SHOW DATABASES lists them.");
		return false;
	}
	job->database = pool_database_get(name);
	return true;
}

static bool is_paused(const struct job *job)
{
	return job->database ? atomic_load(&job->database->paused) : pool_all_paused();
}

static void set_paused(const struct job *job, bool paused)
{
	if (job->database)
		atomic_store(&job->database->paused, paused);
	else
		pool_pause_all(paused);
	if (!paused && !job->database)
		pool_cluster_resume_all();
	if (!paused)
		workers_wake(UINT64_MAX, pool_worker_retry, NULL);
}

/* --- PAUSE --- */

static void let_go(struct job *job, struct worker *worker)
{
	pool_worker_close_idle(worker, job->database, NULL);
}

static void add_connections(struct pool_database *database, void *arg)
{
	struct job *job = arg;

	job->number += (uint64_t)quota_used(&database->quota);
}

/* Asks the quotas: what travels from one worker to another is met by no tour. */
static void look_whether_all_are_gone(struct job *job)
{
	job->number = 0;
	if (job->database)
		add_connections(job->database, job);
	else
		pool_database_foreach(add_connections, job);
	if (!is_paused(job)) {
		job->undo = false;
		job_fail(job, "57014", "PAUSE was undone by RESUME", NULL);
	} else if (job->number == 0) {
		job_done(job, "PAUSE");
	} else {
		job_tour_again(job);
	}
}

static void undo_pause(struct job *job)
{
	if (job->undo)
		set_paused(job, false);
}

void act_pause(struct job *job)
{
	if (!act_take_database(job))
		return;
	job->undo = !is_paused(job);
	job->abandoned = undo_pause;
	set_paused(job, true);
	pool_reconnect(job->database);
	job_tour(job, let_go, look_whether_all_are_gone);
}

/* --- RESUME --- */

static void note_if_paused(struct pool_database *database, void *arg)
{
	bool *any = arg;

	*any |= atomic_load(&database->paused);
}

void act_resume(struct job *job)
{
	struct error error;

	if (!act_take_database(job))
		return;
	bool paused = is_paused(job);

	if (!job->database) {
		pool_database_foreach(note_if_paused, &paused);
		paused |= pool_any_cluster_paused();
	}
	if (paused) {
		set_paused(job, false);
		job_done(job, "RESUME");
		return;
	}
	if (job->database)
		error_set(&error, "55000", "database \"%s\" is not paused", job->database->name);
	else
		error_set(&error, "55000", "nothing is paused");
	job_fail(job, error.sqlstate, error.text, NULL);
}

/* --- DISABLE, ENABLE, SUSPEND, SHOW FDS --- */

void act_disable(struct job *job)
{
	if (!act_take_database(job))
		return;
	atomic_store(&job->database->disabled, true);
	job_done(job, "DISABLE");
}

void act_enable(struct job *job)
{
	if (!act_take_database(job))
		return;
	atomic_store(&job->database->disabled, false);
	job_done(job, "ENABLE");
}

/* Descriptors for another process to take over, with passwords beside them. */
void act_show_fds(struct job *job)
{
	job_fail(job, "0A000", "SHOW FDS is not supported", "SHOW SOCKETS lists the connections.");
}

void act_suspend(struct job *job)
{
	job_fail(job, "0A000", "SUSPEND is not supported", "PAUSE holds new queries back until RESUME.");
}
