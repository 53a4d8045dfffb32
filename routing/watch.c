#include "watch.h"

#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "discovery.h"
#include "publish.h"

/* How long a measurement is good: so many intervals, at least so long. */
enum { RECORD_RETRY_US = 30 * 1000 * 1000 };
enum {
	HASTY_US = 2 * 1000 * 1000,             /* After something odd was seen, */
	HASTY_WITHOUT_US = 60 * 1000 * 1000,    /* and since when there has been no primary. */
};
enum { MEASURED_FOR_LOOKS = 3, MEASURED_FOR_MS = 1000 };

/* --- Telling --- */

static const struct host_state *primary_of(const struct cluster_state *state)
{
	for (size_t i = 0; i < state->host_count; i++)
		if (state->hosts[i].standing == HOST_PRIMARY)
			return &state->hosts[i];
	return NULL;
}

static void log_hosts(const struct watch *watch, const enum host_standing *before)
{
	for (size_t i = 0; i < watch->state.host_count; i++) {
		const struct host_state *host = &watch->state.hosts[i];

		if (host->standing != before[i])
			log_notable("host changed", LOG_TEXT("cluster", watch->cluster->name),
				LOG_TEXT("host", watch->hosts[i].at->host), LOG_INT("port", watch->hosts[i].at->port),
				LOG_TEXT("state", topology_host_word(host->standing)),
				LOG_TEXT("role", host->standing == HOST_PRIMARY ? "primary" : host->standing == HOST_REPLICA ? "replica" : NULL),
				LOG_INT("timeline", host->timeline));
	}
}

static void log_cluster(struct watch *watch, enum cluster_standing before)
{
	const struct host_state *primary = primary_of(&watch->state);

	if (primary == watch->primary && watch->state.standing == before)
		return;
	watch->primary = primary;
	watch->since_us = clock_now_us();
	if (primary) {
		const struct config_host *host = watch->hosts[primary - watch->state.hosts].at;

		log_notable("cluster has a primary", LOG_TEXT("cluster", watch->cluster->name), LOG_TEXT("host", host->host),
			LOG_INT("port", host->port), LOG_INT("timeline", primary->timeline));
		return;
	}
	log_warning("cluster has no primary", LOG_TEXT("cluster", watch->cluster->name),
		LOG_TEXT("state", topology_cluster_word(watch->state.standing)));
}

/* Once for each reason, not for each look. */
static void note_error(struct watched_host *host, const struct error *error)
{
	const struct watch *watch = host->watch;
	const struct config_host *at = host->at;

	if (error && strcmp(error->text, host->error.text) != 0)
		log_warning("cannot probe host", LOG_TEXT("cluster", watch->cluster->name), LOG_TEXT("host", at->host),
			LOG_INT("port", at->port), LOG_TEXT("user", watch->cluster->probe_user), LOG_TEXT("sqlstate", error->sqlstate),
			LOG_TEXT("reason", error->text));
	host->error = error ? *error : (struct error){ 0 };
}

/* Again after a while if something went wrong, whosever it was. */
static void keep_record(struct watch *watch)
{
	const struct cluster_state *state = &watch->state;
	struct record now = { state->system_identifier, state->newest_timeline };
	bool same = now.system_identifier == watch->recorded.system_identifier && now.newest_timeline == watch->recorded.newest_timeline;
	bool failed = watch->record_failures != record_failures() && clock_now_us() > watch->recorded_us + RECORD_RETRY_US;

	if (!watch->config->state_dir[0] || !now.system_identifier || (same && !failed))
		return;
	watch->recorded = now;
	watch->recorded_us = clock_now_us();
	watch->record_failures = record_failures();
	record_write(watch->config->state_dir, watch->cluster, &now);
}

static bool is_unsettled(const struct cluster_state *state)
{
	for (size_t i = 0; i < state->host_count; i++)
		if (state->hosts[i].confirmed != state->hosts[i].pending)
			return true;
	return false;
}

/* While it is not clear what is what, hosts are looked at more often; but not for ever. */
static void set_pace(struct watch *watch)
{
	uint64_t now_us = clock_now_us();
	bool served = watch->state.standing == CLUSTER_SERVED || watch->state.standing == CLUSTER_UNOBSERVED;

	if (is_unsettled(&watch->state))
		watch->hasty_until_us = now_us + HASTY_US;
	bool hasty = now_us < watch->hasty_until_us || (!served && now_us < watch->since_us + HASTY_WITHOUT_US);

	for (size_t i = 0; i < watch->state.host_count; i++)
		probe_haste(watch->hosts[i].probe, hasty);
}

void watch_hurry(struct watch *watch)
{
	watch->hasty_until_us = clock_now_us() + HASTY_US;
	for (size_t i = 0; i < watch->state.host_count; i++)
		probe_hurry(watch->hosts[i].probe);
}

static void observed(const struct observation *observation, const struct error *error, void *arg)
{
	struct watched_host *host = arg;
	struct watch *watch = host->watch;
	struct cluster_state *state = &watch->state;
	enum cluster_standing before = state->standing;
	enum host_standing *hosts_before = NEW_ARRAY(enum host_standing, state->host_count);

	if (observation->what != OBSERVED_LOST)
		note_error(host, error);
	if (observation->moved)
		log_notable("a name leads to another address", LOG_TEXT("cluster", watch->cluster->name),
			LOG_TEXT("host", host->at->host), LOG_INT("port", host->at->port));
	for (size_t i = 0; i < state->host_count; i++)
		hosts_before[i] = state->hosts[i].standing;
	if (cluster_state_observe(state, host->index, observation)) {
		log_hosts(watch, hosts_before);
		log_cluster(watch, before);
		watch->changed(watch);
	} else {
		publish_freshness(watch);
	}
	keep_record(watch);
	set_pace(watch);
	mem_free(hosts_before);
}

/* --- Hosts that are found --- */

static size_t found_count(const struct watch *watch)
{
	return watch->state.host_count - watch->cluster->host_count;
}

static bool is_watched(const struct watch *watch, const struct config_host *at)
{
	for (size_t i = 0; i < watch->state.host_count; i++)
		if (watch->hosts[i].at == at)
			return true;
	return false;
}

static void note_nodes_error(struct watch *watch, const struct error *error)
{
	if (error && strcmp(error->text, watch->nodes_error.text) != 0)
		log_warning("cannot ask for the nodes of a cluster", LOG_TEXT("cluster", watch->cluster->name),
			LOG_TEXT("sqlstate", error->sqlstate), LOG_TEXT("reason", error->text));
	watch->nodes_error = error ? *error : (struct error){ 0 };
}

/* What is new is watched at once; what is missing must be so several times. */
static void nodes_told(struct nodes *nodes, const struct error *error, void *arg)
{
	struct watched_host *host = arg;
	struct watch *watch = host->watch;
	size_t known = 0;

	note_nodes_error(watch, error);
	if (!nodes || watch->state.hosts[host->index].standing != HOST_PRIMARY)
		return;
	nodes_place(nodes, host->at);
	watch->found_count = discovery_find(nodes, watch->cluster, watch->found, NODES_MAX);
	for (size_t i = 0; i < watch->found_count; i++)
		known += is_watched(watch, watch->found[i]);
	bool missing = known < found_count(watch), more = known < watch->found_count;

	watch->found_otherwise = missing ? watch->found_otherwise + 1 : 0;
	if (more || watch->found_otherwise >= watch->state.agreement)
		loop_timer_start(&watch->rewatch, 0);
}

/* --- Watching --- */

static void apply_limits(struct watch *watch)
{
	const struct config_cluster *cluster = watch->cluster;
	uint64_t measured_for_ms = cluster->probe_interval_ms * MEASURED_FOR_LOOKS;

	watch->state.limits = (struct cluster_limits){
		.max_lag_us = cluster->max_lag_ms * 1000,
		.max_lag_bytes = cluster->max_lag_bytes,
		.measured_for_us = (measured_for_ms > MEASURED_FOR_MS ? measured_for_ms : MEASURED_FOR_MS) * 1000,
	};
	for (size_t i = 0; i < cluster->host_count; i++)
		watch->state.hosts[i].weight = cluster->hosts[i].weight;
}

static void read_record(struct watch *watch)
{
	const char *folder = watch->config->state_dir;

	if (!folder[0] || !record_read(folder, watch->cluster, &watch->recorded))
		return;
	log_info("cluster is known", LOG_TEXT("cluster", watch->cluster->name),
		LOG_INT("timeline", watch->recorded.newest_timeline));
	cluster_state_remember(&watch->state, watch->recorded.system_identifier, watch->recorded.newest_timeline);
}

static void look_otherwise(void *arg)
{
	struct watch *watch = arg;

	log_notable("nodes of a cluster found", LOG_TEXT("cluster", watch->cluster->name),
		LOG_INT("configured", watch->cluster->host_count), LOG_INT("found", watch->found_count));
	watch->rewatched(watch);
}

/* Configured hosts first, whatever is known of the others too. */
static void gather_hosts(struct watch *watch, const struct watch *former)
{
	const struct config_cluster *cluster = watch->cluster;
	size_t count = cluster->host_count;

	watch->hosts = NEW_ARRAY(struct watched_host, cluster->host_count + NODES_MAX);
	for (size_t i = 0; i < count; i++)
		watch->hosts[i].at = discovery_host(cluster->hosts[i].host, cluster->hosts[i].port);
	cluster_state_init(&watch->state, cluster->host_count, (unsigned)cluster->probe_failures);
	for (size_t i = 0; former && i < former->found_count; i++)
		if (!is_watched(watch, former->found[i])) {
			watch->hosts[count++].at = former->found[i];
			watch->state.host_count = count;
		}
	cluster_state_fini(&watch->state);
	cluster_state_init(&watch->state, count, (unsigned)cluster->probe_failures);
}

static const struct host_state *state_of(const struct watch *watch, const struct config_host *at)
{
	for (size_t i = 0; i < watch->state.host_count; i++)
		if (watch->hosts[i].at == at)
			return &watch->state.hosts[i];
	return NULL;
}

static void go_on_from(struct watch *watch, const struct watch *former)
{
	cluster_state_follow(&watch->state, &former->state);
	watch->since_us = former->since_us;
	watch->recorded = former->recorded;
	for (size_t i = 0; i < watch->state.host_count; i++) {
		const struct host_state *known = state_of(former, watch->hosts[i].at);

		if (known)
			cluster_state_keep_host(&watch->state, i, known);
		else
			cluster_state_add_host(&watch->state, i, &former->state);
	}
	watch->primary = primary_of(&watch->state);
}

struct watch *watch_new(struct loop *loop, struct config *config, const struct config_cluster *cluster,
	const struct watch *former, const struct watch_callbacks *callbacks)
{
	struct watch *watch = NEW(struct watch);

	watch->config = config_ref(config);
	watch->cluster = cluster;
	watch->since_us = clock_now_us();
	watch->changed = callbacks->changed;
	watch->rewatched = callbacks->rewatched;
	list_init(&watch->link);
	loop_timer_init(&watch->rewatch, loop, look_otherwise, watch);
	gather_hosts(watch, former);
	apply_limits(watch);
	if (former)
		go_on_from(watch, former);
	else
		read_record(watch);
	for (size_t i = 0; i < watch->state.host_count; i++) {
		struct watched_host *host = &watch->hosts[i];

		host->watch = watch;
		host->index = i;
		host->probe = probe_new(loop, &(struct probe_options){
			.config = config, .cluster = cluster, .host = host->at, .nodes_callback = nodes_told }, observed, host);
	}
	return watch;
}

void watch_free(struct watch *watch)
{
	list_remove(&watch->link);
	loop_timer_stop(&watch->rewatch);
	for (size_t i = 0; i < watch->state.host_count; i++)
		probe_free(&watch->hosts[i].probe);
	mem_free(watch->hosts);
	cluster_state_fini(&watch->state);
	config_unref(&watch->config);
	mem_free(watch);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_host(const struct config_host *a, const struct config_host *b)
{
	return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static bool same_password(const char *a, const char *b)
{
	return a && b ? mem_equal_secret_text(a, b) : a == b;
}

static bool same_tls(const struct config_tls *a, const struct config_tls *b)
{
	return a->sslmode == b->sslmode && same_text(a->ca_file, b->ca_file) && same_text(a->cert_file, b->cert_file)
		&& same_text(a->key_file, b->key_file);
}

bool watch_is_of(const struct watch *watch, const struct config_cluster *cluster)
{
	const struct config_cluster *now = watch->cluster;

	if (now->host_count != cluster->host_count)
		return false;
	for (size_t i = 0; i < cluster->host_count; i++)
		if (!same_host(&now->hosts[i], &cluster->hosts[i]))
			return false;
	return same_text(now->probe_user, cluster->probe_user) && same_text(now->probe_dbname, cluster->probe_dbname)
		&& same_password(now->probe_password, cluster->probe_password) && same_text(now->probe_secret, cluster->probe_secret)
		&& now->probe_interval_ms == cluster->probe_interval_ms
		&& now->probe_failures == cluster->probe_failures && same_tls(&now->server_tls, &cluster->server_tls)
		&& strcmp(now->lag_source, cluster->lag_source) == 0 && same_text(now->topology_query, cluster->topology_query);
}

bool watch_has_common_host(const struct config_cluster *one, const struct config_cluster *other)
{
	for (size_t i = 0; i < one->host_count; i++)
		for (size_t j = 0; j < other->host_count; j++)
			if (same_host(&one->hosts[i], &other->hosts[j]))
				return true;
	return false;
}

void watch_adopt(struct watch *watch, struct config *config, const struct config_cluster *cluster)
{
	config_ref(config);
	/* Into the folder that is named now. */
	if (strcmp(watch->config->state_dir, config->state_dir) != 0)
		watch->recorded = (struct record){ 0 };
	config_unref(&watch->config);
	watch->config = config;
	watch->cluster = cluster;
	apply_limits(watch);
}
