/* What /status.json says of clients and server connections: in all, by database and user, and why they were routed, pinned, closed. */
#include "history.h"
#include "pgweir/control.h"
#include "status_parts.h"

static const char *mode_word(enum pool_mode mode)
{
	static const char *const words[] = { "session", "transaction", "statement" };

	return words[mode];
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

void status_put_totals(struct http_json *json, const struct observation *seen)
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

void status_put_database(struct http_json *json, const struct observation *seen, const struct observed_pool *sum)
{
	http_json_open(json, NULL, '{');
	http_json_text(json, "database", sum->database);
	http_json_text(json, "user", sum->by_user ? sum->user : NULL);
	put_counts(json, sum);
	put_rates(json, seen, sum);
	http_json_close(json, '}');
}

void status_put_pool(struct http_json *json, const struct observation *seen, const struct observed_pool *pool)
{
	(void)seen;
	http_json_open(json, NULL, '{');
	http_json_text(json, "database", pool->database);
	http_json_text(json, "user", pool->user);
	http_json_text(json, "mode", mode_word(pool->mode));
	put_counts(json, pool);
	http_json_close(json, '}');
}

void status_put_pins(struct http_json *json, const struct observation *seen)
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
void status_put_routes(struct http_json *json, const struct observation *seen)
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

void status_put_closed(struct http_json *json, const struct observation *seen)
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
