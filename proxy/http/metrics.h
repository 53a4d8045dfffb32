/* The table of metrics. */
#ifndef PGWEIR_HTTP_METRICS_H
#define PGWEIR_HTTP_METRICS_H

#include "exposition.h"

/* Appends metrics of to->seen, in either format, until there are `most` bytes more. False: those were the last. */
bool metrics_put_some(struct exposition *to, size_t most);
/* What a row with `count` owners puts now ends before the one that this returns; it begins with to->first. */
size_t metrics_slice(struct exposition *to, size_t count);
/* What a client that sends this Accept header (may be NULL) takes: true for OpenMetrics. */
bool metrics_wants_open(const char *accept);

/* metrics_values.c: what the rows call. */
metric_cb metrics_build_info, metrics_uptime, metrics_start_time, metrics_cpu, metrics_memory, metrics_generation;
metric_cb metrics_draining, metrics_paused;
metric_cb metrics_clients, metrics_clients_limit, metrics_logins_in_progress, metrics_sessions_by_tls;
metric_cb metrics_received, metrics_logins, metrics_login_failures, metrics_cancels;
metric_cb metrics_clients_closed, metrics_servers_closed, metrics_pinned, metrics_pins, metrics_routes;
/* By database, at metric->at of struct observed_pool. */
metric_cb metrics_of_database, metrics_seconds_of_database, metrics_histogram_of_database, metrics_waits_of_database;
metric_cb metrics_queries_of_database;
/* By pool. */
metric_cb metrics_of_pool, metrics_seconds_of_pool, metrics_pool_servers;
metric_cb metrics_of_worker, metrics_seconds_of_worker, metrics_loop_delay;
metric_cb metrics_host_connections, metrics_host_limit, metrics_host_allowed, metrics_host_state, metrics_host_lag;
metric_cb metrics_host_lag_bytes, metrics_host_fresh_age, metrics_host_timeline, metrics_reads_lost, metrics_cluster_state;
metric_cb metrics_cluster_timeline;
metric_cb metrics_provision_state, metrics_provision_differences, metrics_provision_extras, metrics_provision_changes;
metric_cb metrics_provision_rotations, metrics_provision_password_age, metrics_provision_look_age;
metric_cb metrics_secret_age, metrics_secret_read_age, metrics_secret_version, metrics_secret_good, metrics_secret_reads;

#endif
