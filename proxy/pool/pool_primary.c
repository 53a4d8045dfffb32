/* Which host a pool connects to.
 *
 * Where the cluster's hosts are observed it is the primary that was found, and while there is none nothing is opened:
 * waiters wait. Where they are not it is one host after the other, until one is no standby.
 *
 * Failure story: the observation may be older than the truth, so that `in_hot_standby` is looked at with every login all
 * the same; and a login that fails has the hosts looked at again at once. */
#include <stdatomic.h>
#include <string.h>

#include "pgweir/hub.h"
#include "pgweir/routing.h"
#include "pool_internal.h"

enum { DOUBT_AGAIN_US = 100 * 1000 };

/* NULL: nothing is known. */
static const struct topology_cluster *watched(const struct pool_share *share)
{
	const struct config_cluster *cluster = share->database->cluster;

	return cluster->probe_user ? topology_find(share->worker->topology, cluster->name) : NULL;
}

/* NULL: nothing is known, or there is only one. */
static const struct topology_cluster *observed(const struct pool_share *share)
{
	const struct topology_cluster *known = watched(share);

	return known && known->host_count > 1 ? known : NULL;
}

bool pool_can_fail_over(const struct pool_share *share)
{
	const struct topology_cluster *cluster = observed(share);

	return cluster && cluster->standing != CLUSTER_UNOBSERVED;
}

unsigned pool_host_moved(const struct pool_share *share, const struct config_host *host)
{
	const struct topology_cluster *cluster = watched(share);
	const struct topology_host *known = cluster ? topology_find_host(cluster, host->host, host->port) : NULL;

	return known ? known->moved : 0;
}

static bool is_configured(const struct config_cluster *cluster, const struct config_host *host)
{
	for (size_t i = 0; i < cluster->host_count; i++)
		if (cluster->hosts[i].port == host->port && strcmp(cluster->hosts[i].host, host->host) == 0)
			return true;
	return false;
}

bool pool_host_keeps(const struct pool_share *share, const struct config_host *host)
{
	const struct topology_cluster *cluster = observed(share);
	const struct topology_host *known = cluster ? topology_find_host(cluster, host->host, host->port) : NULL;

	if (cluster && !known)
		return is_configured(share->database->cluster, host);
	if (!known || !share->place)
		return !known || known->keeps;
	return known->standing == HOST_REPLICA || known->standing == HOST_DOWN || known->standing == HOST_UNKNOWN;
}

/* One after the other, but for those that are known to be the wrong ones. */
static const struct config_host *next_in_turn(const struct pool_share *share, unsigned tried)
{
	const struct config_cluster *cluster = share->database->cluster;

	for (size_t i = 0; i < cluster->host_count; i++) {
		const struct config_host *host = &cluster->hosts[(tried + i) % cluster->host_count];

		if (pool_host_keeps(share, host))
			return host;
	}
	return NULL;
}

static void choose_place(const struct pool_share *share, struct pool_choice *choice)
{
	const struct pool_place *place = share->place;
	const struct topology_cluster *cluster = observed(share);
	const struct topology_host *known = cluster ? topology_find_host(cluster, place->host, place->port) : NULL;

	choice->host = known && known->standing == HOST_REPLICA ? known->at : NULL;
	if (!choice->host)
		error_set(&choice->error, "57P03", "\"%s:%u\" is no replica of cluster \"%s\" any more", place->host, place->port,
			share->database->cluster->name);
}

void pool_choose_host(struct pool_share *share, struct pool_choice *choice)
{
	const struct config_cluster *cluster = share->database->cluster;
	const struct topology_cluster *known = observed(share);

	*choice = (struct pool_choice){ .tried = atomic_load(&share->pool->primary) };
	if (share->place) {
		choose_place(share, choice);
		return;
	}
	if (!known || known->standing == CLUSTER_UNOBSERVED) {
		choice->host = next_in_turn(share, choice->tried);
	} else {
		const struct topology_host *primary = topology_primary(known);

		choice->host = primary ? primary->at : NULL;
	}
	if (cluster->host_count == 0)
		error_set(&choice->error, "57P03", "where the database is is not known: secret \"%s\" does not say",
			share->database->secret);
	else if (!choice->host)
		error_set(&choice->error, "57P03", "no primary is known in cluster \"%s\"", cluster->name);
}

void pool_host_failed(struct pool_share *share, unsigned tried)
{
	/* Only one of those who found out moves it on. */
	atomic_compare_exchange_strong(&share->pool->primary, &tried, tried + 1);
	if (share->database->cluster->probe_user)
		routing_suspect(share->database->cluster->name);
}

bool pool_is_standby(const struct pool_share *share, const struct server *server)
{
	const char *standby = parameters_get(&server->parameters, "in_hot_standby");

	const struct topology_cluster *known = observed(share);
	bool any = share->place || (share->database->routing == ROUTING_REPLICA && (!known || known->standing == CLUSTER_UNOBSERVED));

	return (share->database->cluster->host_count > 1 || known) && !any && !share->replication && standby
		&& strcmp(standby, "on") == 0;
}

/* Read only is what a transaction may have asked for; but it may also be all that can be had there by now. */
void pool_note_error(const struct backend *backend, const char *sqlstate)
{
	struct pool_share *share = backend->share;
	const struct topology_cluster *cluster = strcmp(sqlstate, "25006") == 0 ? observed(share) : NULL;
	const struct config_host *host = backend->server->target->host;
	const struct topology_host *known = cluster ? topology_find_host(cluster, host->host, host->port) : NULL;

	if (!known || known->standing != HOST_PRIMARY || share->worker->now_us < share->doubted_us + DOUBT_AGAIN_US)
		return;
	share->doubted_us = share->worker->now_us;
	routing_suspect(cluster->name);
}

/* --- A new topology --- */

void pool_judge(struct backend *backend)
{
	const struct server_target *target = backend->server->target;
	bool keeps = pool_host_keeps(backend->share, target->host);

	if (backend->retire || (keeps && pool_host_moved(backend->share, target->host) == target->host_moved))
		return;
	backend->retire = true;
	backend->retire_reason = keeps ? CLOSE_SERVER_RECONNECT : CLOSE_SERVER_NOT_PRIMARY;
}

static void judge_all(struct list *members)
{
	LIST_FOREACH(link, next, members)
		pool_judge(LIST_MEMBER(link, struct backend, link));
}

static void close_retired(struct list *members)
{
	LIST_FOREACH(link, next, members) {
		struct backend *backend = LIST_MEMBER(link, struct backend, link);

		if (backend->retire)
			pool_close(backend, backend->retire_reason);
	}
}

/* Its machine may hang, or be cut off: nothing would ever end the connection. Another has taken its place, so that what is
 * under way there is lost in any case; a fenced host that is up lets its transactions end. */
static bool is_gone(const struct backend *backend)
{
	const struct config_host *host = backend->server->target->host;
	const struct topology_cluster *cluster = observed(backend->share);
	const struct topology_host *known = cluster ? topology_find_host(cluster, host->host, host->port) : NULL;

	return known && known->standing == HOST_DOWN && !known->keeps;
}

static void cut_off(struct pool_share *share)
{
	LIST_FOREACH(link, next, &share->lent) {
		struct backend *backend = LIST_MEMBER(link, struct backend, link);

		if (is_gone(backend))
			conn_cut(&backend->server->conn);
	}
}

/* Whoever waits there has better places to go to. */
static bool place_is_lost(const struct pool_share *share)
{
	const struct topology_host *known = topology_find_host(observed(share), share->place->host, share->place->port);

	return !known || known->standing != HOST_REPLICA;
}

static void follow(struct pool_share *share)
{
	judge_all(&share->idle);
	judge_all(&share->lent);
	judge_all(&share->cleaning);
	close_retired(&share->idle);
	if (!share->place)
		cut_off(share);
	pool_give_up_openings(share);
	pool_replicas_outdated(share);
	if (share->place && place_is_lost(share))
		pool_refuse_waiters(share, NULL, true);
	/* A wrong password is one on every host, and some count the attempts. */
	if (!share->password_refused)
		share->retry_at_us = 0;
}

void pool_worker_follow(struct worker *worker)
{
	worker_now(worker);
	LIST_FOREACH(link, next, &worker->shares)
		if (watched(LIST_MEMBER(link, struct pool_share, link)))
			follow(LIST_MEMBER(link, struct pool_share, link));
	hub_worker_follow(worker);
	pool_worker_retry(worker, NULL);
}
