/* A worker's part of a pool: made, brought up to date with a new snapshot, freed. */
#include <stdatomic.h>
#include <string.h>

#include "hub_share.h"
#include "pgweir/functions.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pool_internal.h"

bool pool_share_blocked(const struct pool_share *share)
{
	return atomic_load_explicit(&share->pool->database->paused, memory_order_relaxed)
		|| atomic_load_explicit(&share->cluster->paused, memory_order_relaxed);
}

static const char *dbname_of(const struct config_database *database, const char *asked)
{
	return database->dbname ? database->dbname : asked;
}

static void put_text(struct buf *out, const char *text)
{
	buf_append_u32(out, text ? (uint32_t)strlen(text) : UINT32_MAX);
	buf_append(out, text ? text : "", text ? strlen(text) : 0);
}

/* Connections opened for one snapshot can serve another where this is the same. */
static uint64_t hash_of_connection(const struct config_database *database)
{
	const struct config_cluster *cluster = database->cluster;
	const struct config_tls *tls = &database->server_tls;
	const char *texts[] = {
		database->dbname, database->user, database->connect_query, tls->ca_file, tls->cert_file, tls->key_file,
	};
	struct buf all = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		put_text(&all, texts[i]);
	buf_append_u32(&all, tls->sslmode);
	for (size_t i = 0; i < cluster->host_count; i++) {
		put_text(&all, cluster->hosts[i].host);
		buf_append_u32(&all, cluster->hosts[i].port);
	}
	uint64_t hash = map_hash(all.bytes, all.size);

	buf_fini(&all);
	return hash;
}

/* Which database of which servers it is, by whatever name its clients know it. */
char *pool_functions_key(const struct config_database *database, const char *database_name)
{
	const struct config_cluster *cluster = database->cluster;
	struct buf key = { 0 };

	buf_printf(&key, "%s@", dbname_of(database, database_name));
	for (size_t i = 0; i < cluster->host_count; i++)
		buf_printf(&key, "%s%s:%u", i ? "," : "", cluster->hosts[i].host, (unsigned)cluster->hosts[i].port);
	return buf_take_text(&key);
}

static struct functions_home *functions_home_of(const struct pool_share *share)
{
	char *text = pool_functions_key(share->database, share->database_name);
	struct functions_home *home = functions_home_get(text);

	mem_free(text);
	return home;
}

static void apply_limits(struct pool_share *share)
{
	struct config_limits limits;

	config_limits(share->config, share->database, config_find_user(share->config, share->user_name), &limits);
	quota_set_limit(&share->pool->quota, share->replication ? QUOTA_UNLIMITED : limits.pool_size);
	quota_set_limit(&share->pool->database->quota, limits.max_db_connections);
	quota_set_limit(&share->pool->user->quota, limits.max_user_connections);
}

static bool resolve_guest(const void *key, size_t size, void *value, void *arg)
{
	const struct pool_share *share = arg;
	struct pool_guest *guest = value;

	(void)key, (void)size;
	pool_settings_resolve(&guest->settings, share->config, share->database, guest->name);
	return true;
}

struct pool_guest *pool_guest_get(struct pool_share *share, const char *name)
{
	struct pool_guest *guest = map_get_text(&share->guests, name);

	if (guest)
		return guest;
	guest = NEW(struct pool_guest);
	guest->name = mem_strdup(name);
	pool_settings_resolve(&guest->settings, share->config, share->database, name);
	map_put_text(&share->guests, name, guest);
	return guest;
}

static bool free_guest(const void *key, size_t size, void *value, void *arg)
{
	struct pool_guest *guest = value;

	(void)key, (void)size, (void)arg;
	mem_free(guest->name);
	mem_free(guest);
	return true;
}

static void use_snapshot(struct pool_share *share, struct config *config, const struct config_database *database)
{
	struct config *old = share->config;

	share->config = config_ref(config);
	share->database = database;
	share->cluster = pool_cluster_get(database->cluster->name);
	share->host_at = NULL;
	share->opened_as = hash_of_connection(database);
	config_unref(&old);
	mem_free(share->dbname);
	share->dbname = mem_strdup(dbname_of(database, share->database_name));
	if (share->functions_home != functions_home_of(share))
		functions_unref(&share->functions);
	share->functions_home = functions_home_of(share);
	pool_settings_resolve(&share->settings, config, database, share->user_name);
	map_foreach(&share->guests, resolve_guest, share);
	apply_limits(share);
	pool_replicas_outdated(share);
}

static void close_all(struct list *members, enum close_reason reason)
{
	LIST_FOREACH(link, next, members)
		pool_close(LIST_MEMBER(link, struct backend, link), reason);
}

void pool_close_idle(struct pool_share *share, enum close_reason reason)
{
	close_all(&share->idle, reason);
}

/* A database that is no longer configured keeps serving the sessions it has, as it was. */
static void refresh(struct pool_share *share, struct config *config)
{
	const struct config_database *database = config_find_database(config, share->database_name);

	if (!database)
		return;
	uint64_t before = share->opened_as;

	use_snapshot(share, config, database);
	if (share->opened_as != before)
		pool_close_idle(share, CLOSE_SERVER_RECONNECT);
	pool_credentials_renew(share);
}

static const char *role_of(const struct pool_key *key)
{
	return key->database->user ? key->database->user : key->user;
}

static struct pool_share *share_new(struct worker *worker, const struct pool_key *key, const char *name)
{
	struct pool_share *share = NEW(struct pool_share);

	share->worker = worker;
	share->key = mem_strdup(name);
	share->pool = pool_get(name, key->database_name, role_of(key));
	share->database_name = mem_strdup(key->database_name);
	share->user_name = mem_strdup(role_of(key));
	share->replication = key->replication;
	if (key->at)
		share->place = pool_place_new(key->at);
	list_init(&share->idle);
	list_init(&share->lent);
	list_init(&share->cleaning);
	list_init(&share->waiters);
	list_init(&share->openings);
	use_snapshot(share, key->config, key->database);
	pool_credentials_use(share, key->credentials);
	list_push_back(&worker->shares, &share->link);
	map_put_text(&worker->shares_by_key, name, share);
	atomic_store(&share->pool->marks[worker->index].share, share);
	return share;
}

static char *name_of(const struct pool_key *key)
{
	if (key->at)
		return mem_printf("%s\n%s\n%d\n%s:%u", key->database_name, role_of(key), key->replication, key->at->host, key->at->port);
	return mem_printf("%s\n%s\n%d", key->database_name, role_of(key), key->replication);
}

struct pool_share *pool_share_find(struct worker *worker, const struct pool_key *key)
{
	char *name = name_of(key);
	struct pool_share *share = map_get_text(&worker->shares_by_key, name);

	if (!share)
		share = share_new(worker, key, name);
	mem_free(name);
	/* A login may be ahead of the worker in taking a new snapshot into use, or have begun before it came. */
	if (key->config->generation > share->config->generation)
		refresh(share, key->config);
	if (worker->config->generation > share->config->generation)
		refresh(share, worker->config);
	pool_credentials_take(share, key);
	return share;
}

static void share_free(struct pool_share *share)
{
	close_all(&share->idle, CLOSE_SERVER_SHUTDOWN);
	close_all(&share->cleaning, CLOSE_SERVER_SHUTDOWN);
	close_all(&share->lent, CLOSE_SERVER_SHUTDOWN);
	CHECK(list_empty(&share->waiters));
	pool_forget_openings(share);
	atomic_store(&share->pool->marks[share->worker->index].share, NULL);
	hub_share_free(&share->listening);
	functions_unref(&share->functions);
	pool_place_free(&share->place);
	pool_replicas_free(&share->replicas);
	buf_fini(&share->last_error_body);
	credentials_unref(&share->credentials);
	config_unref(&share->config);
	mem_free(share->key);
	mem_free(share->database_name);
	mem_free(share->user_name);
	mem_free(share->dbname);
	map_foreach(&share->guests, free_guest, NULL);
	map_fini(&share->guests);
	mem_free(share);
}

void pool_worker_finish(struct worker *worker)
{
	hub_worker_finish(worker);
	LIST_FOREACH(link, next, &worker->shares)
		share_free(LIST_MEMBER(link, struct pool_share, link));
	list_init(&worker->shares);
	pool_forget_cancels(worker);
}

/* The minimum of a pool whose server user is known is kept from the start, before its first client, by one worker. */
static void make_standing_shares(struct worker *worker, struct config *config)
{
	for (size_t i = 0; i < config->database_count; i++) {
		const struct config_database *database = &config->databases[i];
		struct pool_settings settings;

		if (i % workers_count() != worker->index || !database->user || !database->dbname)
			continue;
		pool_settings_resolve(&settings, config, database, database->user);
		if (settings.min_pool_size == 0)
			continue;
		struct credentials *credentials = credentials_for_server(config, database, database->user, NULL);
		struct pool_key key = {
			.config = config, .database = database, .database_name = database->name, .user = database->user,
			.credentials = credentials,
		};

		pool_open_minimum(pool_share_find(worker, &key));
		credentials_unref(&credentials);
	}
}

void pool_worker_adopt(struct worker *worker, struct config *config)
{
	LIST_FOREACH(link, next, &worker->shares)
		refresh(LIST_MEMBER(link, struct pool_share, link), config);
	make_standing_shares(worker, config);
	pool_worker_retry(worker, NULL);
}

void pool_worker_close_idle(struct worker *worker, struct pool_database *database, struct pool_cluster *cluster)
{
	LIST_FOREACH(link, next, &worker->shares) {
		struct pool_share *share = LIST_MEMBER(link, struct pool_share, link);

		if ((database && share->pool->database != database) || (cluster && share->cluster != cluster))
			continue;
		pool_close_idle(share, CLOSE_SERVER_RECONNECT);
	}
	hub_worker_tick(worker);
}
