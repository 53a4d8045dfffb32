/* What the rows of the table of metrics put. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "metrics.h"
#include "observation.h"
#include "pgweir/clock.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"

/* --- The process --- */

void metrics_build_info(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count_of(to, "version", PGWEIR_VERSION, 1);
}

void metrics_uptime(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_seconds(to, "", to->seen->at_us - control_started_us());
}

void metrics_start_time(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_seconds(to, "", (uint64_t)clock_wall_us() - (clock_now_us() - control_started_us()));
}

static uint64_t time_us(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

void metrics_cpu(struct exposition *to, const struct metric *metric)
{
	struct rusage usage = { 0 };

	(void)metric;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		exposition_seconds(to, "", time_us(&usage.ru_utime) + time_us(&usage.ru_stime));
}

void metrics_memory(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count(to, "", mem_resident_bytes());
}

void metrics_generation(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count(to, "", control_config()->generation);
}

void metrics_draining(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count(to, "", control_is_shutting_down());
}

void metrics_paused(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count(to, "", pool_all_paused());
}

/* --- Clients --- */

void metrics_clients(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count(to, "", client_slot_count());
}

void metrics_clients_limit(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count(to, "", login_places(control_config()));
}

void metrics_logins_in_progress(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count(to, "", login_count());
}

void metrics_sessions_by_tls(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count_of(to, "tls", "yes", to->seen->tls_sessions);
	exposition_count_of(to, "tls", "no", to->seen->sessions - to->seen->tls_sessions);
}

void metrics_received(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count(to, "", login_counts_received());
}

void metrics_logins(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	for (int tls = 0; tls < LOGIN_TLS_COUNT; tls++)
		exposition_count_of(to, "tls", login_tls_word((enum login_tls)tls), login_counts_good((enum login_tls)tls));
}

void metrics_login_failures(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	for (int i = 0; i < LOGIN_FAILURE_COUNT; i++)
		exposition_count_of(to, "reason", login_failure_word((enum login_failure)i), login_counts_failed((enum login_failure)i));
}

void metrics_cancels(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	exposition_count_of(to, "result", "delivered", to->seen->cancels_delivered);
	exposition_count_of(to, "result", "unknown", to->seen->cancels_unknown);
}

static void put_closed(struct exposition *to, int from, int to_reason)
{
	for (int reason = from; reason < to_reason; reason++)
		exposition_count_of(to, "reason", close_reason_row((enum close_reason)reason)->name, to->seen->closed[reason]);
}

void metrics_clients_closed(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	put_closed(to, 0, CLOSE_SERVER_GONE);
}

void metrics_servers_closed(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	put_closed(to, CLOSE_SERVER_GONE, CLOSE_REASON_COUNT);
}

void metrics_pinned(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	for (int pin = 0; pin < PIN_COUNT; pin++)
		exposition_count_of(to, "reason", session_pin_name((enum session_pin)pin), to->seen->pinned[pin]);
}

/* In session mode every client is, from its first moment. */
void metrics_pins(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	for (int pin = PIN_SESSION_MODE + 1; pin < PIN_COUNT; pin++)
		exposition_count_of(to, "reason", session_pin_name((enum session_pin)pin), to->seen->pins[pin]);
}

void metrics_routes(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	for (unsigned i = 0; i < ROUTE_CAUSES; i++) {
		struct buf labels = { 0 };

		exposition_label(&labels, "decision", route_cause_allows_replica(i) ? "replica" : "primary");
		exposition_label(&labels, "reason", route_cause_word(i));
		buf_append_char(&labels, '\0');
		exposition_count(to, labels.bytes, to->seen->routes[i]);
		buf_fini(&labels);
	}
}

/* --- Databases and pools --- */

static uint64_t value_at(const void *owner, size_t at)
{
	uint64_t value;

	memcpy(&value, (const char *)owner + at, sizeof(value));
	return value;
}

static const struct histogram *histogram_at(const struct observed_pool *sum, size_t at)
{
	return (const struct histogram *)(const void *)((const char *)sum + at);
}

/* Those of the slice at hand. */
#define EACH(sum, sums, count) \
	for (const struct observed_pool *sum = (sums) + to->first, *sum##_end = (sums) + metrics_slice(to, (count)); \
	     sum < sum##_end; sum++)
#define EACH_DATABASE(sum) EACH(sum, to->seen->databases, to->seen->database_count)
#define EACH_POOL(sum) EACH(sum, to->seen->pools, to->seen->pool_count)

void metrics_of_database(struct exposition *to, const struct metric *metric)
{
	EACH_DATABASE(sum)
		exposition_count(to, sum->labels, value_at(sum, metric->at));
}

void metrics_seconds_of_database(struct exposition *to, const struct metric *metric)
{
	EACH_DATABASE(sum)
		exposition_seconds(to, sum->labels, value_at(sum, metric->at));
}

void metrics_histogram_of_database(struct exposition *to, const struct metric *metric)
{
	EACH_DATABASE(sum)
		exposition_histogram(to, sum->labels, histogram_at(sum, metric->at), value_at(sum, metric->sum_at));
}

/* Those who did not have to wait are the rest of all that were lent a connection. */
void metrics_waits_of_database(struct exposition *to, const struct metric *metric)
{
	EACH_DATABASE(sum) {
		struct histogram waits = *histogram_at(sum, metric->at);

		waits.counts[0] += sum->stats.server_assignments - sum->stats.waited;
		exposition_histogram(to, sum->labels, &waits, value_at(sum, metric->sum_at));
	}
}

void metrics_queries_of_database(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	EACH_DATABASE(sum) {
		struct histogram seen;

		pool_latency_seen(&sum->latency, &seen);
		exposition_histogram(to, sum->labels, &seen, sum->stats.query_us + sum->stats.query_waited_us);
	}
}

void metrics_of_pool(struct exposition *to, const struct metric *metric)
{
	EACH_POOL(sum)
		exposition_count(to, sum->labels, value_at(sum, metric->at));
}

void metrics_seconds_of_pool(struct exposition *to, const struct metric *metric)
{
	EACH_POOL(sum)
		exposition_seconds(to, sum->labels, value_at(sum, metric->at));
}

void metrics_pool_servers(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	EACH_POOL(sum) {
		exposition_count_with(to, sum->labels, "state=\"active\"", sum->active);
		exposition_count_with(to, sum->labels, "state=\"idle\"", sum->idle);
		exposition_count_with(to, sum->labels, "state=\"cleaning\"", sum->cleaning);
		exposition_count_with(to, sum->labels, "state=\"opening\"", sum->opening);
	}
}

/* --- Workers --- */

struct worker_label {
	char text[24];
};

static struct worker_label label_of(unsigned worker)
{
	struct worker_label label;

	snprintf(label.text, sizeof(label.text), "worker=\"%u\"", worker);
	return label;
}

void metrics_of_worker(struct exposition *to, const struct metric *metric)
{
	for (unsigned i = 0; i < to->seen->worker_count; i++)
		exposition_count(to, label_of(i).text, value_at(&to->seen->workers[i], metric->at));
}

void metrics_seconds_of_worker(struct exposition *to, const struct metric *metric)
{
	for (unsigned i = 0; i < to->seen->worker_count; i++)
		exposition_seconds(to, label_of(i).text, value_at(&to->seen->workers[i], metric->at));
}

void metrics_loop_delay(struct exposition *to, const struct metric *metric)
{
	(void)metric;
	for (unsigned i = 0; i < to->seen->worker_count; i++)
		exposition_histogram(to, label_of(i).text, &to->seen->workers[i].loop_delay, to->seen->workers[i].loop_delay_total_us);
}
