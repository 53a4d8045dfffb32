/* The last minutes, for the status page: what was seen every HISTORY_STEP_MS.
 *
 * Kept by the control thread while http_listen is set, so that the page has something to draw from its first moment. */
#ifndef PGWEIR_HTTP_HISTORY_H
#define PGWEIR_HTTP_HISTORY_H

#include "http_json.h"
#include "observation.h"

enum {
	HISTORY_STEP_MS = 2000,
	HISTORY_STEPS = 300,
	HISTORY_WINDOW_US = 30 * 1000 * 1000,   /* Latencies are those of the last one to two windows. */
};

/* The same counters some time ago. */
struct history_window {
	uint64_t at_us;
	struct pool_stats stats;
	struct pool_latency latency;
};

void history_note(const struct observation *seen);
void history_stop(void);

/* What has come since the last window but one; `seconds` since then. */
void history_recent(const struct observation *seen, const struct observed_pool *sum, struct history_window *recent, double *seconds);

/* Arrays, oldest first: "queries_per_s", "query_p95_ms", "clients", "waiting", "servers", "pinned"; and a host's "lag_ms",
 * null where it was not measured. */
void history_put_totals(struct http_json *json);
void history_put_lag(struct http_json *json, const struct observed_host *host);

#endif
