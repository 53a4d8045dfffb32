/* What the rows about hosts, clusters and secrets put. */
#include <string.h>

#include "metrics.h"
#include "observed.h"

/* --- Hosts --- */

typedef void host_cb(struct exposition *to, const struct observed_host *host, const char *labels);

static void each_host(struct exposition *to, host_cb *put)
{
	for (size_t i = 0; i < to->seen->host_count; i++) {
		const struct observed_host *host = &to->seen->hosts[i];
		struct buf labels = { 0 };

		exposition_label(&labels, "cluster", host->cluster);
		exposition_label(&labels, "host", host->name);
		buf_append_char(&labels, '\0');
		put(to, host, labels.bytes);
		buf_fini(&labels);
	}
}

static void put_connections(struct exposition *to, const struct observed_host *host, const char *labels)
{
	exposition_count(to, labels, (uint64_t)host->connections);
}

static void put_limit(struct exposition *to, const struct observed_host *host, const char *labels)
{
	exposition_count(to, labels, (uint64_t)host->limit);
}

static void put_allowed(struct exposition *to, const struct observed_host *host, const char *labels)
{
	exposition_count(to, labels, (uint64_t)host->allowed);
}

/* One sample for each state that there is. */
static void put_state(struct exposition *to, const char *labels, const char *state, bool is)
{
	struct buf all = { 0 };

	buf_append_text(&all, labels);
	exposition_label(&all, "state", state);
	buf_append_char(&all, '\0');
	exposition_count(to, all.bytes, is);
	buf_fini(&all);
}

static void put_host_state(struct exposition *to, const struct observed_host *host, const char *labels)
{
	for (int standing = HOST_UNKNOWN; host->watched && standing < HOST_STANDING_COUNT; standing++)
		put_state(to, labels, observed_standing_word((enum host_standing)standing), standing == (int)host->standing);
}

static void put_lag(struct exposition *to, const struct observed_host *host, const char *labels)
{
	if (host->measured)
		exposition_seconds(to, labels, host->lag_us);
}

static void put_lag_bytes(struct exposition *to, const struct observed_host *host, const char *labels)
{
	if (host->measured)
		exposition_count(to, labels, host->lag_bytes);
}

static void put_fresh_age(struct exposition *to, const struct observed_host *host, const char *labels)
{
	if (host->measured)
		exposition_seconds(to, labels, host->fresh_age_us);
}

static void put_timeline(struct exposition *to, const struct observed_host *host, const char *labels)
{
	if (host->timeline)
		exposition_count(to, labels, host->timeline);
}

#define HOST_METRIC(name, put_one) \
	void metrics_host_##name(struct exposition *to, const struct metric *metric) \
	{ \
		(void)metric; \
		each_host(to, put_one); \
	}
HOST_METRIC(connections, put_connections)
HOST_METRIC(limit, put_limit)
HOST_METRIC(allowed, put_allowed)
HOST_METRIC(state, put_host_state)
HOST_METRIC(lag, put_lag)
HOST_METRIC(lag_bytes, put_lag_bytes)
HOST_METRIC(fresh_age, put_fresh_age)
HOST_METRIC(timeline, put_timeline)

/* READS_RETURNING goes on where one of the others has begun. */
void metrics_reads_lost(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	for (int reads = READS_ALLOWED + 1; reads < READS_COUNT; reads++)
		if (reads != READS_RETURNING)
			exposition_count_of(to, "reason", topology_reads_word((enum topology_reads)reads), to->seen->reads_lost[reads]);
}

/* --- Clusters --- */

void metrics_cluster_state(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	for (size_t i = 0; i < to->seen->cluster_count; i++) {
		const struct observed_cluster *cluster = &to->seen->clusters[i];
		struct buf labels = { 0 };

		exposition_label(&labels, "cluster", cluster->name);
		buf_append_char(&labels, '\0');
		for (int standing = CLUSTER_LOOKING; standing <= CLUSTER_UNOBSERVED; standing++)
			put_state(to, labels.bytes, topology_cluster_word((enum cluster_standing)standing), standing == (int)cluster->standing);
		buf_fini(&labels);
	}
}

void metrics_cluster_timeline(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	for (size_t i = 0; i < to->seen->cluster_count; i++)
		if (to->seen->clusters[i].timeline)
			exposition_count_of(to, "cluster", to->seen->clusters[i].name, to->seen->clusters[i].timeline);
}

/* --- Secrets --- */

typedef void secret_cb(struct exposition *to, const struct observed_secret *secret, const char *labels);

static void each_secret(struct exposition *to, secret_cb *put)
{
	for (size_t i = 0; i < to->seen->secret_count; i++) {
		const struct observed_secret *secret = &to->seen->secrets[i];
		struct buf labels = { 0 };

		exposition_label(&labels, "secret", secret->name);
		buf_append_char(&labels, '\0');
		put(to, secret, labels.bytes);
		buf_fini(&labels);
	}
}

static void put_age(struct exposition *to, const struct observed_secret *secret, const char *labels)
{
	if (secret->lease && secret->lease->changed_us)
		exposition_seconds(to, labels, observation_age_us(to->seen, secret->lease->changed_us));
}

static void put_read_age(struct exposition *to, const struct observed_secret *secret, const char *labels)
{
	if (secret->lease && secret->lease->fetched_us)
		exposition_seconds(to, labels, observation_age_us(to->seen, secret->lease->fetched_us));
}

static void put_version(struct exposition *to, const struct observed_secret *secret, const char *labels)
{
	exposition_count(to, labels, secret->lease ? secret->lease->version : 0);
}

static void put_good(struct exposition *to, const struct observed_secret *secret, const char *labels)
{
	exposition_count(to, labels, secret->lease && secret->lease->version && !secret->lease->problem);
}

static void put_reads(struct exposition *to, const struct observed_secret *secret, const char *labels)
{
	const struct { const char *result; uint64_t count; } results[] = {
		{ "good", secret->good_reads },
		{ "failed", secret->failed_reads },
	};

	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		struct buf all = { 0 };

		buf_append_text(&all, labels);
		exposition_label(&all, "result", results[i].result);
		buf_append_char(&all, '\0');
		exposition_count(to, all.bytes, results[i].count);
		buf_fini(&all);
	}
}

#define SECRET_METRIC(name, put_one) \
	void metrics_secret_##name(struct exposition *to, const struct metric *metric) \
	{ \
		(void)metric; \
		each_secret(to, put_one); \
	}
SECRET_METRIC(age, put_age)
SECRET_METRIC(read_age, put_read_age)
SECRET_METRIC(version, put_version)
SECRET_METRIC(good, put_good)
SECRET_METRIC(reads, put_reads)
