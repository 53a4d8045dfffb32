/* What /status.json says of clusters and hosts. */
#include <string.h>

#include "history.h"
#include "status_parts.h"

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

void status_put_clusters(struct http_json *json, const struct observation *seen)
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
