/* Keys of PgBouncer's, 1.18 to 1.25, that have no counterpart of their name, and why. */
#include <string.h>
#include <strings.h>

#include "pgweir/config_absent.h"
#include "pgweir/mem.h"

static const struct config_absent keys[] = {
	{ "pgweir", "user", "pgweir stays the user that starts it: User= of the systemd unit", false },
	{ "pgweir", "conffile", "the file is the one of -c", false },
	{ "pgweir", "service_name", "services of Windows only", false },
	{ "pgweir", "job_name", "services of Windows only", false },
	{ "pgweir", "server_round_robin",
		"the connection that was used last is used first, so that a small pool stays small", false },
	{ "pgweir", "ignore_startup_parameters",
		"startup parameters are taken, and follow the client; none has to be ignored", false },
	{ "pgweir", "track_extra_parameters", "all settings follow the client, not only those that are listed", false },
	{ "pgweir", "disable_pqexec", "simple queries cannot be refused", true },
	{ "pgweir", "application_name_add_host", "application_name stays the client's; SHOW CLIENTS has addresses", true },
	{ "pgweir", "scram_iterations", "pgweir makes no verifiers; the server's setting of that name counts", false },
	{ "pgweir", "auth_ldap_options", "there is no LDAP here", true },
	{ "pgweir", "syslog", "the log goes to standard error, for systemd's journal to take, or to logfile", true },
	{ "pgweir", "syslog_ident", "see syslog", false },
	{ "pgweir", "syslog_facility", "see syslog", false },
	{ "pgweir", "log_stats", "numbers are in SHOW STATS and in the metrics, not in the log", false },
	{ "pgweir", "server_reset_query_always",
		"settings and prepared statements follow the client, and what cannot keeps its server connection: "
		"nothing is left to reset", false },
	{ "pgweir", "server_fast_close", "RECONNECT replaces connections as they become free", false },
	{ "pgweir", "autodb_idle_timeout", "a database served by [database *] costs nothing while nobody uses it", false },
	{ "pgweir", "dns_nxdomain_ttl", "a name that is not found is looked up again with the next connection", false },
	{ "pgweir", "dns_zone_check_period", "names are looked up again after dns_max_ttl", false },
	{ "pgweir", "resolv_conf", "the system's resolver is used, with the system's configuration", false },
	{ "pgweir", "client_tls_ecdhcurve", "OpenSSL's choice", false },
	{ "pgweir", "client_tls_dheparams", "OpenSSL's choice", false },
	{ "pgweir", "suspend_timeout",
		"there is no SUSPEND; a new process takes over with PAUSE, or behind a load balancer", false },
	{ "pgweir", "query_wait_notify", "clients that wait are not told; SHOW POOLS and the metrics have them", false },
	{ "pgweir", "pkt_buf", "buffers are of a fixed size, and belong to threads, not to connections", false },
	{ "pgweir", "max_packet_size", "large messages pass through without being held", false },
	{ "pgweir", "sbuf_loopcnt", "the turns of connections are bounded anyway", false },
	{ "pgweir", "so_reuseport", "one process has several threads: see threads", false },
	{ "pgweir", "tcp_socket_buffer", "the system's sizes are used", false },
	{ "pgweir", "verbose", "log_level says what is logged", false },
	{ "database", "load_balance_hosts",
		"writes go to the primary of the [cluster]; reads may go to its replicas: see routing", false },
	{ "database", "target_session_attrs", "which host is the primary is found out: see routing", false },
	{ "database", "client_encoding",
		"clients keep their own; where the server's default is meant: ALTER DATABASE … SET client_encoding", true },
	{ "database", "datestyle",
		"clients keep their own; where the server's default is meant: ALTER DATABASE … SET datestyle", true },
	{ "database", "timezone",
		"clients keep their own; where the server's default is meant: ALTER DATABASE … SET timezone", true },
	{ "database", "application_name",
		"application_name stays the client's; for clients without one set it in [pgweir]", true },
	{ "database", "reserve_pool", "it is reserve_pool_size here", false },
	{ "user", "reserve_pool_size", "belongs to databases: set it in [database] or [pgweir]", true },
	{ "user", "query_wait_timeout", "belongs to databases: set it in [database] or [pgweir]", true },
	{ "peers", "pool_size", "cancel requests to peers are not limited in number", false },
};

const struct config_absent *config_absent_find(const char *section, const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(keys[i].section, section) == 0 && strcasecmp(keys[i].key, key) == 0)
			return &keys[i];
	return NULL;
}
