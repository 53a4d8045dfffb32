/* The keys of [pgweir]. Names, units and defaults are PgBouncer's where the meaning is the same. */
#include "setting.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

const struct setting_word pool_mode_words[] = {
	{ "session", POOL_MODE_SESSION },
	{ "transaction", POOL_MODE_TRANSACTION },
	{ "statement", POOL_MODE_STATEMENT },
	{ 0 },
};

const struct setting_word state_audit_words[] = {
	{ "off", STATE_AUDIT_OFF },
	{ "auto", STATE_AUDIT_AUTO },
	{ "always", STATE_AUDIT_ALWAYS },
	{ 0 },
};

const struct setting_word state_policy_words[] = {
	{ "pin", STATE_PIN },
	{ "reject", STATE_REJECT },
	{ "ignore", STATE_IGNORE },
	{ 0 },
};

static const struct setting_word auth_type_words[] = {
	{ "trust", AUTH_TYPE_TRUST },
	{ "plain", AUTH_TYPE_PLAIN },
	{ "md5", AUTH_TYPE_MD5 },
	{ "scram-sha-256", AUTH_TYPE_SCRAM_SHA_256 },
	{ "cert", AUTH_TYPE_CERT },
	{ "hba", AUTH_TYPE_HBA },
	{ 0 },
};

static const struct setting_word provision_words[] = {
	{ "off", PROVISION_OFF },
	{ "check", PROVISION_CHECK },
	{ "apply", PROVISION_APPLY },
	{ 0 },
};

static const struct setting_word log_format_words[] = {
	{ "text", LOG_FORMAT_TEXT },
	{ "json", LOG_FORMAT_JSON },
	{ 0 },
};

static const struct setting_word log_level_words[] = {
	{ "debug", LOG_LEVEL_DEBUG },
	{ "info", LOG_LEVEL_INFO },
	{ "warning", LOG_LEVEL_WARNING },
	{ "error", LOG_LEVEL_ERROR },
	{ 0 },
};

const struct setting_word auto_words[] = { { "auto", CONFIG_AUTO }, { 0 } };

const struct setting_word protocol_words[] = {
	{ "secure", 0 },
	{ "tlsv1.2", 0 },
	{ "tlsv1.3", 0 },
	{ 0 },
};

const struct setting settings_pgweir[] = {
	/* Where clients come in */
	{ .name = "listen_addr", AS_LIST(struct config, listen_addr), .default_text = "127.0.0.1",
	  .applies = APPLIES_RESTART,
	  .summary = "Addresses to listen on for TCP connections, comma-separated.",
	  .detail = "`*` is every address of IPv4 and IPv6; empty switches TCP off." },
	{ .name = "listen_port", AS_PORT(struct config, listen_port), .default_text = "6432", .max = 65535,
	  .applies = APPLIES_RESTART,
	  .summary = "Port for TCP connections, also part of the Unix socket's name.",
	  .detail = "0 lets the kernel pick one, which is of use to tests only." },
	{ .name = "listen_backlog", AS_INT(struct config, listen_backlog), .default_text = "128", .min = 1, .max = 65535,
	  .applies = APPLIES_RESTART,
	  .summary = "Connections that the kernel holds until pgweir accepts them." },
	{ .name = "proxy_protocol", AS_BOOL(struct config, proxy_protocol), .default_text = "0",
	  .applies = APPLIES_RESTART,
	  .summary = "Expect a PROXY protocol version 2 header on each TCP connection.",
	  .detail = "Switch it on only behind a load balancer that sends the header: whoever can connect directly could "
	            "otherwise claim any address." },
	{ .name = "unix_socket_dir", AS_PATH(struct config, unix_socket_dir), .default_text = "",
	  .applies = APPLIES_RESTART,
	  .summary = "Folder for the Unix socket; empty: none." },
	{ .name = "unix_socket_mode", AS_MODE(struct config, unix_socket_mode), .default_text = "0777",
	  .applies = APPLIES_RESTART,
	  .summary = "Access mode of the Unix socket, octal." },
	{ .name = "unix_socket_group", AS_TEXT(struct config, unix_socket_group), .applies = APPLIES_RESTART,
	  .summary = "Group that owns the Unix socket." },
	{ .name = "max_client_conn", AS_INT(struct config, max_client_conn), .default_text = "10000", .min = 1,
	  .max = 10000000,
	  .summary = "Client connections allowed in all; more are refused." },
	{ .name = "max_db_client_connections", AS_INT(struct config, max_db_client_connections), .default_text = "0",
	  .summary = "Client connections allowed per database; 0: no limit." },
	{ .name = "max_user_client_connections", AS_INT(struct config, max_user_client_connections), .default_text = "0",
	  .summary = "Client connections allowed per user; 0: no limit." },

	/* Threads */
	{ .name = "threads", AS_INT(struct config, threads), .default_text = "0", .max = 1024, .applies = APPLIES_RESTART,
	  .summary = "Worker threads; 0: one per core." },
	{ .name = "login_threads", AS_INT(struct config, login_threads), .default_text = "0", .max = 1024,
	  .applies = APPLIES_RESTART,
	  .summary = "Threads that compute password proofs; 0: half the cores, at least one." },

	/* Pools */
	{ .name = "pool_mode", AS_ENUM(struct config, pool_mode, pool_mode_words), .default_text = "transaction",
	  .summary = "When a server connection goes back to the pool.",
	  .detail = "`session`: when the client leaves. `transaction`: when its transaction ends. `statement`: after each "
	            "statement; transactions of several statements are refused." },
	{ .name = "default_pool_size", AS_INT(struct config, default_pool_size), .default_text = "20", .min = 1,
	  .max = 100000,
	  .summary = "Server connections per database, user and host, shared by all workers." },
	{ .name = "min_pool_size", AS_INT(struct config, min_pool_size), .default_text = "0", .max = 100000,
	  .summary = "Server connections kept open even when nobody needs them." },
	{ .name = "reserve_pool_size", AS_INT(struct config, reserve_pool_size), .default_text = "0", .max = 100000,
	  .summary = "Further server connections for clients that have waited for reserve_pool_timeout." },
	{ .name = "reserve_pool_timeout", AS_DURATION(struct config, reserve_pool_timeout_ms), .default_text = "5s",
	  .summary = "How long a client waits before the reserve is used; 0: it is not used." },
	{ .name = "max_db_connections", AS_INT(struct config, max_db_connections), .default_text = "0",
	  .summary = "Server connections per database, whoever the user is; 0: no limit.",
	  .detail = "Not counted, here and in the other limits, are the connections that LISTEN for clients in transaction mode, at "
	            "most one per database and role (SHOW LISTENERS): the server must have room for them beside." },
	{ .name = "max_user_connections", AS_INT(struct config, max_user_connections), .default_text = "0",
	  .summary = "Server connections per user, whatever the database; 0: no limit." },
	{ .name = "max_server_conn", AS_INT(struct config, max_server_conn), .default_text = "auto", .words = auto_words,
	  .summary = "Server connections per host, all pools together; 0: no limit.",
	  .detail = "`auto`: what the server allows (max_connections less its reserved ones, and a twentieth, at least two, for "
	            "people), divided by fleet_size. The server is asked by the first login, and once a minute later on. Where "
	            "the limit is reached, what has been idle longest makes room, whichever pool it is in." },
	{ .name = "fleet_size", AS_INT(struct config, fleet_size), .default_text = "1", .min = 1, .max = 10000,
	  .summary = "Instances of pgweir that share these servers." },
	{ .name = "max_prepared_statements", AS_INT(struct config, max_prepared_statements), .default_text = "200",
	  .max = 1000000,
	  .summary = "Prepared statements kept per server connection; the least recently used goes first.",
	  .detail = "0: names are not tracked, and named prepared statements work in session mode only." },
	{ .name = "server_reset_query", AS_TEXT(struct config, server_reset_query), .default_text = "DISCARD ALL",
	  .applies = APPLIES_RELOAD,
	  .summary = "Sent when a server connection goes back to a pool in session mode; empty: nothing.",
	  .detail = "In the other modes it is sent where a client has left state behind; `DISCARD ALL` if it is empty. What no such query "
	            "takes away is the name of a custom setting (`app.tenant`): in session mode the next client finds it set to ''." },
	{ .name = "server_check_query", AS_TEXT(struct config, server_check_query), .default_text = "select 1",
	  .summary = "Sent to see whether an idle server connection is alive; empty: no check.",
	  .detail = "`<empty>` sends an empty query. See server_check_delay." },
	{ .name = "server_check_delay", AS_DURATION(struct config, server_check_delay_ms), .default_text = "30s",
	  .summary = "A server connection used this recently is taken to be alive." },
	{ .name = "state_audit", AS_ENUM(struct config, state_audit, state_audit_words), .default_text = "auto",
	  .summary = "Whether a server connection is searched for leftovers before others get it.",
	  .detail = "In transaction mode, for what functions do and the client's text does not show. `auto`: after transactions "
	            "that ran DO or CALL, or called a function whose body, read from the server's catalog, may leave state "
	            "behind. `always`: after each. `off`: never." },
	{ .name = "temporary_tables", AS_ENUM(struct config, state_policy[STATE_TEMPORARY_TABLES], state_policy_words),
	  .default_text = "pin",
	  .summary = "Temporary tables, and whatever else lies in the temporary schema, that outlive their transaction.",
	  .detail = "`pin`: the client keeps its server connection until it is gone. `reject`: an error. `ignore`: nobody "
	            "looks, and the next client may meet it." },
	{ .name = "advisory_locks", AS_ENUM(struct config, state_policy[STATE_ADVISORY_LOCKS], state_policy_words),
	  .default_text = "pin",
	  .summary = "Advisory locks of the session (pg_advisory_lock and its like).",
	  .detail = "`pin`: the client keeps its server connection until it is gone. `reject`: an error. `ignore`: nobody "
	            "looks, and the next client may meet it." },
	{ .name = "hold_cursors", AS_ENUM(struct config, state_policy[STATE_HOLD_CURSORS], state_policy_words),
	  .default_text = "pin",
	  .summary = "Cursors declared WITH HOLD.",
	  .detail = "`pin`: the client keeps its server connection until it is gone. `reject`: an error. `ignore`: nobody "
	            "looks, and the next client may meet it." },
	{ .name = "loaded_libraries", AS_ENUM(struct config, state_policy[STATE_LOADED_LIBRARIES], state_policy_words),
	  .default_text = "pin",
	  .summary = "LOAD.",
	  .detail = "`pin`: the client keeps its server connection until it is gone. `reject`: an error. `ignore`: nobody "
	            "looks, and the next client may meet it." },
	{ .name = "random_seed", AS_ENUM(struct config, state_policy[STATE_RANDOM_SEED], state_policy_words),
	  .default_text = "pin",
	  .summary = "setseed() and SET SEED.",
	  .detail = "`pin`: the client keeps its server connection until it is gone. `reject`: an error. `ignore`: nobody "
	            "looks, and the next client may meet it." },
	{ .name = "custom_settings", AS_ENUM(struct config, state_policy[STATE_CUSTOM_SETTINGS], state_policy_words),
	  .default_text = "pin",
	  .summary = "Settings with a dot in their names, such as app.tenant.",
	  .detail = "They follow the client in any case. `pin`: a server connection that knows one answers an empty value for it "
	            "instead of NULL, and is therefore lent only to clients that have set it. `ignore`: to anybody, and names that "
	            "are computed do not pin. `reject`: an error." },
	{ .name = "application_name", AS_TEXT(struct config, application_name), .default_text = "",
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "application_name of server connections whose client has not set one; empty: none, as without a proxy." },

	/* Logging in */
	{ .name = "auth_type", AS_ENUM(struct config, auth_type, auth_type_words), .default_text = "scram-sha-256",
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "How clients prove who they are.",
	  .detail = "`hba` reads it from auth_hba_file. `cert` takes the certificate's common name and needs "
	            "client_tls_sslmode = verify-ca or verify-full. `trust` asks for nothing." },
	{ .name = "auth_file", AS_PATH(struct config, auth_file), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Users and passwords, one `\"user\" \"password\"` per line, as PgBouncer's.",
	  .detail = "A password is plain, `md5…` or `SCRAM-SHA-256$…`." },
	{ .name = "auth_hba_file", AS_PATH(struct config, auth_hba_file), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Rules in the form of pg_hba.conf, for auth_type = hba.",
	  .detail = "Each line means what it means to PostgreSQL, or is refused: names of hosts, samehost, samenet, hostgssenc, `+role`, "
	            "samerole, `@file`, include, regular expressions, and methods other than trust, reject, password, md5, "
	            "scram-sha-256, cert and peer." },
	{ .name = "auth_ident_file", AS_PATH(struct config, auth_ident_file), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "User name maps in the form of pg_ident.conf." },
	{ .name = "auth_user", AS_TEXT(struct config, auth_user), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "User that runs auth_query for clients that auth_file does not know." },
	{ .name = "auth_query", AS_TEXT(struct config, auth_query),
	  .default_text = "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END FROM pg_authid "
	                  "WHERE rolname = $1 AND rolcanlogin",
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Query that yields user and password for the name in `$1`." },
	{ .name = "auth_dbname", AS_TEXT(struct config, auth_dbname), .applies = APPLIES_NEW_CONNECTIONS,
	  .inherits = "the client's database",
	  .summary = "Database in which auth_query runs." },
	{ .name = "auth_plain_without_tls", AS_BOOL(struct config, auth_plain_without_tls), .default_text = "0",
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Allow passwords in clear text over connections without TLS." },
	{ .name = "admin_users", AS_LIST(struct config, admin_users), .default_text = "",
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Users who may run every command of the admin console, comma-separated." },
	{ .name = "stats_users", AS_LIST(struct config, stats_users), .default_text = "",
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Users who may look at the admin console, comma-separated." },

	/* TLS towards clients */
	{ .name = "client_tls_sslmode", AS_ENUM(struct config, client_tls.sslmode, sslmode_words),
	  .default_text = "disable", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "TLS towards clients.",
	  .detail = "`allow` and `prefer`: clients may use it. `require`: they must. `verify-ca` and `verify-full`: they must "
	            "show a certificate that client_tls_ca_file signed." },
	{ .name = "client_tls_cert_file", AS_PATH(struct config, client_tls.cert_file), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Certificate shown to clients, with its chain." },
	{ .name = "client_tls_key_file", AS_PATH(struct config, client_tls.key_file), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Private key of client_tls_cert_file." },
	{ .name = "client_tls_key_secret", AS_TEXT(struct config, client_tls.key_secret), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Name of the [secret] with the passphrase of client_tls_key_file.",
	  .detail = "For a key that is encrypted. A key that has got another passphrase is taken when the secret changes, and by "
	            "RELOAD." },
	{ .name = "client_tls_ca_file", AS_PATH(struct config, client_tls.ca_file), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Certificates that sign those of clients." },
	{ .name = "client_tls_protocols", AS_LIST(struct config, client_tls.protocols), .default_text = "secure",
	  .words = protocol_words, .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "TLS versions offered to clients, comma-separated.",
	  .detail = "`secure` is tlsv1.2,tlsv1.3. Older ones are not offered." },
	{ .name = "client_tls_ciphers", AS_TEXT(struct config, client_tls.ciphers), .applies = APPLIES_NEW_CONNECTIONS,
	  .inherits = "OpenSSL's default",
	  .summary = "Ciphers for TLS 1.2 towards clients, in OpenSSL's form." },
	{ .name = "client_tls13_ciphers", AS_TEXT(struct config, client_tls.ciphers13),
	  .applies = APPLIES_NEW_CONNECTIONS, .inherits = "OpenSSL's default",
	  .summary = "Cipher suites for TLS 1.3 towards clients." },

	/* TLS towards servers */
	{ .name = "server_tls_sslmode", AS_ENUM(struct config, server_tls.sslmode, sslmode_words),
	  .default_text = "prefer", .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "TLS towards servers, as libpq's sslmode.",
	  .detail = "Where it is not set anywhere, hosts named *.rds.amazonaws.com and databases reached with an rds-iam "
	            "secret get verify-full." },
	{ .name = "server_tls_ca_file", AS_PATH(struct config, server_tls.ca_file), .applies = APPLIES_NEW_CONNECTIONS,
	  .inherits = "the system's certificates",
	  .summary = "Certificates that sign those of servers." },
	{ .name = "server_tls_cert_file", AS_PATH(struct config, server_tls.cert_file), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Certificate shown to servers." },
	{ .name = "server_tls_key_file", AS_PATH(struct config, server_tls.key_file), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Private key of server_tls_cert_file." },
	{ .name = "server_tls_key_secret", AS_TEXT(struct config, server_tls.key_secret), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Name of the [secret] with the passphrase of server_tls_key_file.",
	  .detail = "For a key that is encrypted. A key that has got another passphrase is taken when the secret changes, and by "
	            "RELOAD." },
	{ .name = "server_tls_protocols", AS_LIST(struct config, server_tls.protocols), .default_text = "secure",
	  .words = protocol_words, .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "TLS versions offered to servers, comma-separated." },
	{ .name = "server_tls_ciphers", AS_TEXT(struct config, server_tls.ciphers), .applies = APPLIES_NEW_CONNECTIONS,
	  .inherits = "OpenSSL's default",
	  .summary = "Ciphers for TLS 1.2 towards servers, in OpenSSL's form." },
	{ .name = "server_tls13_ciphers", AS_TEXT(struct config, server_tls.ciphers13),
	  .applies = APPLIES_NEW_CONNECTIONS, .inherits = "OpenSSL's default",
	  .summary = "Cipher suites for TLS 1.3 towards servers." },

	/* Timeouts */
	{ .name = "server_lifetime", AS_DURATION(struct config, server_lifetime_ms), .default_text = "1h",
	  .summary = "An unused server connection older than this is closed.",
	  .detail = "With jitter, so that connections opened together are not closed together." },
	{ .name = "server_idle_timeout", AS_DURATION(struct config, server_idle_timeout_ms), .default_text = "10min",
	  .summary = "A server connection that nobody used for this long is closed." },
	{ .name = "server_connect_timeout", AS_DURATION(struct config, server_connect_timeout_ms), .default_text = "15s",
	  .summary = "A server connection that is not logged in within this time is given up." },
	{ .name = "server_login_retry", AS_DURATION(struct config, server_login_retry_ms), .default_text = "1s",
	  .summary = "Pause after a failed connection or login before the next attempt." },
	{ .name = "query_wait_timeout", AS_DURATION(struct config, query_wait_timeout_ms), .default_text = "120s",
	  .summary = "How long a client waits for a server connection, also during a failover." },
	{ .name = "query_timeout", AS_DURATION(struct config, query_timeout_ms), .default_text = "0",
	  .summary = "A query that runs longer is cancelled, and its client disconnected." },
	{ .name = "transaction_timeout", AS_DURATION(struct config, transaction_timeout_ms), .default_text = "0",
	  .summary = "A transaction that lasts longer is rolled back, and its client disconnected." },
	{ .name = "idle_transaction_timeout", AS_DURATION(struct config, idle_transaction_timeout_ms),
	  .default_text = "0",
	  .summary = "A client that is idle in a transaction for this long is disconnected." },
	{ .name = "client_idle_timeout", AS_DURATION(struct config, client_idle_timeout_ms), .default_text = "0",
	  .summary = "A client that is idle outside a transaction for this long is disconnected." },
	{ .name = "client_login_timeout", AS_DURATION(struct config, client_login_timeout_ms), .default_text = "60s",
	  .summary = "A client that is not logged in within this time is disconnected." },
	{ .name = "cancel_wait_timeout", AS_DURATION(struct config, cancel_wait_timeout_ms), .default_text = "10s",
	  .summary = "How long a cancel request waits for a connection to its server." },
	{ .name = "drain_delay", AS_DURATION(struct config, drain_delay_ms), .default_text = "5s",
	  .summary = "After SIGTERM: how long clients are still accepted while health checks already fail." },
	{ .name = "drain_timeout", AS_DURATION(struct config, drain_timeout_ms), .default_text = "25s",
	  .summary = "After SIGTERM: everything has ended by then.",
	  .detail = "What still runs is cancelled, for which pgweir stays up to a second longer." },
	{ .name = "dns_max_ttl", AS_DURATION(struct config, dns_max_ttl_ms), .default_text = "15s",
	  .summary = "How long the addresses of a host name are remembered.",
	  .detail = "Each login resolves the name it connects to. Of hosts that are probed the name is resolved again this often: "
	            "when it leads elsewhere, connections to where it led are replaced. 0: they are not." },

	/* TCP */
	{ .name = "tcp_keepalive", AS_BOOL(struct config, tcp_keepalive), .default_text = "1",
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "TCP keepalive on all connections." },
	{ .name = "tcp_keepcnt", AS_INT(struct config, tcp_keepcnt), .default_text = "0", .max = 127,
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Keepalive probes before a connection counts as lost; 0: the system's." },
	{ .name = "tcp_keepidle", AS_INT(struct config, tcp_keepidle), .default_text = "0", .max = 32767,
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Seconds of silence before the first keepalive probe; 0: the system's." },
	{ .name = "tcp_keepintvl", AS_INT(struct config, tcp_keepintvl), .default_text = "0", .max = 32767,
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Seconds between keepalive probes; 0: the system's." },
	{ .name = "tcp_user_timeout", AS_INT(struct config, tcp_user_timeout), .default_text = "0",
	  .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Milliseconds that sent bytes may go unacknowledged; 0: the system's." },
	{ .name = "tcp_defer_accept", AS_INT(struct config, tcp_defer_accept), .default_text = "0", .max = 32767,
	  .applies = APPLIES_RESTART,
	  .summary = "Seconds that the kernel holds a new connection back until it has sent something; 0: off." },

	/* What others see of it */
	{ .name = "http_listen", AS_ADDRESS(struct config, http_listen), .default_text = "", .applies = APPLIES_RESTART,
	  .summary = "host:port for /metrics, health and the status page; empty: off." },
	{ .name = "health_listen", AS_ADDRESS(struct config, health_listen), .default_text = "",
	  .applies = APPLIES_RESTART,
	  .summary = "host:port for /healthz and /readyz only; empty: off." },
	{ .name = "http_user", AS_TEXT(struct config, http_user),
	  .summary = "User name that http_listen asks for (basic authentication).",
	  .detail = "Together with http_password. The name and the password cross the network as they are: without TLS in front "
	            "of it they protect from mistakes only. health_listen asks for nothing." },
	{ .name = "http_password", AS_TEXT(struct config, http_password), .secret = true,
	  .summary = "Password that http_listen asks for." },
	{ .name = "metrics_max_pools", AS_INT(struct config, metrics_max_pools), .default_text = "200", .min = 1, .max = 10000,
	  .summary = "Pools, databases, hosts and secrets that have metrics of their own; further ones count as \"other\".",
	  .detail = "The first ones that are used keep theirs as long as the process runs." },
	{ .name = "metrics_per_user", AS_BOOL(struct config, metrics_per_user), .default_text = "0", .applies = APPLIES_RESTART,
	  .summary = "Count and time queries by database and user instead of by database." },
	{ .name = "logfile", AS_PATH(struct config, logfile), .inherits = "standard error",
	  .summary = "File that the log is appended to.",
	  .detail = "Lines that standard error takes to systemd's journal begin with their priority (journalctl -p)." },
	{ .name = "pidfile", AS_PATH(struct config, pidfile), .applies = APPLIES_RESTART,
	  .summary = "File that holds the process's number while it runs." },
	{ .name = "state_dir", AS_PATH(struct config, state_dir), .default_text = "",
	  .summary = "Folder for what must not be forgotten over a restart; empty: nothing is kept.",
	  .detail = "For each cluster with a probe_user a small file with its system identifier and the newest timeline seen, so "
	            "that an old primary gets no writes after a restart of pgweir either. The folder must be there and writable." },
	{ .name = "log_format", AS_ENUM(struct config, log_format, log_format_words), .default_text = "text",
	  .summary = "Form of the log's lines." },
	{ .name = "log_level", AS_ENUM(struct config, log_level, log_level_words), .default_text = "info",
	  .summary = "What is logged: this and whatever is graver." },
	{ .name = "log_connections", AS_BOOL(struct config, log_connections), .default_text = "1",
	  .summary = "Log each successful login." },
	{ .name = "log_disconnections", AS_BOOL(struct config, log_disconnections), .default_text = "1",
	  .summary = "Log the end of each connection with its reason." },
	{ .name = "log_pooler_errors", AS_BOOL(struct config, log_pooler_errors), .default_text = "1",
	  .summary = "Log the errors that pgweir itself sends to clients." },
	{ .name = "provision", AS_ENUM(struct config, provision, provision_words), .default_text = "off",
	  .summary = "What the running process does about [provision] sections: nothing, report drift, or mend and rotate." },
	{ .name = "provision_interval", AS_DURATION(struct config, provision_interval_ms), .default_text = "5min", .min = SECOND,
	  .max = 24 * HOUR,
	  .summary = "Time between two looks at [provision] sections." },
	{ .name = "stats_period", AS_DURATION(struct config, stats_period_ms), .default_text = "60s", .min = SECOND,
	  .max = 24 * HOUR,
	  .summary = "Period over which the averages of SHOW STATS are taken and logged." },
	{ .name = "peer_id", AS_UINT(struct config, peer_id), .default_text = "0", .max = CONFIG_PEER_ID_MAX,
	  .applies = APPLIES_RESTART,
	  .summary = "This instance's number among the [peers]; 0: it has none.",
	  .detail = "Needed where several instances share one address, so that a cancel request that arrives at the wrong "
	            "one is passed on." },
};
const size_t settings_pgweir_count = ARRAY_LEN(settings_pgweir);
