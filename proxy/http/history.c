#include "history.h"

#include <stddef.h>
#include <string.h>

#include "pgweir/mem.h"

/* --- Rings --- */

struct step {
	float queries_per_s, query_p95_ms;
	uint32_t clients, waiting, servers, pinned;
};

struct lag_ring {
	uint64_t noted;                 /* How many steps in all there were when it was written last. */
	float lag_ms[HISTORY_STEPS];    /* Below 0: not measured. */
};

static struct {
	uint64_t steps;                 /* In all; the newest lies at (steps - 1) % HISTORY_STEPS. */
	struct step ring[HISTORY_STEPS];
	uint64_t at_us, queries;        /* Of the newest. */
	struct histogram seen;
	struct map lags;                /* By cluster and host: struct lag_ring. */
	struct map windows;             /* By labels: struct history_window[2], the older one first. */
} history;

static struct lag_ring *lag_ring_of(const struct observed_host *host, bool make)
{
	char *key = mem_printf("%s\n%s", host->cluster, host->name);
	struct lag_ring *ring = map_get_text(&history.lags, key);

	if (!ring && make) {
		ring = NEW(struct lag_ring);
		for (size_t i = 0; i < HISTORY_STEPS; i++)
			ring->lag_ms[i] = -1;
		map_put_text(&history.lags, key, ring);
	}
	mem_free(key);
	return ring;
}

/* While a replica cannot be measured its lag is at least the age of what is known of it. */
static void note_lag(const struct observed_host *host, uint64_t step)
{
	struct lag_ring *ring = lag_ring_of(host, true);
	uint64_t missed = step - ring->noted;

	for (uint64_t i = 1; i < missed && i <= HISTORY_STEPS; i++)
		ring->lag_ms[(step - i) % HISTORY_STEPS] = -1;
	ring->lag_ms[step % HISTORY_STEPS] = host->measured && host->standing == HOST_REPLICA ? (float)host->lag_us / 1000 : -1;
	ring->noted = step;
}

/* --- Windows --- */

static const char *window_key(const struct observed_pool *sum)
{
	return sum->labels ? sum->labels : "";
}

static void note_window(const struct observation *seen, const struct observed_pool *sum)
{
	struct history_window *windows = map_get_text(&history.windows, window_key(sum));

	if (!windows) {
		windows = NEW_ARRAY(struct history_window, 2);
		windows[0].at_us = windows[1].at_us = seen->at_us;
		map_put_text(&history.windows, window_key(sum), windows);
	} else if (seen->at_us - windows[1].at_us < HISTORY_WINDOW_US) {
		return;
	}
	windows[0] = windows[1];
	windows[1] = (struct history_window){ .at_us = seen->at_us, .stats = sum->stats, .latency = sum->latency };
}

static void subtract(void *later, const void *earlier, size_t size)
{
	for (size_t i = 0; i < size / sizeof(uint64_t); i++)
		((uint64_t *)later)[i] -= ((const uint64_t *)earlier)[i];
}

void history_recent(const struct observation *seen, const struct observed_pool *sum, struct history_window *recent, double *seconds)
{
	const struct history_window *windows = map_get_text(&history.windows, window_key(sum));

	*recent = (struct history_window){ .at_us = seen->at_us, .stats = sum->stats, .latency = sum->latency };
	*seconds = 0;
	if (!windows)
		return;
	subtract(&recent->stats, &windows[0].stats, sizeof(recent->stats));
	subtract(&recent->latency, &windows[0].latency, sizeof(recent->latency));
	*seconds = (double)(seen->at_us - windows[0].at_us) / 1e6;
}

/* --- All together --- */

void history_note(const struct observation *seen)
{
	const struct observed_pool *total = &seen->total;
	struct histogram query, passed;

	pool_latency_seen(&total->latency, &query);
	passed = query;
	histogram_subtract(&passed, &history.seen);
	uint64_t queries = total->stats.queries, elapsed_us = seen->at_us - history.at_us;
	double rate = history.steps && elapsed_us ? (double)(queries - history.queries) * 1e6 / (double)elapsed_us : 0;

	history.ring[history.steps % HISTORY_STEPS] = (struct step){ .queries_per_s = (float)rate,
		.query_p95_ms = (float)(histogram_quantile_us(&passed, 0.95) / 1000),
		.clients = (uint32_t)seen->sessions, .waiting = (uint32_t)total->waiting, .pinned = (uint32_t)total->pinned,
		.servers = (uint32_t)(total->active + total->idle + total->cleaning) };
	for (size_t i = 0; i < seen->host_count; i++)
		if (seen->hosts[i].watched)
			note_lag(&seen->hosts[i], history.steps);
	for (size_t i = 0; i < seen->database_count; i++)
		note_window(seen, &seen->databases[i]);
	note_window(seen, total);
	history.steps++;
	history.at_us = seen->at_us;
	history.queries = queries;
	history.seen = query;
}

static bool free_value(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

void history_stop(void)
{
	map_foreach(&history.lags, free_value, NULL);
	map_foreach(&history.windows, free_value, NULL);
	map_fini(&history.lags);
	map_fini(&history.windows);
	memset(&history, 0, sizeof(history));
}

static uint64_t oldest(void)
{
	return history.steps > HISTORY_STEPS ? history.steps - HISTORY_STEPS : 0;
}

void history_put_totals(struct http_json *json)
{
	static const struct { const char *key; size_t at; } series[] = {
		{ "clients", offsetof(struct step, clients) },
		{ "waiting", offsetof(struct step, waiting) },
		{ "servers", offsetof(struct step, servers) },
		{ "pinned", offsetof(struct step, pinned) },
	};

	http_json_open(json, "queries_per_s", '[');
	for (uint64_t i = oldest(); i < history.steps; i++)
		http_json_number(json, NULL, (double)history.ring[i % HISTORY_STEPS].queries_per_s);
	http_json_close(json, ']');
	http_json_open(json, "query_p95_ms", '[');
	for (uint64_t i = oldest(); i < history.steps; i++)
		http_json_number(json, NULL, (double)history.ring[i % HISTORY_STEPS].query_p95_ms);
	http_json_close(json, ']');
	for (size_t k = 0; k < ARRAY_LEN(series); k++) {
		http_json_open(json, series[k].key, '[');
		for (uint64_t i = oldest(); i < history.steps; i++)
			http_json_int(json, NULL, *(const uint32_t *)(const void *)((const char *)&history.ring[i % HISTORY_STEPS] + series[k].at));
		http_json_close(json, ']');
	}
}

void history_put_lag(struct http_json *json, const struct observed_host *host)
{
	const struct lag_ring *ring = lag_ring_of(host, false);

	http_json_open(json, "lag_history_ms", '[');
	for (uint64_t i = oldest(); ring && i < history.steps; i++) {
		float lag_ms = i <= ring->noted ? ring->lag_ms[i % HISTORY_STEPS] : -1;

		if (lag_ms < 0)
			http_json_null(json, NULL);
		else
			http_json_int(json, NULL, (int64_t)lag_ms);
	}
	http_json_close(json, ']');
}
