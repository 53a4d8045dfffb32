/* Where a session's groups go.
 *
 * Failure story: doubt means primary. What cannot be had from a replica, the primary is asked for; only with
 * routing = replica the client hears about it. */
#include "route.h"

#include <stdatomic.h>
#include <string.h>

#include "audit_internal.h"
#include "lost.h"
#include "pgweir/clock.h"
#include "pgweir/mem.h"

/* --- Modes --- */

static struct session_route *route_of(struct session *session)
{
	if (!session->route) {
		session->route = NEW(struct session_route);
		session->route->chosen = session->route->startup_mode = -1;
		session->route->home = route_home_get(session->share->database->cluster->name, session->share->dbname);
	}
	return session->route;
}

/* Where nothing is known of the hosts there is nothing to choose from. */
static bool can_route(const struct session *session)
{
	const struct config_cluster *cluster = session->share->database->cluster;

	return session->mode != POOL_MODE_SESSION && !session->share->replication && cluster->probe_user;
}

void route_begin(struct session *session)
{
	const struct pool_settings *settings = &session->guest->settings;
	int chosen = session->route ? session->route->chosen : -1;

	bool noted = session->notes_writes;

	session->routing = (uint8_t)(chosen >= 0 ? (enum routing_mode)chosen : settings->routing);
	session->notes_writes = session->routing != ROUTING_PRIMARY || settings->read_your_writes == READ_YOUR_WRITES_DATABASE;
	if (!can_route(session))
		session->routing = session->notes_writes = 0;
	if (session->notes_writes)
		route_of(session);
	/* What has run before was not looked at. */
	session->may_write |= session->notes_writes && !noted && session->backend;
}

void route_choose_mode(struct session *session, int mode)
{
	route_of(session)->chosen = mode;
	route_begin(session);
}

void route_choose_minimum(struct session *session, uint64_t min_us)
{
	route_of(session)->min_us = min_us;
}

void route_prepare(struct session *session)
{
	route_of(session);
}

static bool free_own(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

void route_free(struct session *session)
{
	if (session->route) {
		pool_replica_stick(&session->route->replica, NULL);
		map_foreach(&session->route->own, free_own, NULL);
		map_fini(&session->route->own);
	}
	mem_free(session->route);
	session->route = NULL;
}

struct pool_share *route_welcome_share(struct session *session)
{
	struct replica_wish wish = { .stale = true };
	enum route_cause why;

	if (session->routing != ROUTING_REPLICA)
		return session->share;
	struct pool_share *replica = pool_replica_choose(session->share, &wish, &why);

	return replica ? replica : session->share;
}

/* --- What must be there --- */

static uint64_t see_all_until(const struct session *session, enum read_your_writes whose)
{
	const struct session_route *route = session->route;
	uint64_t until_us = route->min_us;

	if (whose != READ_YOUR_WRITES_OFF && route->last_write_us > until_us)
		until_us = route->last_write_us;
	if (whose != READ_YOUR_WRITES_DATABASE)
		return until_us;
	uint64_t all_us = route_home_last_write(route->home);

	return all_us > until_us ? all_us : until_us;
}

static struct pool_share *choose(struct session *session, unsigned *cause)
{
	const struct session_route *route = session->route;
	enum read_your_writes whose = session->guest->settings.read_your_writes;
	bool remembers = whose != READ_YOUR_WRITES_OFF;
	struct replica_wish wish = {
		.see_all_until_us = see_all_until(session, whose),
		.last = remembers ? route->replica : NULL,
		.last_read_us = remembers ? route->last_read_us : 0,
		.stale = *cause == ROUTE_MODE_REPLICA,
	};
	enum route_cause why;
	struct pool_share *replica = pool_replica_choose(session->share, &wish, &why);

	if (!replica)
		*cause = why;
	return replica;
}

/* Only the primary can tell, behind a transaction that runs there. */
static bool functions_are_known(struct session *session)
{
	audit_adopt(session->share);
	const struct functions *functions = audit_functions(session);

	return functions && !functions_refresh_is_due(session->share->functions_home, functions, session->worker->now_us);
}

static unsigned cause_of(struct session *session, const char *bytes, size_t size)
{
	struct session_route *route = session->route;

	route->group_size = 0;
	if (route->forced)
		return route->forced;
	if (session->routing == ROUTING_PRIMARY)
		return ROUTE_MODE_PRIMARY;
	if (session->routing == ROUTING_REPLICA)
		return ROUTE_MODE_REPLICA;
	if (session->listen)
		return ROUTE_LISTENS;
	if (route_is_serializable(session))
		return ROUTE_SERIALIZABLE;
	struct route_group group = route_group_judge(session, bytes, size);

	route->group_size = group.size;
	if (group.size && route_cause_allows_replica(group.cause) && !functions_are_known(session))
		return ROUTE_NAMES_NOT_LOADED;
	return group.cause;
}

bool route_decide(struct session *session, const char *bytes, size_t size)
{
	struct session_route *route = session->route;

	worker_now(session->worker);
	unsigned cause = cause_of(session, bytes, size);

	if (cause == ROUTE_CAUSES)
		return false;
	route->target = route_cause_allows_replica(cause) ? choose(session, &cause) : NULL;
	route->free = route->target && cause == ROUTE_MODE_REPLICA;
	if (!route->target)
		route->target = session->share;
	route->rescued = cause == ROUTE_RESCUED;
	route->forced = 0;
	pool_replicas_of(session->share)->decided[cause]++;
	return true;
}

/* --- With a server --- */

void route_linked(struct session *session)
{
	struct session_route *route = session->route;

	session->on_replica = session->backend->share->place != NULL;
	session->judged = session->on_replica && !route->free;
	session->group = session->judged ? GROUP_DUE : GROUP_NONE;
	/* What a replica has refused is no read, whatever it looks like. */
	session->may_write = route->rescued;
	session->group_left = 0;
	if (session->on_replica)
		pool_replica_stick(&route->replica,
			session->guest->settings.read_your_writes == READ_YOUR_WRITES_OFF ? NULL : session->backend->share);
}

void route_unlinked(struct session *session)
{
	session->on_replica = session->judged = false;
	session->group = GROUP_NONE;
	session->group_left = 0;
}

static void keep_group(struct session *session, const char *bytes, size_t size)
{
	struct session_route *route = session->route;
	struct buf *kept = &session->backend->group;

	CHECK(route->group_size && route->group_size <= size);
	route->in_transaction = session->batch_answered = false;
	session->group = GROUP_KEPT;
	session->group_left = route->group_size;
	kept->size = 0;
	buf_append(kept, bytes, route->group_size);
	route->asked_us = session->worker->now_us;
}

/* Of a transaction on a replica that has answered nothing but its BEGIN: if it is a read it can be run elsewhere, too, behind
 * another BEGIN. */
static void keep_first_group(struct session *session, const char *bytes, size_t size)
{
	if (!lost_has_only_begun(session) || session->group >= GROUP_KEPT)
		return;
	struct route_group group = route_group_judge(session, bytes, size);

	if (!group.size || (group.cause != ROUTE_READ && group.cause != ROUTE_HINT_REPLICA))
		return;
	session->route->group_size = group.size;
	keep_group(session, bytes, size);
	session->route->in_transaction = true;
}

bool route_may_go_on(struct session *session, const char *bytes, size_t size)
{
	struct backend *backend = session->backend;

	if (session->group == GROUP_DUE) {
		keep_group(session, bytes, size);
		return true;
	}
	if (session->group_left || backend->unsynced)
		return true;
	if (requests_count(&backend->requests) == 0) {
		keep_first_group(session, bytes, size);
		return true;
	}
	/* What comes behind the group at hand may be for another server. */
	session->state = SESSION_SETTING_UP;
	return false;
}

static void note_read(struct session *session)
{
	struct session_route *route = session->route;

	if (session->group >= GROUP_KEPT) {
		pool_replica_answered(session->backend->share, session->worker->now_us - route->asked_us);
		session->group = GROUP_NONE;
	}
	if (route->replica)
		route->last_read_us = clock_now_us();
}

/* Whatever a replica shows that had all of the primary then has what this session has written. */
static void note_written(struct session *session)
{
	struct session_route *route = session->route;

	route->last_write_us = clock_now_us();
	if (session->guest->settings.read_your_writes == READ_YOUR_WRITES_DATABASE)
		route_home_wrote(route->home, session->worker->index, route->last_write_us);
}

void route_lost(struct session *session)
{
	if (session->may_write && !session->on_replica)
		note_written(session);
	session->may_write = false;
}

void route_answered(struct session *session, char status)
{
	if (session->on_replica) {
		note_read(session);
		return;
	}
	if (!session->may_write || status != 'I')
		return;
	note_written(session);
	session->may_write = requests_count(&session->backend->requests) > 0;
}

void route_refused(struct session *session)
{
	session->route->forced = ROUTE_NO_REPLICA;
	session->state = SESSION_IDLE;
	if (session_resume(session))
		session_after_client(session);
}
