#include "pgweir/routing.h"

#include <stdatomic.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/lease.h"
#include "pgweir/list.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "publish.h"
#include "watch.h"

/* How long a measurement is good: so many intervals, at least so long. */
enum { RECORD_RETRY_US = 30 * 1000 * 1000 };
enum {
	HASTY_US = 2 * 1000 * 1000,             /* After something odd was seen, */
	HASTY_WITHOUT_US = 60 * 1000 * 1000,    /* and since when there has been no primary. */
};
enum { MEASURED_FOR_LOOKS = 3, MEASURED_FOR_MS = 1000 };

static struct {
	struct loop *loop;
	struct list watches;
	uint64_t barred_before[READS_COUNT];    /* By clusters that are watched no longer. */
	_Atomic bool running;
} routing;

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
				LOG_TEXT("host", watch->cluster->hosts[i].host), LOG_INT("port", watch->cluster->hosts[i].port),
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
		const struct config_host *host = &watch->cluster->hosts[primary - watch->state.hosts];

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
	const struct config_host *at = &watch->cluster->hosts[host->index];

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

static void observed(const struct observation *observation, const struct error *error, void *arg)
{
	struct watched_host *host = arg;
	struct watch *watch = host->watch;
	struct cluster_state *state = &watch->state;
	enum cluster_standing before = state->standing;
	enum host_standing *hosts_before = NEW_ARRAY(enum host_standing, state->host_count);

	if (observation->what != OBSERVED_LOST)
		note_error(host, error);
	for (size_t i = 0; i < state->host_count; i++)
		hosts_before[i] = state->hosts[i].standing;
	if (cluster_state_observe(state, host->index, observation)) {
		log_hosts(watch, hosts_before);
		log_cluster(watch, before);
		publish_all(&routing.watches);
	} else {
		publish_freshness(watch);
	}
	keep_record(watch);
	set_pace(watch);
	mem_free(hosts_before);
}

/* --- Watching --- */

static void watch_free(struct watch *watch)
{
	list_remove(&watch->link);
	for (size_t i = 0; i < watch->cluster->host_count; i++)
		probe_free(&watch->hosts[i].probe);
	mem_free(watch->hosts);
	for (size_t i = 0; i < READS_COUNT; i++)
		routing.barred_before[i] += watch->state.barred[i];
	cluster_state_fini(&watch->state);
	config_unref(&watch->config);
	mem_free(watch);
}

static struct watch *find(const char *cluster)
{
	LIST_FOREACH(link, next, &routing.watches)
		if (strcmp(LIST_MEMBER(link, struct watch, link)->cluster->name, cluster) == 0)
			return LIST_MEMBER(link, struct watch, link);
	return NULL;
}

/* False: it cannot be watched, and why has been logged. */
static bool can_log_in(const struct config_cluster *cluster)
{
	struct lease *lease = cluster->probe_secret ? lease_find(cluster->probe_secret) : NULL;
	bool known = !cluster->probe_secret || (lease && !lease->on_demand);

	lease_unref(&lease);
	if (!known)
		log_warning("cluster is not probed: its probe_secret must be one with a password, not rds-iam",
			LOG_TEXT("cluster", cluster->name), LOG_TEXT("secret", cluster->probe_secret));
	return known;
}

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

static void watch_start(struct config *config, const struct config_cluster *cluster, const struct cluster_state *former)
{
	struct watch *watch = NEW(struct watch);

	watch->config = config_ref(config);
	watch->cluster = cluster;
	watch->since_us = clock_now_us();
	cluster_state_init(&watch->state, cluster->host_count, (unsigned)cluster->probe_failures);
	apply_limits(watch);
	if (former)
		cluster_state_remember(&watch->state, former->system_identifier, former->newest_timeline);
	else
		read_record(watch);
	watch->hosts = NEW_ARRAY(struct watched_host, cluster->host_count);
	for (size_t i = 0; i < cluster->host_count; i++) {
		struct watched_host *host = &watch->hosts[i];

		*host = (struct watched_host){ .watch = watch, .index = i };
		host->probe = probe_new(routing.loop, &(struct probe_options){
			.config = config, .cluster = cluster, .host = &cluster->hosts[i] }, observed, host);
	}
	list_push_back(&routing.watches, &watch->link);
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

static bool watched_alike(const struct watch *watch, const struct config_cluster *cluster)
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
		&& now->probe_failures == cluster->probe_failures && same_tls(&now->server_tls, &cluster->server_tls);
}

/* With no host in common it is another cluster by the same name. */
static bool has_common_host(const struct config_cluster *one, const struct config_cluster *other)
{
	for (size_t i = 0; i < one->host_count; i++)
		for (size_t j = 0; j < other->host_count; j++)
			if (same_host(&one->hosts[i], &other->hosts[j]))
				return true;
	return false;
}

/* Probes go on with what they have, which is the same. */
static void watch_adopt(struct watch *watch, struct config *config, const struct config_cluster *cluster)
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

static void configure_cluster(struct config *config, const struct config_cluster *cluster)
{
	struct watch *watch = find(cluster->name);

	if (!can_log_in(cluster))
		return;
	if (!watch) {
		watch_start(config, cluster, NULL);
		return;
	}
	if (watched_alike(watch, cluster)) {
		watch_adopt(watch, config, cluster);
		return;
	}
	/* The former one stands before it in the list; whoever is not of `config` goes in the end. */
	watch_start(config, cluster, has_common_host(watch->cluster, cluster) ? &watch->state : NULL);
	watch_free(watch);
}

void routing_configure(struct config *config)
{
	LIST_FOREACH(link, next, &routing.watches) {
		struct watch *watch = LIST_MEMBER(link, struct watch, link);
		const struct config_cluster *cluster = config_find_cluster(config, watch->cluster->name);

		if (!cluster || !cluster->probe_user)
			watch_free(watch);
	}
	for (size_t i = 0; i < config->cluster_count; i++)
		if (config->clusters[i].probe_user)
			configure_cluster(config, &config->clusters[i]);
	publish_all(&routing.watches);
}

void routing_renew(void)
{
	LIST_FOREACH(link, next, &routing.watches) {
		struct watch *watch = LIST_MEMBER(link, struct watch, link);

		for (size_t i = 0; i < watch->cluster->host_count; i++)
			probe_renew(watch->hosts[i].probe);
	}
}

/* --- Suspicion --- */

struct suspicion {
	struct loop_letter letter;
	char *cluster;
};

static void drop(struct loop_letter *letter)
{
	struct suspicion *suspicion = CONTAINER_OF(letter, struct suspicion, letter);

	mem_free(suspicion->cluster);
	mem_free(suspicion);
}

static void look_now(struct loop_letter *letter)
{
	struct watch *watch = find(CONTAINER_OF(letter, struct suspicion, letter)->cluster);

	if (watch)
		watch->hasty_until_us = clock_now_us() + HASTY_US;
	for (size_t i = 0; watch && i < watch->cluster->host_count; i++)
		probe_hurry(watch->hosts[i].probe);
	drop(letter);
}

void routing_suspect(const char *cluster)
{
	if (!atomic_load(&routing.running))
		return;
	struct suspicion *suspicion = NEW(struct suspicion);

	suspicion->letter = (struct loop_letter){ .deliver = look_now, .drop = drop };
	suspicion->cluster = mem_strdup(cluster);
	loop_post(routing.loop, &suspicion->letter);
}

/* --- Start and end --- */

void routing_start(struct loop *control, routing_publish_cb *publish_cb)
{
	routing.loop = control;
	publish_start(publish_cb);
	list_init(&routing.watches);
	atomic_store(&routing.running, true);
}

void routing_stop(void)
{
	if (!atomic_exchange(&routing.running, false))
		return;
	LIST_FOREACH(link, next, &routing.watches)
		watch_free(LIST_MEMBER(link, struct watch, link));
	publish_stop();
	record_stop();
}

/* --- For people --- */

uint64_t routing_barred(enum topology_reads reads)
{
	uint64_t count = routing.barred_before[reads];

	LIST_FOREACH(link, next, &routing.watches)
		count += LIST_MEMBER(link, struct watch, link)->state.barred[reads];
	return count;
}

static struct routing_host_facts facts_of(const struct watch *watch, size_t i)
{
	const struct host_state *host = &watch->state.hosts[i];
	bool replica = host->confirmed == OBSERVED_REPLICA, primary = host->confirmed == OBSERVED_PRIMARY;

	return (struct routing_host_facts){
		.host = watch->cluster->hosts[i].host,
		.port = watch->cluster->hosts[i].port,
		.standing = host->standing,
		.role = replica ? "replica" : primary ? "primary" : NULL,
		.timeline = host->timeline,
		.measured = host->fresh_as_of_us != 0,
		.lag_us = host->measured_us > host->fresh_as_of_us ? host->measured_us - host->fresh_as_of_us : 0,
		.lag_bytes = host->lag_bytes,
		.fresh_as_of_us = host->fresh_as_of_us,
		.last_error = watch->hosts[i].error.text,
		.weight = host->weight,
		.reads = host->reads,
	};
}

void routing_describe(routing_facts_cb *visit, void *arg)
{
	if (!atomic_load(&routing.running))
		return;
	LIST_FOREACH(link, next, &routing.watches) {
		const struct watch *watch = LIST_MEMBER(link, struct watch, link);
		size_t count = watch->cluster->host_count;
		struct routing_host_facts *hosts = NEW_ARRAY(struct routing_host_facts, count);

		for (size_t i = 0; i < count; i++)
			hosts[i] = facts_of(watch, i);
		visit(&(struct routing_cluster_facts){ .name = watch->cluster->name, .standing = watch->state.standing,
			.since_us = watch->since_us, .newest_timeline = watch->state.newest_timeline, .hosts = hosts, .host_count = count }, arg);
		mem_free(hosts);
	}
}
