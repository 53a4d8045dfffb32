/* REVOKE SECRET: whoever has logged in with a version that is no longer in force has to go.
 *
 * Failure story: a login under way may have passed its check before the command and arrive after it. What follows is told
 * by each connection itself, so that saying REVOKE SECRET once more finds those. */
#include <inttypes.h>
#include <string.h>

#include "act.h"
#include "pgweir/hub.h"
#include "pgweir/lease.h"
#include "pgweir/session.h"

static bool is_of(const char *secret, const struct job *job)
{
	return secret && strcmp(secret, call_argument(&job->call, 0)) == 0;
}

struct revocation {
	const struct job *job;
	uint64_t version;
};

/* Clients are cut off wherever they are: somebody else may know that password. */
static void close_client(struct list *link, void *arg)
{
	struct session *session = LIST_MEMBER(link, struct session, link);
	const struct revocation *revocation = arg;

	const struct session_secret *secret = session->secret;

	if (secret && is_of(secret->name, revocation->job) && secret->version < revocation->version)
		session_close(session, CLOSE_CLIENT_REVOKED, NULL);
}

static bool is_outdated(const struct backend *backend, const void *arg)
{
	const struct job *job = arg;
	const struct credentials *credentials = backend->server->target->credentials;

	return is_of(credentials->secret, job) && !credentials_in_force(credentials);
}

/* Server connections that are lent are closed when they come back: nobody else can use them. */
static void close_servers(const struct job *job, struct pool_share *share)
{
	struct list *lists[] = { &share->idle, &share->lent, &share->cleaning };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		LIST_FOREACH(link, next, lists[i]) {
			struct backend *backend = LIST_MEMBER(link, struct backend, link);

			if (!is_outdated(backend, job))
				continue;
			if (backend->state == BACKEND_IDLE) {
				pool_close(backend, CLOSE_SERVER_REVOKED);
				continue;
			}
			backend->retire = true;
			backend->retire_reason = CLOSE_SERVER_REVOKED;
		}
}

static void revoke(struct job *job, struct worker *worker)
{
	struct lease *lease = lease_find(call_argument(&job->call, 0));

	if (lease)
		worker_visit_sessions(worker, close_client, &(struct revocation){ job, lease->version });
	lease_unref(&lease);
	LIST_FOREACH(link, next, &worker->shares)
		close_servers(job, LIST_MEMBER(link, struct pool_share, link));
	hub_worker_retire(worker, is_outdated, job, CLOSE_SERVER_REVOKED);
}

static void revoked(struct job *job)
{
	job_done(job, "REVOKE SECRET");
}

void act_revoke_secret(struct job *job)
{
	if (lease_revoke(call_argument(&job->call, 0)))
		job_tour(job, revoke, revoked);
	else
		job_fail(job, "42704", "there is no such secret", "SHOW SECRETS lists them.");
}
