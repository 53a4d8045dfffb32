/* SHOW STATS and its relatives, and SHOW TOTALS. Counts and bytes are per second where they are averages, times are
 * microseconds per transaction or query, waiting is microseconds per second. */
#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "show.h"
#include "stats.h"

static const struct column stats_columns[] = {
	{ "database", COLUMN_TEXT },
	{ "total_xact_count", COLUMN_INT8 },
	{ "total_query_count", COLUMN_INT8 },
	{ "total_received", COLUMN_INT8 },
	{ "total_sent", COLUMN_INT8 },
	{ "total_xact_time", COLUMN_INT8 },
	{ "total_query_time", COLUMN_INT8 },
	{ "total_wait_time", COLUMN_INT8 },
	{ "avg_xact_count", COLUMN_INT8 },
	{ "avg_query_count", COLUMN_INT8 },
	{ "avg_recv", COLUMN_INT8 },
	{ "avg_sent", COLUMN_INT8 },
	{ "avg_xact_time", COLUMN_INT8 },
	{ "avg_query_time", COLUMN_INT8 },
	{ "avg_wait_time", COLUMN_INT8 },
	{ "total_server_assignment_count", COLUMN_INT8 },
	{ "avg_server_assignment_count", COLUMN_INT8 },
	{ "total_client_parse_count", COLUMN_INT8 },
	{ "total_server_parse_count", COLUMN_INT8 },
	{ "total_bind_count", COLUMN_INT8 },
	{ "avg_client_parse_count", COLUMN_INT8 },
	{ "avg_server_parse_count", COLUMN_INT8 },
	{ "avg_bind_count", COLUMN_INT8 },
	{ "total_server_opened_count", COLUMN_INT8 },
	{ "total_server_login_failed_count", COLUMN_INT8 },
	{ "total_state_audit_count", COLUMN_INT8 },
	{ "total_function_load_count", COLUMN_INT8 },
	{ "total_requests", COLUMN_INT8 },      /* What PgBouncer 1.7 called queries, and old exporters still ask for. */
};
const struct table stats_table = TABLE(stats_columns);

static const struct column short_columns[] = {
	{ "database", COLUMN_TEXT },
	{ "xact_count", COLUMN_INT8 },
	{ "query_count", COLUMN_INT8 },
	{ "bytes_received", COLUMN_INT8 },
	{ "bytes_sent", COLUMN_INT8 },
	{ "xact_time", COLUMN_INT8 },
	{ "query_time", COLUMN_INT8 },
	{ "wait_time", COLUMN_INT8 },
	{ "server_assignment_count", COLUMN_INT8 },
	{ "client_parse_count", COLUMN_INT8 },
	{ "server_parse_count", COLUMN_INT8 },
	{ "bind_count", COLUMN_INT8 },
};
const struct table stats_totals_table = TABLE(short_columns);
const struct table stats_averages_table = TABLE(short_columns);

static const struct column totals_columns[] = {
	{ "name", COLUMN_TEXT },
	{ "value", COLUMN_INT8 },
};
const struct table totals_table = TABLE(totals_columns);

static void put(struct result *result, const uint64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		result_int(result, (int64_t)values[i]);
}
#define PUT(result, ...) \
	put((result), (const uint64_t[]){ __VA_ARGS__ }, sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void put_stats(struct result *result, const char *name, const struct pool_stats *sum)
{
	struct stats_averages mean = stats_averages_of(name, sum);

	result_begin(result);
	result_text(result, name);
	PUT(result, sum->transactions, sum->queries, sum->received_bytes, sum->sent_bytes, sum->transaction_us, sum->query_us,
		sum->wait_us);
	PUT(result, mean.transactions, mean.queries, mean.received_bytes, mean.sent_bytes, mean.transaction_us, mean.query_us,
		mean.wait_us);
	PUT(result, sum->server_assignments, mean.server_assignments, sum->client_parses, sum->server_parses, sum->binds,
		mean.client_parses, mean.server_parses, mean.binds, sum->servers_opened, sum->login_failures, sum->audits, sum->function_loads,
		sum->queries);
	result_end(result);
}

static void put_totals(struct result *result, const char *name, const struct pool_stats *sum)
{
	result_begin(result);
	result_text(result, name);
	PUT(result, sum->transactions, sum->queries, sum->received_bytes, sum->sent_bytes, sum->transaction_us, sum->query_us,
		sum->wait_us, sum->server_assignments, sum->client_parses, sum->server_parses, sum->binds);
	result_end(result);
}

static void put_averages(struct result *result, const char *name, const struct pool_stats *sum)
{
	struct stats_averages mean = stats_averages_of(name, sum);

	result_begin(result);
	result_text(result, name);
	PUT(result, mean.transactions, mean.queries, mean.received_bytes, mean.sent_bytes, mean.transaction_us, mean.query_us,
		mean.wait_us, mean.server_assignments, mean.client_parses, mean.server_parses, mean.binds);
	result_end(result);
}

/* --- One row for each database: those that are configured in their order, then the others --- */

typedef void put_cb(struct result *result, const char *name, const struct pool_stats *sum);

struct rest {
	struct result *result;
	put_cb *put;
};

static bool put_rest(const void *key, size_t size, void *value, void *arg)
{
	const struct rest *rest = arg;
	char *name = mem_strndup(key, size);

	rest->put(rest->result, name, value);
	mem_free(name);
	return true;
}

static void put_each(struct job *job, put_cb *put_one)
{
	static const struct pool_stats nothing;
	const struct config *config = control_config();
	struct rest rest = { &job->result, put_one };

	for (size_t i = 0; i < config->database_count; i++) {
		const char *name = config->databases[i].name;
		struct pool_stats *sum = map_take_text(&job->sums, name);

		if (sum || name[0] != '*')
			put_one(&job->result, name, sum ? sum : &nothing);
		mem_free(sum);
	}
	map_foreach(&job->sums, put_rest, &rest);
	show_done(job);
}

static void visit(struct pool_share *share, void *arg)
{
	stats_collect(share, &((struct job *)arg)->sums);
}

static const struct worker_walk walk = { .share = visit };

static void stats_are_here(struct job *job) { put_each(job, put_stats); }
static void totals_are_here(struct job *job) { put_each(job, put_totals); }
static void averages_are_here(struct job *job) { put_each(job, put_averages); }

void show_stats(struct job *job) { job_walk(job, &walk, stats_are_here); }
void show_stats_totals(struct job *job) { job_walk(job, &walk, totals_are_here); }
void show_stats_averages(struct job *job) { job_walk(job, &walk, averages_are_here); }

/* --- All databases together --- */

struct total {
	struct pool_stats sum;
	struct stats_averages mean;
};

static bool add(const void *key, size_t size, void *value, void *arg)
{
	const struct pool_stats *sum = value;
	struct total *total = arg;
	char *name = mem_strndup(key, size);
	struct stats_averages mean = stats_averages_of(name, sum);
	uint64_t transactions = total->mean.transactions + mean.transactions, queries = total->mean.queries + mean.queries;

	mem_free(name);
	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		((uint64_t *)&total->sum)[i] += ((const uint64_t *)sum)[i];
	/* Times per transaction and query are weighed by how many there were. */
	if (transactions)
		total->mean.transaction_us = (total->mean.transaction_us * total->mean.transactions
			+ mean.transaction_us * mean.transactions) / transactions;
	if (queries)
		total->mean.query_us = (total->mean.query_us * total->mean.queries + mean.query_us * mean.queries) / queries;
	total->mean.transactions = transactions;
	total->mean.queries = queries;
	total->mean.received_bytes += mean.received_bytes;
	total->mean.sent_bytes += mean.sent_bytes;
	total->mean.wait_us += mean.wait_us;
	return true;
}

static void put_all_totals(struct job *job)
{
	struct total total = { 0 };

	map_foreach(&job->sums, add, &total);
	const struct { const char *name; uint64_t value; } rows[] = {
		{ "total_xact_count", total.sum.transactions },
		{ "total_query_count", total.sum.queries },
		{ "total_client_bytes", total.sum.received_bytes },
		{ "total_server_bytes", total.sum.sent_bytes },
		{ "total_xact_time", total.sum.transaction_us },
		{ "total_query_time", total.sum.query_us },
		{ "total_wait_time", total.sum.wait_us },
		{ "avg_xact_count", total.mean.transactions },
		{ "avg_query_count", total.mean.queries },
		{ "avg_client_bytes", total.mean.received_bytes },
		{ "avg_server_bytes", total.mean.sent_bytes },
		{ "avg_xact_time", total.mean.transaction_us },
		{ "avg_query_time", total.mean.query_us },
		{ "avg_wait_time", total.mean.wait_us },
		{ "total_server_assignment_count", total.sum.server_assignments },
		{ "total_client_parse_count", total.sum.client_parses },
		{ "total_server_parse_count", total.sum.server_parses },
		{ "total_bind_count", total.sum.binds },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		result_begin(&job->result);
		result_text(&job->result, rows[i].name);
		result_int(&job->result, (int64_t)rows[i].value);
		result_end(&job->result);
	}
	show_done(job);
}

void show_totals(struct job *job)
{
	job_walk(job, &walk, put_all_totals);
}
