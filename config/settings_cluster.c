/* The keys of [cluster NAME]. */
#include "setting.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static const struct setting_word lag_source_words[] = {
	{ "auto", 0 },
	{ "streaming", 0 },
	{ "aurora", 0 },
	{ 0 },
};

const struct setting settings_cluster[] = {
	{ .name = "hosts", .type = SETTING_HOSTS, .offset = FIELD(struct config_cluster, hosts, struct config_host *),
	  .summary = "The nodes, comma-separated, as host, host:port or host:port*weight; must be set.",
	  .detail = "Which one is the primary is found out, not written down. An IPv6 address with a port goes in brackets, "
	            "a name that starts with `/` is the folder of a Unix socket. The port is 5432 and the weight 1 where they "
	            "are left out; a host of weight 2 gets twice the reads of a host of weight 1, "
	            "one of weight 0 none." },
	{ .name = "max_server_conn", AS_INT(struct config_cluster, max_server_conn), .words = auto_words,
	  .inherits = "[pgweir] max_server_conn",
	  .summary = "Server connections per host, all pools together; 0: no limit." },
	{ .name = "probe_user", AS_TEXT(struct config_cluster, probe_user),
	  .summary = "User who watches the hosts. Without one, hosts are judged by connections alone.",
	  .detail = "Needs no more than membership in pg_monitor." },
	{ .name = "probe_password", AS_TEXT(struct config_cluster, probe_password), .secret = true,
	  .summary = "Password of probe_user." },
	{ .name = "probe_secret", AS_TEXT(struct config_cluster, probe_secret),
	  .summary = "Name of the [secret] with the login of probe_user." },
	{ .name = "probe_dbname", AS_TEXT(struct config_cluster, probe_dbname), .default_text = "postgres",
	  .summary = "Database that probes connect to." },
	{ .name = "probe_interval", AS_DURATION(struct config_cluster, probe_interval_ms), .default_text = "250ms",
	  .min = 10, .max = HOUR,
	  .summary = "Time between two looks at a host.",
	  .detail = "While something is not as it should be (a host that says something else than before, a login that failed, a "
	            "primary that refuses to write, no primary for up to a minute) hosts are looked at five times as often. One that "
	            "is down is tried less and less often, at least every two seconds." },
	{ .name = "probe_failures", AS_INT(struct config_cluster, probe_failures), .default_text = "3", .min = 1,
	  .max = 1000,
	  .summary = "Probes in a row that must agree before a host counts as changed." },
	{ .name = "max_lag", AS_DURATION(struct config_cluster, max_lag_ms), .default_text = "10s",
	  .summary = "A replica further behind than this gets no reads; 0: no limit." },
	{ .name = "max_lag_bytes", AS_SIZE(struct config_cluster, max_lag_bytes), .default_text = "0",
	  .summary = "A replica that has more than this still to replay gets no reads; 0: no limit." },
	{ .name = "lag_source", AS_WORD(struct config_cluster, lag_source, lag_source_words), .default_text = "auto",
	  .summary = "How replicas are measured; `auto` sees for itself whether it is Aurora." },
	{ .name = "topology_query", AS_TEXT(struct config_cluster, topology_query),
	  .summary = "Query that finds the nodes, instead of aurora_replica_status()." },
	{ .name = "admin_user", AS_TEXT(struct config_cluster, admin_user),
	  .summary = "User for provisioning and rotation; used for nothing else." },
	{ .name = "admin_password", AS_TEXT(struct config_cluster, admin_password), .secret = true,
	  .summary = "Password of admin_user." },
	{ .name = "admin_secret", AS_TEXT(struct config_cluster, admin_secret),
	  .summary = "Name of the [secret] with the login of admin_user." },
	{ .name = "server_tls_sslmode", AS_ENUM(struct config_cluster, server_tls.sslmode, sslmode_words),
	  .inherits = "[pgweir] server_tls_sslmode", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "TLS towards these servers, as libpq's sslmode." },
	{ .name = "server_tls_ca_file", AS_PATH(struct config_cluster, server_tls.ca_file),
	  .inherits = "[pgweir] server_tls_ca_file", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Certificates that sign those of these servers." },
	{ .name = "server_tls_cert_file", AS_PATH(struct config_cluster, server_tls.cert_file),
	  .inherits = "[pgweir] server_tls_cert_file", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Certificate shown to these servers." },
	{ .name = "server_tls_key_file", AS_PATH(struct config_cluster, server_tls.key_file),
	  .inherits = "[pgweir] server_tls_key_file", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Private key of server_tls_cert_file." },
	{ .name = "server_tls_key_secret", AS_TEXT(struct config_cluster, server_tls.key_secret),
	  .inherits = "[pgweir] server_tls_key_secret", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Name of the [secret] with the passphrase of server_tls_key_file." },
	{ .name = "server_tls_protocols", AS_LIST(struct config_cluster, server_tls.protocols), .words = protocol_words,
	  .inherits = "[pgweir] server_tls_protocols", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "TLS versions offered to these servers, comma-separated." },
	{ .name = "server_tls_ciphers", AS_TEXT(struct config_cluster, server_tls.ciphers),
	  .inherits = "[pgweir] server_tls_ciphers", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Ciphers for TLS 1.2 towards these servers." },
	{ .name = "server_tls13_ciphers", AS_TEXT(struct config_cluster, server_tls.ciphers13),
	  .inherits = "[pgweir] server_tls13_ciphers", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Cipher suites for TLS 1.3 towards these servers." },
};
const size_t settings_cluster_count = ARRAY_LEN(settings_cluster);
