#include "status.h"

#include <unistd.h>

#include "history.h"
#include "observed.h"
#include "pgweir/clock.h"
#include "pgweir/control.h"
#include "pgweir/log_recent.h"
#include "pgweir/mem.h"
#include "pgweir/reconcile.h"

enum { EVENTS_SHOWN = 60 };

static const char *mode_word(enum pool_mode mode)
{
	static const char *const words[] = { "session", "transaction", "statement" };

	return words[mode];
}

static void put_process(struct http_json *json, const struct observation *seen)
{
	bool draining = control_is_shutting_down();

	http_json_text(json, "version", PGWEIR_VERSION);
	http_json_text(json, "state", draining ? "draining" : pool_all_paused() ? "paused" : "ready");
	http_json_int(json, "pid", getpid());
	http_json_int(json, "time_ms", clock_wall_us() / 1000);
	http_json_number(json, "uptime_s", (double)(seen->at_us - control_started_us()) / 1e6);
	http_json_int(json, "memory_bytes", (int64_t)mem_resident_bytes());
	http_json_int(json, "config_generation", (int64_t)control_config()->generation);
	http_json_text(json, "address", control_config()->listen_addr);
	http_json_int(json, "port", control_config()->listen_port);
}

/* Of the last minute or so; null where nothing has happened in it. */
static void put_quantiles(struct http_json *json, const char *key, const struct histogram *histogram)
{
	static const struct { const char *key; double share; } quantiles[] = { { "p50", 0.5 }, { "p95", 0.95 }, { "p99", 0.99 } };

	http_json_open(json, key, '{');
	for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
		if (histogram_count(histogram))
			http_json_number(json, quantiles[i].key, histogram_quantile_us(histogram, quantiles[i].share) / 1000);
		else
			http_json_null(json, quantiles[i].key);
	}
	http_json_close(json, '}');
}

static double per_second(uint64_t count, double seconds)
{
	return seconds > 0 ? (double)count / seconds : 0;
}

static void put_rates(struct http_json *json, const struct observation *seen, const struct observed_pool *sum)
{
	struct history_window recent;
	struct histogram query;
	double seconds;

	history_recent(seen, sum, &recent, &seconds);
	pool_latency_seen(&recent.latency, &query);
	recent.latency.wait.counts[0] += recent.stats.server_assignments - recent.stats.waited;
	http_json_number(json, "queries_per_s", per_second(recent.stats.queries, seconds));
	http_json_number(json, "transactions_per_s", per_second(recent.stats.transactions, seconds));
	http_json_number(json, "received_per_s", per_second(recent.stats.received_bytes, seconds));
	http_json_number(json, "sent_per_s", per_second(recent.stats.sent_bytes, seconds));
	http_json_int(json, "queries", (int64_t)sum->stats.queries);
	http_json_int(json, "wait_timeouts", (int64_t)sum->stats.wait_timeouts);
	http_json_int(json, "server_login_failures", (int64_t)sum->stats.login_failures);
	put_quantiles(json, "query_ms", &query);
	put_quantiles(json, "server_ms", &recent.latency.server);
	put_quantiles(json, "wait_ms", &recent.latency.wait);
	put_quantiles(json, "login_ms", &recent.latency.login);
}

static void put_counts(struct http_json *json, const struct observed_pool *sum)
{
	http_json_int(json, "clients", (int64_t)sum->clients);
	http_json_int(json, "waiting", (int64_t)sum->waiting);
	http_json_int(json, "longest_wait_ms", (int64_t)(sum->longest_wait_us / 1000));
	http_json_int(json, "active", (int64_t)sum->active);
	http_json_int(json, "idle", (int64_t)sum->idle);
	http_json_int(json, "cleaning", (int64_t)sum->cleaning);
	http_json_int(json, "opening", (int64_t)sum->opening);
	http_json_int(json, "in_transaction", (int64_t)sum->in_transaction);
	http_json_int(json, "pinned", (int64_t)sum->pinned);
	http_json_int(json, "limit", (int64_t)sum->limit);
}

static void put_totals(struct http_json *json, const struct observation *seen)
{
	http_json_open(json, "total", '{');
	put_counts(json, &seen->total);
	put_rates(json, seen, &seen->total);
	http_json_int(json, "connections", client_slot_count());
	http_json_int(json, "connections_limit", login_places(control_config()));
	http_json_int(json, "logging_in", login_count());
	http_json_int(json, "tls_sessions", (int64_t)seen->tls_sessions);
	http_json_int(json, "sessions", (int64_t)seen->sessions);
	http_json_close(json, '}');
	http_json_open(json, "history", '{');
	http_json_int(json, "step_ms", HISTORY_STEP_MS);
	history_put_totals(json);
	http_json_close(json, '}');
}

/* --- Hosts --- */

static void put_host(struct http_json *json, const struct observed_host *host)
{
	http_json_open(json, NULL, '{');
	http_json_text(json, "host", host->name);
	http_json_int(json, "connections", host->connections);
	http_json_int(json, "limit", host->limit);
	http_json_int(json, "allowed", host->allowed);
	if (host->watched) {
		http_json_text(json, "state", observed_standing_word(host->standing));
		http_json_text(json, "role", host->role);
		http_json_int(json, "timeline", host->timeline);
		http_json_text(json, "error", host->error);
		history_put_lag(json, host);
	}
	if (host->measured) {
		http_json_number(json, "lag_ms", (double)host->lag_us / 1000);
		http_json_int(json, "lag_bytes", (int64_t)host->lag_bytes);
		http_json_number(json, "fresh_age_ms", (double)host->fresh_age_us / 1000);
	}
	http_json_close(json, '}');
}

static void put_hosts_of(struct http_json *json, const struct observation *seen, const char *cluster)
{
	for (size_t i = 0; i < seen->host_count; i++)
		if (seen->hosts[i].watched == (*cluster != '\0') && (!*cluster || strcmp(seen->hosts[i].cluster, cluster) == 0))
			put_host(json, &seen->hosts[i]);
}

static void put_clusters(struct http_json *json, const struct observation *seen)
{
	http_json_open(json, "clusters", '[');
	for (size_t i = 0; i < seen->cluster_count; i++) {
		const struct observed_cluster *cluster = &seen->clusters[i];

		http_json_open(json, NULL, '{');
		http_json_text(json, "name", cluster->name);
		http_json_text(json, "state", topology_cluster_word(cluster->standing));
		http_json_int(json, "timeline", cluster->timeline);
		http_json_number(json, "since_s", (double)observation_age_us(seen, cluster->since_us) / 1e6);
		http_json_open(json, "hosts", '[');
		put_hosts_of(json, seen, cluster->name);
		http_json_close(json, ']');
		http_json_close(json, '}');
	}
	http_json_close(json, ']');
	http_json_open(json, "hosts", '[');
	put_hosts_of(json, seen, "");
	http_json_close(json, ']');
}

/* --- Pools --- */

static void put_database(struct http_json *json, const struct observation *seen, const struct observed_pool *sum)
{
	http_json_open(json, NULL, '{');
	http_json_text(json, "database", sum->database);
	http_json_text(json, "user", sum->by_user ? sum->user : NULL);
	put_counts(json, sum);
	put_rates(json, seen, sum);
	http_json_close(json, '}');
}

static void put_pool(struct http_json *json, const struct observation *seen, const struct observed_pool *pool)
{
	(void)seen;
	http_json_open(json, NULL, '{');
	http_json_text(json, "database", pool->database);
	http_json_text(json, "user", pool->user);
	http_json_text(json, "mode", mode_word(pool->mode));
	put_counts(json, pool);
	http_json_close(json, '}');
}

static void put_pins(struct http_json *json, const struct observation *seen)
{
	http_json_open(json, "pins", '[');
	for (int pin = 0; pin < PIN_COUNT; pin++) {
		http_json_open(json, NULL, '{');
		http_json_text(json, "reason", session_pin_name((enum session_pin)pin));
		http_json_int(json, "now", (int64_t)seen->pinned[pin]);
		http_json_int(json, "total", (int64_t)seen->pins[pin]);
		http_json_close(json, '}');
	}
	http_json_close(json, ']');
}

/* Only what has happened. */
static void put_routes(struct http_json *json, const struct observation *seen)
{
	http_json_open(json, "routes", '[');
	for (unsigned i = 0; i < ROUTE_CAUSES; i++) {
		if (!seen->routes[i])
			continue;
		http_json_open(json, NULL, '{');
		http_json_text(json, "decision", route_cause_allows_replica(i) ? "replica" : "primary");
		http_json_text(json, "reason", route_cause_word(i));
		http_json_int(json, "count", (int64_t)seen->routes[i]);
		http_json_close(json, '}');
	}
	http_json_close(json, ']');
}

static void put_closed(struct http_json *json, const struct observation *seen)
{
	http_json_open(json, "closed", '[');
	for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++) {
		if (!seen->closed[reason])
			continue;
		http_json_open(json, NULL, '{');
		http_json_text(json, "reason", close_reason_row((enum close_reason)reason)->name);
		http_json_text(json, "of", reason < CLOSE_SERVER_GONE ? "client" : "server");
		http_json_int(json, "count", (int64_t)seen->closed[reason]);
		http_json_close(json, '}');
	}
	http_json_close(json, ']');
}

/* --- Secrets, provisioned users, workers, events --- */

static void put_age(struct http_json *json, const char *key, const struct observation *seen, uint64_t then_us)
{
	if (then_us)
		http_json_number(json, key, (double)observation_age_us(seen, then_us) / 1e6);
	else
		http_json_null(json, key);
}

static void put_secrets(struct http_json *json, const struct observation *seen)
{
	http_json_open(json, "secrets", '[');
	for (size_t i = 0; i < seen->secret_count; i++) {
		const struct observed_secret *secret = &seen->secrets[i];
		const struct lease *lease = secret->lease;

		http_json_open(json, NULL, '{');
		http_json_text(json, "name", secret->name);
		http_json_text(json, "provider", secret->provider);
		http_json_text(json, "problem", lease ? lease->problem : "it has not been read yet");
		http_json_int(json, "version", lease ? (int64_t)lease->version : 0);
		put_age(json, "age_s", seen, lease ? lease->changed_us : 0);
		put_age(json, "read_s", seen, lease ? lease->fetched_us : 0);
		http_json_bool(json, "previous", lease && lease->previous.password);
		http_json_int(json, "failed_reads", (int64_t)secret->failed_reads);
		http_json_close(json, '}');
	}
	http_json_close(json, ']');
}

static void put_provision(struct http_json *json, const struct observation *seen, const struct reconcile_row *row)
{
	http_json_open(json, NULL, '{');
	http_json_text(json, "name", row->name);
	http_json_text(json, "login", row->login);
	http_json_text(json, "state", row->looked_us ? provision_outcome_word(row->outcome) : "waiting");
	http_json_text(json, "problem", row->problem);
	http_json_int(json, "differences", (int64_t)row->differences);
	http_json_int(json, "changed", (int64_t)row->changed);
	http_json_int(json, "rotations", (int64_t)row->rotations);
	http_json_int(json, "failed_rotations", (int64_t)row->failed_rotations);
	if (row->password_since_s)
		http_json_int(json, "password_s", clock_wall_us() / 1000000 - row->password_since_s);
	else
		http_json_null(json, "password_s");
	put_age(json, "looked_s", seen, row->looked_us);
	http_json_close(json, '}');
}

static void put_provisions(struct http_json *json, const struct observation *seen)
{
	size_t count;
	const struct reconcile_row *rows = reconcile_rows(&count);

	http_json_open(json, "provisions", '[');
	for (size_t i = 0; i < count; i++)
		put_provision(json, seen, &rows[i]);
	http_json_close(json, ']');
}

static void put_workers(struct http_json *json, const struct observation *seen)
{
	http_json_open(json, "workers", '[');
	for (unsigned i = 0; i < seen->worker_count; i++) {
		const struct observed_worker *worker = &seen->workers[i];

		http_json_open(json, NULL, '{');
		http_json_int(json, "sessions", (int64_t)worker->sessions);
		http_json_int(json, "servers", (int64_t)worker->servers);
		http_json_int(json, "waiting", (int64_t)worker->waiting);
		http_json_int(json, "cpu_us", (int64_t)worker->cpu_us);
		http_json_number(json, "delay_ms", (double)worker->loop_delay_us / 1000);
		http_json_number(json, "delay_p99_ms", histogram_quantile_us(&worker->loop_delay, 0.99) / 1000);
		http_json_close(json, '}');
	}
	http_json_close(json, ']');
}

struct events {
	struct http_json *json;
	unsigned count;
};

static void put_event(const struct log_recent *recent, void *arg)
{
	struct events *events = arg;

	if (events->count++ >= EVENTS_SHOWN)
		return;
	http_json_open(events->json, NULL, '{');
	http_json_int(events->json, "time_ms", recent->last_us / 1000);
	http_json_text(events->json, "severity", log_level_word(recent->level));
	http_json_text(events->json, "event", recent->event);
	http_json_text(events->json, "detail", recent->detail);
	http_json_int(events->json, "count", recent->count);
	http_json_close(events->json, '}');
}

static void put_events(struct http_json *json, const struct observation *seen)
{
	struct events events = { .json = json };

	(void)seen;
	http_json_open(json, "events", '[');
	log_recent_foreach(put_event, &events);
	http_json_close(json, ']');
}

/* --- All of it, bit by bit --- */

/* Either all at once, or a list of sums. */
struct part {
	void (*put)(struct http_json *json, const struct observation *seen);
	const char *key;
	void (*put_one)(struct http_json *json, const struct observation *seen, const struct observed_pool *sum);
	size_t sums_at, count_at;       /* In the observation. */
};

#define LIST_OF(key_, put_, sums, count) { .key = (key_), .put_one = (put_), \
	.sums_at = offsetof(struct observation, sums), .count_at = offsetof(struct observation, count) }

static const struct part parts[] = {
	{ .put = put_process }, { .put = put_totals }, { .put = put_clusters },
	LIST_OF("databases", put_database, databases, database_count),
	LIST_OF("pools", put_pool, pools, pool_count),
	{ .put = put_pins }, { .put = put_routes }, { .put = put_closed }, { .put = put_secrets }, { .put = put_provisions },
	{ .put = put_workers }, { .put = put_events },
};

static const void *member_at(const struct observation *seen, size_t at)
{
	return (const char *)seen + at;
}

/* One more of the list, or its end. */
static void put_of_list(struct status *status, const struct observation *seen, const struct part *part)
{
	const struct observed_pool *sums = *(struct observed_pool *const *)member_at(seen, part->sums_at);
	size_t count = *(const size_t *)member_at(seen, part->count_at);

	if (!status->next)
		http_json_open(&status->json, part->key, '[');
	if (status->next < count) {
		part->put_one(&status->json, seen, &sums[status->next++]);
		return;
	}
	http_json_close(&status->json, ']');
	status->next = 0;
	status->part++;
}

bool status_put_some(struct status *status, const struct observation *seen, size_t most)
{
	struct http_json *json = &status->json;
	size_t before = json->out.size;

	if (!before)
		http_json_open(json, NULL, '{');
	while (status->part < ARRAY_LEN(parts)) {
		const struct part *part = &parts[status->part];

		if (json->out.size - before >= most)
			return true;
		if (part->put_one)
			put_of_list(status, seen, part);
		else
			parts[status->part++].put(json, seen);
	}
	http_json_close(json, '}');
	return false;
}
