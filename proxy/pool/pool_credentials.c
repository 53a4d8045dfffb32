/* What a share logs in with: from the snapshot, a client that has proved it, or a secret; the newest wins, on every worker. */
#include <string.h>

#include "pgweir/mem.h"
#include "pool_internal.h"

/* Logins look up by themselves what a secret says; what it has said is not kept here. */
void pool_credentials_use(struct pool_share *share, struct credentials *credentials)
{
	struct credentials *old = share->credentials;

	share->credentials = credentials->secret ? credentials_without_values(credentials) : credentials_ref(credentials);
	/* It was the old ones that the server refused. */
	if (old && share->password_refused && old->fingerprint != credentials->fingerprint) {
		share->refused = share->password_refused = false;
		share->retry_at_us = 0;
		atomic_store(&share->pool->password_refused, false);
	}
	credentials_unref(&old);
	pool_replicas_use_credentials(share);
}

static void close_outdated(struct pool_share *share)
{
	LIST_FOREACH(link, next, &share->idle) {
		struct backend *backend = LIST_MEMBER(link, struct backend, link);

		if (pool_outdated(backend))
			pool_close(backend, CLOSE_SERVER_RECONNECT);
	}
}

/* What the other workers have to hear, too: they could not log in with what they know. */
struct renewal {
	const struct pool *pool;
	struct credentials *credentials;
};

static void renew_on(struct worker *worker, void *arg)
{
	const struct renewal *renewal = arg;

	worker_now(worker);
	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (share->pool != renewal->pool)
			continue;
		if (share->credentials->fingerprint != renewal->credentials->fingerprint)
			pool_credentials_use(share, renewal->credentials);
		close_outdated(share);
	}
}

static void renewed(void *arg)
{
	struct renewal *renewal = arg;

	credentials_unref(&renewal->credentials);
	mem_free(renewal);
}

/* The role has another password, or is another one of the same name, and these credentials are of now: connections of before
 * make room. Of the role that was they would have no rights any more. */
static void note_stored(struct pool_share *share, struct credentials *credentials)
{
	struct pool *pool = share->pool;
	uint64_t before = credentials->stored ? atomic_exchange(&pool->stored, credentials->stored) : 0;

	if (!before || before == credentials->stored)
		return;
	atomic_fetch_add(&pool->outdated, 1);
	close_outdated(share);
	struct renewal *renewal = NEW(struct renewal);

	*renewal = (struct renewal){ .pool = pool, .credentials = credentials_ref(credentials) };
	workers_visit(share->worker->loop, renew_on, renewed, renewal);
}

void pool_credentials_renew(struct pool_share *share)
{
	struct credentials *credentials = credentials_for_server(share->config, share->database, share->user_name,
		share->credentials);

	pool_credentials_use(share, credentials);
	credentials_unref(&credentials);
}

void pool_credentials_take(struct pool_share *share, const struct pool_key *key)
{
	bool current = key->config->generation >= share->config->generation;
	struct credentials *credentials = current ? credentials_ref(key->credentials)
		: credentials_for_server(share->config, share->database, share->user_name, key->credentials);

	/* A login may have begun before a secret's value that has reached this worker by now. */
	bool stale = credentials->secret && share->credentials->secret
		&& strcmp(credentials->secret, share->credentials->secret) == 0
		&& credentials->secret_serial < share->credentials->secret_serial;

	/* Of the clients of a forced user perhaps only one has brought what the server wants to know. */
	bool useful = credentials_can_prove(credentials) || (credentials->secret && !credentials->missing);

	bool other = credentials->fingerprint != share->credentials->fingerprint || credentials->stored != share->credentials->stored;

	if (!stale && useful && other)
		pool_credentials_use(share, credentials);
	note_stored(share, credentials);
	credentials_unref(&credentials);
}

void pool_credentials_pass_on(struct pool_share *share, struct credentials *credentials)
{
	if (share->credentials->fingerprint != credentials->fingerprint)
		pool_credentials_use(share, credentials);
	note_stored(share, credentials);
}

void pool_worker_adopt_secrets(struct worker *worker, void *unused)
{
	(void)unused;
	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if (share->credentials->secret)
			pool_credentials_renew(share);
	}
	pool_worker_retry(worker, NULL);
}
