/* Choosing among replicas: two are drawn by weight, and the one with less to do gets the read.
 *
 * Failure story: a replica that is down, behind, or refuses our login is left out, and one that comes back gets its part of
 * the reads bit by bit. Where none is left the caller has the primary. */
#include <stdatomic.h>

#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "pool_internal.h"

enum {
	RETURN_US = 10 * 1000 * 1000,   /* How long it takes one that was out to get its full part. */
	WEIGHT_STEPS = 16,
	LATENCY_COUNTS_US = 1000 * 1000,        /* What was measured longer ago says nothing any more. */
	LATENCY_SHARE = 8,              /* The part of a measurement in the average. */
};

struct pool_place *pool_place_new(const struct config_host *at)
{
	struct pool_place *place = NEW(struct pool_place);

	place->host = mem_strdup(at->host);
	place->port = at->port;
	return place;
}

void pool_place_free(struct pool_place **place)
{
	if (*place)
		mem_free((*place)->host);
	mem_free(*place);
	*place = NULL;
}

void pool_replicas_free(struct pool_replicas **replicas)
{
	mem_free(*replicas);
	*replicas = NULL;
}

void pool_replicas_outdated(struct pool_share *share)
{
	if (share->replicas)
		share->replicas->current = false;
}

void pool_replicas_use_credentials(struct pool_share *share)
{
	for (unsigned i = 0; share->replicas && i < share->replicas->count; i++)
		pool_credentials_pass_on(share->replicas->all[i].share, share->credentials);
}

struct pool_replicas *pool_replicas_of(struct pool_share *share)
{
	if (!share->replicas) {
		share->replicas = NEW(struct pool_replicas);
		share->replicas->random = share->worker->index * 2654435761u + 88172645463325252u;
	}
	return share->replicas;
}

static void look_anew(struct pool_share *share, struct pool_replicas *replicas)
{
	const struct config_cluster *cluster = share->database->cluster;
	const struct topology_cluster *known = cluster->probe_user ? topology_find(share->worker->topology, cluster->name) : NULL;

	replicas->count = 0;
	replicas->current = true;
	for (size_t i = 0; known && i < known->host_count && replicas->count < POOL_REPLICAS_MAX; i++) {
		struct pool_key key = {
			.config = share->config, .database = share->database, .database_name = share->database_name,
			.user = share->user_name, .credentials = share->credentials, .at = known->hosts[i].at,
		};

		if (known->hosts[i].standing != HOST_REPLICA)
			continue;
		struct pool_share *replica = pool_share_find(share->worker, &key);

		replica->place->home = share->pool;
		replicas->all[replicas->count++] = (struct pool_replica){ replica, &known->hosts[i] };
	}
}

/* --- Who is asked --- */

/* Its logins fail; what is open may still serve. */
static bool is_shut(const struct pool_share *replica)
{
	return replica->retry_at_us > replica->worker->now_us && replica->idle_count + replica->lent_count == 0;
}

static unsigned load_of(const struct pool_share *replica)
{
	return replica->lent_count + replica->waiter_count;
}

struct candidate {
	struct pool_share *share;
	uint64_t weight;
};

/* In steps, fewer while it has not been back for long. */
static uint64_t weight_of(const struct pool_replica *replica)
{
	const struct pool_place *place = replica->share->place;
	uint64_t full = (uint64_t)replica->known->weight * WEIGHT_STEPS;
	uint64_t back_us = replica->share->worker->now_us - place->returned_us;

	if (!place->returned_us || back_us >= RETURN_US)
		return full;
	return full * (back_us + RETURN_US / WEIGHT_STEPS) / RETURN_US;
}

/* What this database bears, where that is less than what the cluster allows anybody; 0: it is not. One that was further behind
 * returns within half of it, as to the cluster. */
static uint64_t max_lag_us(const struct config_database *database, const struct pool_place *place)
{
	uint64_t allowed_ms = database->cluster->max_lag_ms;

	if (!database->max_lag_ms || (allowed_ms && database->max_lag_ms >= allowed_ms))
		return 0;
	return database->max_lag_ms * (place->out ? 500 : 1000);
}

static bool may_read(const struct config_database *database, struct pool_replica *replica)
{
	struct pool_place *place = replica->share->place;
	uint64_t now_us = replica->share->worker->now_us;
	bool may = topology_may_read(replica->known, max_lag_us(database, place), now_us) && !is_shut(replica->share);

	if (may && place->out)
		place->returned_us = now_us;
	place->out = !may;
	return may;
}

static uint64_t next_random(struct pool_replicas *replicas)
{
	replicas->random ^= replicas->random << 13;
	replicas->random ^= replicas->random >> 7;
	replicas->random ^= replicas->random << 17;
	return replicas->random;
}

/* By weight. */
static unsigned draw(struct pool_replicas *replicas, const struct candidate *candidates, unsigned count)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < count; i++)
		all += candidates[i].weight;
	uint64_t at = all ? next_random(replicas) % all : 0;
	unsigned drawn = 0;

	while (drawn < count - 1 && at >= candidates[drawn].weight)
		at -= candidates[drawn++].weight;
	return drawn;
}

static uint64_t latency_of(const struct pool_share *replica)
{
	const struct pool_place *place = replica->place;

	return place->measured_us + LATENCY_COUNTS_US > replica->worker->now_us ? place->latency_us : 0;
}

/* `other` was drawn second. */
static bool is_better(const struct candidate *other, const struct candidate *one)
{
	uint64_t others = load_of(other->share) * one->weight, ones = load_of(one->share) * other->weight;

	if (others != ones)
		return others < ones;
	if (other->share->place->stuck * one->weight != one->share->place->stuck * other->weight)
		return other->share->place->stuck * one->weight < one->share->place->stuck * other->weight;
	/* Small differences are noise. */
	return latency_of(one->share) > 2 * latency_of(other->share) && latency_of(other->share);
}

/* The two may be one and the same: so that where there is little to do the weights alone decide. */
static struct pool_share *choose(struct pool_replicas *replicas, const struct candidate *candidates, unsigned count)
{
	if (count == 1)
		return candidates[0].share;
	unsigned one = draw(replicas, candidates, count);
	unsigned other = draw(replicas, candidates, count);

	return is_better(&candidates[other], &candidates[one]) ? candidates[other].share : candidates[one].share;
}

static struct pool_share *any_that_is_up(struct pool_replicas *replicas)
{
	struct candidate candidates[POOL_REPLICAS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < replicas->count; i++)
		if (!is_shut(replicas->all[i].share))
			candidates[count++] = (struct candidate){ replicas->all[i].share, 1 };
	return count ? choose(replicas, candidates, count) : NULL;
}

struct pool_share *pool_replica_choose(struct pool_share *share, const struct replica_wish *wish, enum route_cause *why)
{
	struct pool_replicas *replicas = pool_replicas_of(share);
	struct candidate candidates[POOL_REPLICAS_MAX];
	struct pool_share *last = NULL;
	unsigned count = 0;

	if (!replicas->current)
		look_anew(share, replicas);
	*why = replicas->count ? ROUTE_LAG : ROUTE_NO_REPLICA;
	for (unsigned i = 0; i < replicas->count; i++) {
		struct pool_replica *replica = &replicas->all[i];

		if (!may_read(share->database, replica))
			continue;
		uint64_t fresh_as_of_us = atomic_load_explicit(&replica->known->fresh_as_of_us, memory_order_relaxed);

		if (wish->see_all_until_us && fresh_as_of_us <= wish->see_all_until_us) {
			*why = ROUTE_OWN_WRITES;
			continue;
		}
		if (replica->share == wish->last)
			last = wish->last;
		if (replica->share == wish->last || !wish->last_read_us || fresh_as_of_us > wish->last_read_us)
			candidates[count++] = (struct candidate){ replica->share, weight_of(replica) };
	}
	if (count)
		return last && count == 1 ? last : choose(replicas, candidates, count);
	return wish->stale ? any_that_is_up(replicas) : NULL;
}

/* --- What is learned from its answers --- */

void pool_replica_answered(struct pool_share *replica, uint64_t took_us)
{
	struct pool_place *place = replica->place;

	place->latency_us = place->latency_us ? place->latency_us - place->latency_us / LATENCY_SHARE + took_us / LATENCY_SHARE : took_us;
	place->measured_us = replica->worker->now_us;
}

void pool_replica_stick(struct pool_share **place, struct pool_share *replica)
{
	if (*place == replica)
		return;
	if (*place)
		(*place)->place->stuck--;
	if (replica)
		replica->place->stuck++;
	*place = replica;
}
