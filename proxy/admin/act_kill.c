/* KILL, KILL_CLIENT, RECONNECT, WAIT_CLOSE. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "act.h"
#include "client.h"
#include "pgweir/session.h"

/* --- KILL --- */

static void close_members(struct list *backends)
{
	LIST_FOREACH(link, next, backends)
		pool_close(LIST_MEMBER(link, struct backend, link), CLOSE_SERVER_KILLED);
}

static void kill_session(struct list *link, void *arg)
{
	struct session *session = LIST_MEMBER(link, struct session, link);

	if (job_wants(arg, session->share))
		session_close(session, CLOSE_CLIENT_KILLED, NULL);
}

/* The database is paused, so that nothing that comes free here is given to anybody. */
static void kill_all(struct job *job, struct worker *worker)
{
	worker_visit_sessions(worker, kill_session, job);
	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (!job_wants(job, share))
			continue;
		close_members(&share->idle);
		close_members(&share->cleaning);
	}
}

/* A second tour finds connections that were on their way between two workers during the first. */
static void kill_again(struct job *job)
{
	if (job->number++ == 0)
		job_tour(job, kill_all, kill_again);
	else
		job_done(job, "KILL");
}

void act_kill(struct job *job)
{
	if (!act_take_database(job))
		return;
	if (job->database)
		atomic_store(&job->database->paused, true);
	else
		pool_pause_all(true);
	job_tour(job, kill_all, kill_again);
}

/* --- KILL_CLIENT --- */

static void kill_one(struct job *job, struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->sessions) {
		struct session *session = LIST_MEMBER(link, struct session, link);

		if (session->id != job->number)
			continue;
		job->found = true;
		session_close(session, CLOSE_CLIENT_KILLED, NULL);
		return;
	}
}

static void say_whether_found(struct job *job)
{
	if (job->found)
		job_done(job, "KILL_CLIENT");
	else
		job_fail(job, "42704", "there is no such client", "SHOW CLIENTS lists them by id.");
}

static bool kill_console(const struct job *job)
{
	LIST_FOREACH(link, next, admin_clients()) {
		struct client *client = LIST_MEMBER(link, struct client, link);

		if (client->id != job->number)
			continue;
		client_kill(client, client == job->client);
		return true;
	}
	return false;
}

void act_kill_client(struct job *job)
{
	const char *text = call_argument(&job->call, 0);
	char *end;

	errno = 0;
	job->number = strtoull(text, &end, 0);
	if (*end != '\0' || end == text || errno) {
		job_fail(job, "22023", "the id of a client is a number", "SHOW CLIENTS shows it as id, and as ptr.");
		return;
	}
	if (kill_console(job))
		job_done(job, "KILL_CLIENT");
	else
		job_tour(job, kill_one, say_whether_found);
}

/* --- RECONNECT, WAIT_CLOSE --- */

/* The first of the new connections says what clients are told from now on: a role's defaults may be others. */
static void reconnect(struct job *job, struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->shares) {
		struct pool *pool = LIST_MEMBER(link, struct pool_share, link)->pool;

		if (!job->database || pool->database == job->database)
			atomic_store(&pool->parameters_seen, 0);
	}
	pool_worker_close_idle(worker, job->database, NULL);
}

static void reconnected(struct job *job)
{
	job_done(job, "RECONNECT");
}

void act_reconnect(struct job *job)
{
	if (!act_take_database(job))
		return;
	pool_reconnect(job->database);
	job_tour(job, reconnect, reconnected);
}

static uint64_t count_old(const struct list *backends)
{
	uint64_t count = 0;

	for (const struct list *link = backends->next; link != backends; link = link->next) {
		const struct backend *backend = LIST_MEMBER((uintptr_t)link, struct backend, link);

		count += pool_outdated(backend);
	}
	return count;
}

static void count_all_old(struct job *job, struct worker *worker)
{
	LIST_FOREACH(link, next, &worker->shares) {
		const struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (job_wants(job, share))
			job->number += count_old(&share->idle) + count_old(&share->lent) + count_old(&share->cleaning);
	}
}

static void look_whether_old_are_gone(struct job *job)
{
	if (job->number == 0) {
		job_done(job, "WAIT_CLOSE");
		return;
	}
	job->number = 0;
	job_tour_again(job);
}

void act_wait_close(struct job *job)
{
	if (act_take_database(job))
		job_tour(job, count_all_old, look_whether_old_are_gone);
}
