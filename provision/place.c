#include "place.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pgweir/clock.h"
#include "pgweir/key_passphrase.h"
#include "pgweir/mem.h"
#include "pgweir/secrets.h"
#include "pgweir/tokens.h"

enum { CONNECT_TIMEOUT_MS = 10 * 1000, LOCK_PAUSE_MS = 100 };

/* Two numbers that nothing else uses: "pgwe", and what for. */
#define LOCK_NUMBERS "1885828965, 1"

static struct pgclient_sync *connect_to(const struct place *place, const struct config_host *host, const char *dbname,
	const char *user, const char *password, struct error *error)
{
	const struct config_tls *tls = &place->cluster->server_tls;
	char *passphrase = key_passphrase_find(tls);
	struct pgclient_options options = {
		.host = host->host, .port = host->port, .dbname = dbname, .user = user, .password = password,
		.sslmode = config_sslmode_word(tls->sslmode), .ssl_ca_file = tls->ca_file, .ssl_cert_file = tls->cert_file,
		.ssl_key_file = tls->key_file, .ssl_key_passphrase = passphrase, .application_name = "pgweir provision",
		/* Whatever the role has set for itself: names are looked up as they are meant. */
		.options = "-c search_path=pg_catalog -c statement_timeout=0 -c lock_timeout=30s -c default_transaction_read_only=off",
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
	};
	struct pgclient_sync *client = pgclient_sync_open(&options, place->stop, error);

	mem_secret_free(passphrase);
	if (!client)
		error_prepend(error, "%s:%u as %s", host->host, host->port, user);
	return client;
}

struct pgclient_sync *place_connect_as(const struct place *place, const char *dbname, const char *user, const char *password,
	struct error *error)
{
	return connect_to(place, place->primary, dbname, user, password, error);
}

static struct pgclient_sync *connect_as_admin(const struct place *place, const struct config_host *host, const char *dbname,
	struct error *error)
{
	const char *user = place->admin.username ? place->admin.username : place->cluster->admin_user;

	if (!place->admin_tokens)
		return connect_to(place, host, dbname, user, place->admin.password, error);
	char *token = token_make_now(place->admin_tokens, host->host, host->port, user, error);
	struct pgclient_sync *client = token ? connect_to(place, host, dbname, user, token, error) : NULL;

	mem_secret_free(token);
	return client;
}

struct pgclient_sync *place_connect_to(const struct place *place, const struct config_host *host, struct error *error)
{
	return connect_as_admin(place, host, place->cluster->probe_dbname, error);
}

struct pgclient_sync *place_connect(const struct place *place, const char *dbname, struct error *error)
{
	return connect_as_admin(place, place->primary, dbname, error);
}

/* --- The login of admin_user --- */

static bool read_admin(struct place *place, struct error *error)
{
	const struct config_cluster *cluster = place->cluster;
	const struct config_secret *secret = cluster->admin_secret ? config_find_secret(place->config, cluster->admin_secret) : NULL;
	struct secrets_report report;

	if (!secret) {
		place->admin.password = mem_secret_dup(cluster->admin_password);
		return true;
	}
	secrets_read_until(secret, place->stop, &report);
	bool good = report.good;

	place->admin_tokens = good && report.on_demand ? secret : NULL;
	if (good) {
		place->admin.username = mem_strdup(report.values.current.username);
		place->admin.password = mem_secret_dup(report.values.current.password);
	} else {
		error_set(error, NULL, "secret \"%s\" of admin_user cannot be read: %s", secret->name, report.error.text);
	}
	secrets_report_fini(&report);
	return good;
}

/* --- The primary --- */

char *place_ask(struct pgclient_sync *client, const char *sql, struct error *error)
{
	struct pgclient_result *result = pgclient_sync_query(client, sql, NULL, 0, error);

	if (!result)
		return NULL;
	error->text[0] = '\0';
	char *cell = pgclient_rows(result) ? mem_strdup(pgclient_value(result, 0, 0)) : NULL;

	pgclient_sync_result_free(&result);
	return cell;
}

/* 0: it is a replica. */
static bool ask_timeline(struct pgclient_sync *client, long *timeline, struct error *error)
{
	char *answer = place_ask(client,
		"SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE (SELECT timeline_id FROM pg_control_checkpoint()) END", error);

	if (!answer)
		return false;
	*timeline = strtol(answer, NULL, 10);
	mem_free(answer);
	return true;
}

struct search {
	long timeline;          /* Of the best so far; 0: none. */
	unsigned count;         /* How many have that one. */
	struct error last;      /* Why a host could not be asked. */
};

static void look_at(struct place *place, const struct config_host *host, struct search *search)
{
	struct pgclient_sync *client = place_connect_to(place, host, &search->last);
	long timeline = 0;

	if (client && !ask_timeline(client, &timeline, &search->last))
		timeline = 0;
	if (timeline && timeline == search->timeline)
		search->count++;
	if (timeline <= search->timeline) {
		pgclient_sync_close(&client);
		return;
	}
	pgclient_sync_close(&place->home);
	*search = (struct search){ .timeline = timeline, .count = 1 };
	place->home = client;
	place->primary = host;
}

static void add_other(struct place *place, const struct config_host *host)
{
	place->others = mem_realloc(place->others, (place->other_count + 1) * sizeof(place->others[0]));
	place->others[place->other_count++] = host;
}

/* Nothing is done to a host that nobody has found to be the primary: it may be an old one, which has been left. */
static bool take_observed(struct place *place, const struct topology_cluster *observed, struct error *error)
{
	const struct topology_host *primary = topology_primary(observed);
	long timeline = 0;

	if (!primary)
		return error_set(error, NULL, "cluster \"%s\": no primary is known (%s)", place->cluster->name,
			topology_cluster_word(observed->standing));
	place->primary = primary->at;
	for (size_t i = 0; i < observed->host_count; i++)
		if (observed->hosts[i].standing == HOST_REPLICA)
			add_other(place, observed->hosts[i].at);
	place->home = place_connect_to(place, place->primary, error);
	if (!place->home || !ask_timeline(place->home, &timeline, error))
		return false;
	return timeline || error_set(error, NULL, "cluster \"%s\": %s:%u is not the primary any more", place->cluster->name,
		place->primary->host, place->primary->port);
}

static bool find_primary(struct place *place, struct error *error)
{
	struct search search = { 0 };

	for (size_t i = 0; i < place->cluster->host_count; i++)
		look_at(place, &place->cluster->hosts[i], &search);
	if (search.count > 1)
		return error_set(error, NULL, "cluster \"%s\": %u hosts say that they are the primary", place->cluster->name,
			search.count);
	if (search.count == 0 && search.last.text[0])
		return error_set(error, search.last.sqlstate, "cluster \"%s\": no primary: %s", place->cluster->name,
			search.last.text);
	if (search.count == 0)
		return error_set(error, NULL, "cluster \"%s\": none of its hosts is the primary", place->cluster->name);
	for (size_t i = 0; i < place->cluster->host_count; i++)
		if (&place->cluster->hosts[i] != place->primary)
			add_other(place, &place->cluster->hosts[i]);
	return true;
}

/* Hosts that let nobody look are asked as admin_user: it may be the probe user that is to be made. */
static bool is_watched(const struct topology_cluster *observed)
{
	if (!observed || observed->standing == CLUSTER_UNOBSERVED)
		return false;
	for (size_t i = 0; i < observed->host_count; i++)
		if (observed->hosts[i].standing != HOST_UNKNOWN)
			return true;
	return false;
}

bool place_open(const struct config *config, const struct config_cluster *cluster, const struct topology *topology,
	const atomic_bool *stop, struct place *place, struct error *error)
{
	const struct topology_cluster *observed = topology_find(topology, cluster->name);
	bool watched = is_watched(observed);

	*place = (struct place){ .config = config, .cluster = cluster, .stop = stop };
	if (!cluster->admin_user)
		return error_set(error, NULL, "[cluster %s] has no admin_user", cluster->name);
	if (!read_admin(place, error) || !(watched ? take_observed(place, observed, error) : find_primary(place, error)))
		return false;
	place->version = pgclient_sync_server_version(place->home);
	return true;
}

void place_close(struct place *place)
{
	pgclient_sync_close(&place->home);
	lease_value_fini(&place->admin);
	mem_free(place->others);
}

/* --- The lock --- */

bool place_pause(const struct place *place, unsigned pause_ms)
{
	struct timespec pause = { .tv_sec = pause_ms / 1000, .tv_nsec = (long)(pause_ms % 1000) * 1000000 };

	nanosleep(&pause, NULL);
	return !place->stop || !atomic_load(place->stop);
}

bool place_lock(struct place *place, uint64_t wait_ms, struct error *error)
{
	uint64_t until_ms = clock_now_ms() + wait_ms;

	for (;;) {
		char *answer = place_ask(place->home, "SELECT pg_try_advisory_lock(" LOCK_NUMBERS ")", error);
		bool got = answer && strcmp(answer, "t") == 0;

		if (!answer)
			return false;
		mem_free(answer);
		if (got)
			return true;
		if (clock_now_ms() >= until_ms || !place_pause(place, LOCK_PAUSE_MS))
			return error_set(error, "55P03", "another pgweir is at work in cluster \"%s\"", place->cluster->name);
	}
}
