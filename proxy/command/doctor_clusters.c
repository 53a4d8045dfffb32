/* What the hosts of a cluster are together: roles, and room for the pools. */
#include <string.h>

#include "doctor_servers.h"

void doctor_judge_roles(const struct doctor_cluster *report, const char *where)
{
	size_t answered = 0, primaries = 0;
	const char *system = NULL;
	bool strangers = false;

	for (size_t i = 0; i < report->cluster->host_count; i++) {
		const struct doctor_host *host = &report->hosts[i];

		answered += host->answered;
		primaries += host->answered && !host->in_recovery;
		strangers = strangers || (system && host->system && strcmp(system, host->system) != 0);
		system = host->system ? host->system : system;
	}
	if (strangers)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "put them into clusters of their own",
			"its hosts have different system identifiers: they are not copies of one another");
	if (answered && !primaries)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "promote one, or add the primary to hosts",
			"no host takes writes: all that answer are replicas");
	if (primaries > 1)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "stop the one that is out of date before it is written to",
			"%zu hosts take writes", primaries);
	if (report->cluster->host_count > 1 && !report->cluster->probe_user)
		doctor_say(report->doctor, DOCTOR_NOTE, where, "set probe_user (docs/routing.md)",
			"nobody watches its hosts: no reads on replicas, and a failover is found by failing connections");
}

static long long wanted_by_pools(const struct config *config, const struct config_cluster *cluster)
{
	long long wanted = 0;

	for (size_t i = 0; i < config->database_count; i++) {
		const struct config_database *database = &config->databases[i];
		struct config_limits limits;

		if (database->cluster != cluster)
			continue;
		config_limits(config, database, NULL, &limits);
		wanted += limits.pool_size + limits.reserve_pool_size;
	}
	return wanted * config->fleet_size;
}

void doctor_judge_limits(const struct doctor_cluster *report, const char *where)
{
	const struct config *config = report->config;
	long long wanted = wanted_by_pools(config, report->cluster), most = report->cluster->max_server_conn, usable = 0;

	for (size_t i = 0; i < report->cluster->host_count; i++)
		if (report->hosts[i].answered && (!usable || report->hosts[i].usable < usable))
			usable = report->hosts[i].usable;
	if (!usable)
		return;
	if (most > 0 && most * config->fleet_size > usable)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "set max_server_conn = auto, or raise max_connections",
			"max_server_conn allows %lld connections by %d instances, the smallest host has %lld", most, config->fleet_size, usable);
	else if (most == 0 && wanted > usable)
		doctor_say(report->doctor, DOCTOR_WRONG, where, "set max_server_conn = auto, or lower pool_size",
			"its pools may open %lld connections with one user each, the smallest host has %lld", wanted, usable);
	else if (wanted > usable)
		doctor_say(report->doctor, DOCTOR_NOTE, where, "lower pool_size where it is not needed",
			"its pools together want %lld connections with one user each, the smallest host has %lld: clients may wait", wanted,
			usable);
	else
		doctor_say(report->doctor, DOCTOR_GOOD, where, NULL, "pools for one user each need %lld of %lld connections", wanted,
			usable);
}
