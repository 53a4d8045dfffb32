/* Every metric is a row here and nowhere else: /metrics and `pgweir describe metrics` come from it. */
#include "metrics.h"

#include <stddef.h>
#include <string.h>

#include "observation.h"
#include "pgweir/http.h"

enum { OWNERS_PER_SLICE = 64 };

#define AT_STAT(field) .at = offsetof(struct observed_pool, stats.field)
#define AT_POOL(field) .at = offsetof(struct observed_pool, field)
#define AT_LATENCY(field) .at = offsetof(struct observed_pool, latency.field)
#define SUM(field) .sum_at = offsetof(struct observed_pool, stats.field)
#define AT_WORKER(field) .at = offsetof(struct observed_worker, field)
#define COUNTER(name_) .name = "pgweir_" name_, .type = METRIC_COUNTER
#define GAUGE(name_) .name = "pgweir_" name_, .type = METRIC_GAUGE
#define HISTOGRAM(name_) .name = "pgweir_" name_ "_seconds", .type = METRIC_HISTOGRAM, .unit = "seconds"
#define FINE_HISTOGRAM(name_) .name = "pgweir_" name_ "_seconds", .type = METRIC_FINE_HISTOGRAM, .unit = "seconds"
#define SECONDS .unit = "seconds"
#define BYTES .unit = "bytes"
#define DATABASE .labels = "database"
#define POOL .labels = "database, user"
#define PROVISION .labels = "provision"
#define HOST .labels = "cluster, host"

static const struct metric table[] = {
	/* The process */
	{ GAUGE("build_info"), .labels = "version", .put = metrics_build_info, .help = "Always 1; the version is a label." },
	{ GAUGE("uptime_seconds"), SECONDS, .put = metrics_uptime, .help = "Time since the start." },
	{ GAUGE("start_time_seconds"), SECONDS, .put = metrics_start_time, .help = "When the process started, since 1970." },
	{ COUNTER("cpu_seconds"), SECONDS, .put = metrics_cpu, .help = "CPU time of all threads, in user and kernel mode." },
	{ GAUGE("resident_memory_bytes"), BYTES, .put = metrics_memory, .help = "Memory of the process that is resident." },
	{ GAUGE("config_generation"), .put = metrics_generation,
	  .help = "Counts the configurations that were in force; grows with each reload that took effect." },
	{ GAUGE("draining"), .put = metrics_draining, .help = "1 while pgweir is shutting down." },
	{ GAUGE("paused"), .put = metrics_paused, .help = "1 while all databases are paused." },

	/* Clients */
	{ GAUGE("client_connections"), .put = metrics_clients, .help = "Client connections, those that are logging in among them." },
	{ GAUGE("client_connections_limit"), .put = metrics_clients_limit, .help = "max_client_conn, or less if the limit of open files is too low for that." },
	{ GAUGE("client_logins_in_progress"), .put = metrics_logins_in_progress, .help = "Clients that are logging in." },
	{ GAUGE("client_sessions"), .labels = "tls", .put = metrics_sessions_by_tls, .help = "Clients that have logged in, with TLS and without." },
	{ COUNTER("client_connections_received"), .put = metrics_received,
	  .help = "Connections accepted from clients, cancel requests among them." },
	{ COUNTER("client_logins"), .labels = "tls", .put = metrics_logins, .help = "Logins of clients that succeeded, by TLS version." },
	{ COUNTER("client_login_failures"), .labels = "reason", .put = metrics_login_failures, .help = "Logins of clients that were refused." },
	{ COUNTER("client_connections_closed"), .labels = "reason", .put = metrics_clients_closed,
	  .help = "Sessions of clients that have ended, by reason." },
	{ COUNTER("cancel_requests"), .labels = "result", .put = metrics_cancels,
	  .help = "Cancel requests that reached a query, and those whose key nobody has." },

	/* Traffic */
	{ COUNTER("queries"), DATABASE, .put = metrics_of_database, AT_STAT(queries), .help = "Queries that were answered." },
	{ COUNTER("transactions"), DATABASE, .put = metrics_of_database, AT_STAT(transactions), .help = "Transactions that have ended." },
	{ COUNTER("transaction_seconds"), SECONDS, DATABASE, .put = metrics_seconds_of_database, AT_STAT(transaction_us),
	  .help = "Time spent in transactions." },
	{ COUNTER("client_received_bytes"), BYTES, DATABASE, .put = metrics_of_database, AT_STAT(received_bytes),
	  .help = "Bytes from clients." },
	{ COUNTER("client_sent_bytes"), BYTES, DATABASE, .put = metrics_of_database, AT_STAT(sent_bytes), .help = "Bytes to clients." },
	{ COUNTER("client_parses"), DATABASE, .put = metrics_of_database, AT_STAT(client_parses),
	  .help = "Statements that clients have prepared." },
	{ COUNTER("server_parses"), DATABASE, .put = metrics_of_database, AT_STAT(server_parses),
	  .help = "Statements that servers had to prepare." },
	{ COUNTER("binds"), DATABASE, .put = metrics_of_database, AT_STAT(binds), .help = "Bind messages." },
	{ COUNTER("server_assignments"), DATABASE, .put = metrics_of_database, AT_STAT(server_assignments),
	  .help = "How often a client was lent a server connection." },
	{ COUNTER("wait_timeouts"), DATABASE, .put = metrics_of_database, AT_STAT(wait_timeouts),
	  .help = "Clients that waited in vain for query_wait_timeout." },
	{ COUNTER("state_audits"), DATABASE, .put = metrics_of_database, AT_STAT(audits),
	  .help = "Questions to servers about what functions have left behind." },
	{ COUNTER("function_loads"), DATABASE, .put = metrics_of_database, AT_STAT(function_loads),
	  .help = "Readings of the servers' catalogs of functions." },

	/* Latency */
	{ FINE_HISTOGRAM("query_duration"), DATABASE, .put = metrics_queries_of_database,
	  .help = "Time of queries as clients see it, waiting for a server connection included." },
	{ HISTOGRAM("server_round_trip"), DATABASE, .put = metrics_histogram_of_database, AT_LATENCY(server), SUM(query_us),
	  .help = "Time from sending a query to the server to the end of its answer." },
	{ HISTOGRAM("wait_duration"), DATABASE, .put = metrics_waits_of_database, AT_LATENCY(wait), SUM(waited_us),
	  .help = "Time that clients waited for a server connection, each time they were lent one." },
	{ HISTOGRAM("client_login_duration"), DATABASE, .put = metrics_histogram_of_database, AT_LATENCY(login), SUM(login_us),
	  .help = "Time from accepting a client to its first ReadyForQuery." },
	{ HISTOGRAM("server_login_duration"), DATABASE, .put = metrics_histogram_of_database, AT_LATENCY(server_login),
	  SUM(server_login_us), .help = "Time to connect and log in to a server." },

	/* Server connections */
	{ COUNTER("server_logins"), DATABASE, .put = metrics_of_database, AT_STAT(servers_opened),
	  .help = "Logins to servers that succeeded." },
	{ COUNTER("server_login_failures"), DATABASE, .put = metrics_of_database, AT_STAT(login_failures),
	  .help = "Connections and logins to servers that failed." },
	{ COUNTER("server_connections_closed"), .labels = "reason", .put = metrics_servers_closed,
	  .help = "Server connections that have ended, by reason." },
	{ GAUGE("pool_clients"), POOL, .put = metrics_of_pool, AT_POOL(clients), .help = "Clients of the pool." },
	{ GAUGE("pool_clients_waiting"), POOL, .put = metrics_of_pool, AT_POOL(waiting), .help = "Clients that wait for a server connection." },
	{ GAUGE("pool_longest_wait_seconds"), SECONDS, POOL, .put = metrics_seconds_of_pool, AT_POOL(longest_wait_us),
	  .help = "How long the client waits that has waited longest." },
	{ GAUGE("pool_servers"), .labels = "database, user, state", .put = metrics_pool_servers,
	  .help = "Server connections: active (lent to a client), idle, cleaning (between two clients), opening." },
	{ GAUGE("pool_servers_limit"), POOL, .put = metrics_of_pool, AT_POOL(limit), .help = "pool_size, once for each host that the pool is at; 0: no limit." },
	{ GAUGE("pool_servers_in_transaction"), POOL, .put = metrics_of_pool, AT_POOL(in_transaction),
	  .help = "Server connections inside a transaction." },
	{ GAUGE("pool_servers_pinned"), POOL, .put = metrics_of_pool, AT_POOL(pinned),
	  .help = "Server connections that a client keeps beyond its transaction, session mode apart." },
	{ GAUGE("pool_servers_tls"), POOL, .put = metrics_of_pool, AT_POOL(tls), .help = "Server connections with TLS." },
	{ GAUGE("pinned_sessions"), .labels = "reason", .put = metrics_pinned,
	  .help = "Clients that keep their server connection, by reason; a client may have several." },
	{ COUNTER("pins"), .labels = "reason", .put = metrics_pins, .help = "How often a client got that reason to keep its server connection." },
	{ COUNTER("routes"), .labels = "decision, reason", .put = metrics_routes,
	  .help = "Where work of databases with replicas went, and why; SHOW ROUTES tells them by database." },

	/* Hosts; the cluster is empty where it is not watched. */
	{ GAUGE("host_connections"), HOST, .put = metrics_host_connections, .help = "Server connections to the host, all pools together." },
	{ GAUGE("host_connections_limit"), HOST, .put = metrics_host_limit, .help = "max_server_conn in force; 0: no limit." },
	{ GAUGE("host_connections_allowed"), HOST, .put = metrics_host_allowed,
	  .help = "Connections that the server allows ordinary roles; 0: not known." },
	{ GAUGE("host_state"), .labels = "cluster, host, state", .put = metrics_host_state,
	  .help = "1 for the state that the host is in, 0 for the others." },
	{ GAUGE("host_lag_seconds"), SECONDS, HOST, .put = metrics_host_lag, .help = "How far a replica was behind at its last measurement." },
	{ GAUGE("host_lag_bytes"), BYTES, HOST, .put = metrics_host_lag_bytes, .help = "What a replica has not replayed." },
	{ GAUGE("host_fresh_age_seconds"), SECONDS, HOST, .put = metrics_host_fresh_age,
	  .help = "Age of what is known to be on the replica, which grows while nothing is measured." },
	{ COUNTER("replica_reads_lost"), .labels = "reason", .put = metrics_reads_lost,
	  .help = "How often a replica has lost its reads, by reason; SHOW HOSTS tells them by host." },
	{ GAUGE("host_timeline"), HOST, .put = metrics_host_timeline, .help = "Timeline of the host." },
	{ GAUGE("cluster_state"), .labels = "cluster, state", .put = metrics_cluster_state,
	  .help = "1 for the state that the cluster is in, 0 for the others." },
	{ GAUGE("cluster_timeline"), .labels = "cluster", .put = metrics_cluster_timeline, .help = "Newest timeline seen." },

	/* Secrets */
	{ GAUGE("secret_age_seconds"), SECONDS, .labels = "secret", .put = metrics_secret_age, .help = "How long the value has been in force." },
	{ GAUGE("secret_read_age_seconds"), SECONDS, .labels = "secret", .put = metrics_secret_read_age,
	  .help = "Time since the last good reading." },
	{ GAUGE("secret_version"), .labels = "secret", .put = metrics_secret_version,
	  .help = "Counts the values seen by this process: it grows with each rotation." },
	{ GAUGE("secret_good"), .labels = "secret", .put = metrics_secret_good, .help = "1 if the last reading brought a value." },
	{ COUNTER("secret_reads"), .labels = "secret, result", .put = metrics_secret_reads, .help = "Readings of the secret, good and failed." },

	/* Backing users */
	{ GAUGE("provision_state"), .labels = "provision, state", .put = metrics_provision_state,
	  .help = "1 for what the last look has found, 0 for the others; none of them before the first look." },
	{ GAUGE("provision_differences"), PROVISION, .put = metrics_provision_differences,
	  .help = "What the server lacks of what is declared." },
	{ GAUGE("provision_extras"), PROVISION, .put = metrics_provision_extras, .help = "Privileges beyond what is declared." },
	{ COUNTER("provision_changes"), PROVISION, .put = metrics_provision_changes, .help = "Steps that were done to bring about what is declared." },
	{ COUNTER("provision_rotations"), .labels = "provision, result", .put = metrics_provision_rotations,
	  .help = "Rotations of the password, good and failed." },
	{ GAUGE("provision_password_age_seconds"), SECONDS, PROVISION, .put = metrics_provision_password_age,
	  .help = "How old the password is, where that is known." },
	{ GAUGE("provision_look_age_seconds"), SECONDS, PROVISION, .put = metrics_provision_look_age, .help = "Time since the last look." },

	/* Workers */
	{ GAUGE("worker_sessions"), .labels = "worker", .put = metrics_of_worker, AT_WORKER(sessions), .help = "Clients of the worker." },
	{ GAUGE("worker_servers"), .labels = "worker", .put = metrics_of_worker, AT_WORKER(servers), .help = "Server connections of the worker." },
	{ COUNTER("worker_cpu_seconds"), SECONDS, .labels = "worker", .put = metrics_seconds_of_worker, AT_WORKER(cpu_us),
	  .help = "CPU time of the worker's thread." },
	{ HISTOGRAM("worker_loop_delay"), .labels = "worker", .put = metrics_loop_delay,
	  .help = "How late the worker came to what was due, measured 20 times a second to within a millisecond." },
};

size_t metrics_slice(struct exposition *to, size_t count)
{
	size_t end = to->first + OWNERS_PER_SLICE;

	to->next = end < count ? end : 0;
	return to->next ? end : count;
}

static void put_slice(struct exposition *to, const struct metric *metric)
{
	if (!to->first)
		exposition_begin(to, metric);
	to->metric = metric;
	to->next = 0;
	metric->put(to, metric);
	to->first = to->next;
	to->row += to->first == 0;
}

bool metrics_put_some(struct exposition *to, size_t most)
{
	static size_t last_size;
	size_t before = to->out.size;

	/* Growing bit by bit would copy and wipe all of it several times over. */
	if (!before)
		buf_reserve(&to->out, last_size + last_size / 8 + 4096);
	while (to->row < ARRAY_LEN(table)) {
		if (to->out.size - before >= most)
			return true;
		put_slice(to, &table[to->row]);
	}
	exposition_end(to);
	last_size = to->out.size;
	return false;
}

/* Whoever lists it, and does not say q=0, takes it. */
bool metrics_wants_open(const char *accept)
{
	static const char type[] = "application/openmetrics-text";
	const char *found = accept ? strstr(accept, type) : NULL;

	if (!found)
		return false;
	const char *end = found + strcspn(found, ",");
	const char *quality = strstr(found, "q=0");

	return !quality || quality > end || strspn(quality + 2, "0.") != strcspn(quality + 2, ",; ");
}

static const char head[] =
	"# Metrics\n\n"
	"At `/metrics` of `http_listen`, in Prometheus' text format, or in OpenMetrics where the Accept header asks for it.\n"
	"With `metrics_per_user = 1` what is counted by database has a label `user` too. Of databases, pools, hosts and\n"
	"secrets `metrics_max_pools` have samples of their own; further databases and pools are added up as `other`.\n\n";

void metrics_describe(FILE *out)
{
	fputs(head, out);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct metric *metric = &table[i];

		fprintf(out, "### %s%s\n\n%s\n\nA %s", metric->name, metric->type == METRIC_COUNTER ? "_total" : "", metric->help,
			metric_type_word(metric->type));
		if (metric->unit)
			fprintf(out, " in %s", metric->unit);
		if (metric->labels)
			fprintf(out, "; labels: %s", metric->labels);
		fputs(".\n\n", out);
	}
}
