#include "status.h"

#include <unistd.h>

#include "pgweir/clock.h"
#include "pgweir/control.h"
#include "pgweir/log_recent.h"
#include "pgweir/mem.h"
#include "status_parts.h"

enum { EVENTS_SHOWN = 60 };

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
	{ .put = put_process }, { .put = status_put_totals }, { .put = status_put_clusters },
	LIST_OF("databases", status_put_database, databases, database_count),
	LIST_OF("pools", status_put_pool, pools, pool_count),
	{ .put = status_put_pins }, { .put = status_put_routes }, { .put = status_put_closed }, { .put = status_put_secrets }, { .put = status_put_provisions },
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
