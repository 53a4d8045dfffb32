/* The configuration as an immutable snapshot.
 *
 * config_load() reads pgweir.ini (and what it includes) against the settings table of settings.h and yields a
 * snapshot, or all errors at once. The control plane publishes a snapshot; others hold references. Nothing in a
 * snapshot ever changes. Times are milliseconds; 0 switches a timeout off, as in PgBouncer. Text fields are never
 * NULL where the setting has a default; optional ones are NULL when not set. */
#ifndef PGWEIR_CONFIG_H
#define PGWEIR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pgweir/check.h"
#include "pgweir/log.h"

enum pool_mode { POOL_MODE_SESSION, POOL_MODE_TRANSACTION, POOL_MODE_STATEMENT };
enum auth_type { AUTH_TYPE_TRUST, AUTH_TYPE_PLAIN, AUTH_TYPE_MD5, AUTH_TYPE_SCRAM_SHA_256, AUTH_TYPE_CERT, AUTH_TYPE_HBA };
enum sslmode { SSLMODE_DISABLE, SSLMODE_ALLOW, SSLMODE_PREFER, SSLMODE_REQUIRE, SSLMODE_VERIFY_CA, SSLMODE_VERIFY_FULL };
enum routing_mode { ROUTING_PRIMARY, ROUTING_REPLICA, ROUTING_PREFER_REPLICA, ROUTING_AUTO };
enum read_your_writes { READ_YOUR_WRITES_OFF, READ_YOUR_WRITES_SESSION, READ_YOUR_WRITES_DATABASE };
/* What pgweir does with state that cannot follow a client in transaction mode, and the kinds of it. */
enum state_policy { STATE_PIN, STATE_REJECT, STATE_IGNORE };
enum state_kind {
	STATE_TEMPORARY_TABLES,
	STATE_ADVISORY_LOCKS,
	STATE_HOLD_CURSORS,
	STATE_LOADED_LIBRARIES,
	STATE_RANDOM_SEED,
	STATE_CUSTOM_SETTINGS,
	STATE_KIND_COUNT,
};
enum state_audit { STATE_AUDIT_OFF, STATE_AUDIT_AUTO, STATE_AUDIT_ALWAYS };
enum secret_format { SECRET_FORMAT_PLAIN, SECRET_FORMAT_JSON };
enum provision_profile {
	PROVISION_PROFILE_NONE,
	PROVISION_PROFILE_READ_ONLY,
	PROVISION_PROFILE_READ_WRITE,
	PROVISION_PROFILE_OWNER,
	PROVISION_PROFILE_MONITORING,
	PROVISION_PROFILE_REPLICATION,
};
enum provision_mode { PROVISION_OFF, PROVISION_CHECK, PROVISION_APPLY };
enum provision_strategy { PROVISION_STRATEGY_SINGLE, PROVISION_STRATEGY_ALTERNATING };
enum provision_extra { PROVISION_EXTRA_REPORT, PROVISION_EXTRA_REVOKE };

enum { CONFIG_INHERIT = -1, CONFIG_AUTO = -1, CONFIG_PEER_ID_MAX = 16383 };

struct config_tls {
	enum sslmode sslmode;
	char *ca_file, *cert_file, *key_file;     /* Each may be NULL. */
	char *key_secret;                          /* The [secret] with the passphrase of key_file, or NULL. */
	char *ciphers, *ciphers13;                 /* NULL: OpenSSL's defaults. */
	char *protocols;                           /* PgBouncer's form, e.g. "tlsv1.2,tlsv1.3"; default "secure". */
};

struct config_host {
	char *host;                                 /* A name, an address, or a socket's folder (starts with '/' or '@'). */
	uint16_t port;
	unsigned weight;                            /* 1 unless written as host:port*weight; 0: no reads. */
};

struct config_cluster {
	char *name;
	struct config_host *hosts;
	size_t host_count;
	struct config_tls server_tls;              /* Merged with [pgweir]'s. */
	int max_server_conn;                        /* Per host. CONFIG_AUTO: what the server allows less a reserve, by fleet_size. */
	char *probe_user, *probe_password, *probe_secret;
	char *probe_dbname;
	uint64_t probe_interval_ms;
	int probe_failures;
	uint64_t max_lag_ms;
	uint64_t max_lag_bytes;
	char *lag_source, *topology_query;
	char *admin_user, *admin_password, *admin_secret;
	bool implicit;                              /* Made from a [database]'s host = …, not from a [cluster] section. */
};

struct config_user {
	char *name;
	char *password;                             /* Towards the server: plain, md5… or SCRAM-SHA-256$…; NULL if not set. */
	char *secret;                               /* Name of a [secret], or NULL. */
	char *provision;                            /* Name of a [provision], whose secret is `secret` then; or NULL. */
	char *client_password, *client_secret;     /* What the client must know; NULL: the same as above. */
	int pool_mode;                              /* enum pool_mode or CONFIG_INHERIT. */
	int routing;                                /* enum routing_mode or CONFIG_INHERIT. */
	int pool_size, max_user_connections, max_user_client_connections;    /* CONFIG_INHERIT or a number. */
	int query_timeout_ms, transaction_timeout_ms, idle_transaction_timeout_ms, client_idle_timeout_ms; /* CONFIG_INHERIT or ms. */
	int state_policy[STATE_KIND_COUNT];         /* enum state_policy or CONFIG_INHERIT. */
};

struct config_database {
	char *name;                                 /* What clients ask for; "*" for the fallback. */
	char *dbname;                               /* On the server; NULL in "*": the name the client asked for. */
	const struct config_cluster *cluster;
	char *cluster_name, *host;                 /* As written, one of them NULL; use `cluster`. */
	uint16_t port;                              /* Of `host`; 0 where it was not set: 5432. */
	char *user, *password, *secret;            /* Forced server login, each may be NULL. */
	bool placed_by_secret;                      /* What `secret` says about host or dbname counts. */
	char *auth_user, *auth_query, *auth_dbname;  /* Merged with [pgweir]'s; auth_user NULL: no auth_query. */
	char *connect_query;
	int pool_mode;                              /* enum pool_mode or CONFIG_INHERIT. */
	int pool_size, min_pool_size, reserve_pool_size, max_db_connections, max_db_client_connections; /* CONFIG_INHERIT or a number. */
	int query_wait_timeout_ms, query_timeout_ms, transaction_timeout_ms, idle_transaction_timeout_ms; /* CONFIG_INHERIT or ms. */
	enum routing_mode routing;
	enum read_your_writes read_your_writes;
	uint64_t max_lag_ms;                        /* The cluster's where it is not set; both hold. */
	int state_audit;                            /* enum state_audit or CONFIG_INHERIT. */
	int state_policy[STATE_KIND_COUNT];         /* enum state_policy or CONFIG_INHERIT. */
	uint64_t server_lifetime_ms;
	struct config_tls server_tls;              /* The cluster's, with this section's own keys on top. */
};

struct config_secret {
	char *name;
	char *provider;                             /* aws-secrets-manager, rds-iam, file, env or static. */
	char *id, *path, *variable, *value;
	char *region, *json_key, *endpoint;
	char *role_arn, *external_id, *profile;
	char *iam_host, *follow_host;              /* follow_host NULL: off; else a pattern. */
	uint64_t refresh_interval_ms, rotation_grace_ms;
};

struct config_provision {
	char *name;
	const struct config_cluster *cluster;
	char *cluster_name;                         /* As written; use `cluster`. */
	char *databases, *schemas;                  /* Comma-separated; schemas NULL: public. */
	char *user, *user_prefix;                   /* One of them is set. */
	const struct config_secret *secret;
	char *secret_name;                          /* As written; use `secret`. */
	enum secret_format secret_format;
	enum provision_profile profile;
	char *privileges;                           /* Comma-separated, instead of a profile. */
	char *owners, *member_of;                   /* Comma-separated roles. */
	bool replication;
	char *settings;                             /* Comma-separated name=value, for ALTER ROLE … SET. */
	int connection_limit;                       /* -1: none. */
	uint64_t valid_for_ms;                      /* 0: no VALID UNTIL. */
	char *comment;
	uint64_t rotate_every_ms;                   /* 0: never by itself. */
	enum provision_strategy strategy;
	uint64_t rotation_replica_wait_ms;
	enum provision_extra extra;                 /* Privileges beyond the declaration: only report them, or revoke. */
};

struct config_peer {
	unsigned id;                                /* [peers] `1 = host=… port=…`, as PgBouncer's. */
	char *host;
	uint16_t port;
};

struct config {
	char *path;                                 /* The file it came from. */
	uint64_t generation;                        /* Set by the publisher; grows. */

	/* [pgweir] */
	char *listen_addr;                          /* Comma-separated; "*" is all; empty: no TCP. */
	uint16_t listen_port;
	int listen_backlog;
	bool proxy_protocol;                        /* Expect a PROXY v2 header on TCP connections. */
	char *unix_socket_dir;                      /* Empty: none. */
	mode_t unix_socket_mode;
	char *unix_socket_group;
	int threads, login_threads;                 /* Never 0 here: resolved to a number. */
	int max_client_conn;
	enum pool_mode pool_mode;
	int default_pool_size, min_pool_size, reserve_pool_size, max_db_connections, max_user_connections;
	int max_db_client_connections, max_user_client_connections;    /* 0: no limit. */
	uint64_t reserve_pool_timeout_ms;
	int max_server_conn, fleet_size;
	int max_prepared_statements;                /* Per server connection; LRU beyond it. 0: names are not tracked. */
	enum auth_type auth_type;
	char *auth_file, *auth_hba_file, *auth_ident_file;     /* Paths are absolute: relative to the ini's folder. */
	char *auth_user, *auth_query, *auth_dbname;
	bool auth_plain_without_tls;                /* auth_type plain and cleartext server logins without TLS. */
	struct config_tls client_tls, server_tls;
	char *admin_users, *stats_users;            /* Comma-separated. */
	char *server_reset_query;                   /* Session mode; default DISCARD ALL. */
	char *server_check_query;                   /* Empty: no check. */
	enum state_audit state_audit;
	int state_policy[STATE_KIND_COUNT];         /* enum state_policy. */
	uint64_t server_check_delay_ms, server_lifetime_ms, server_idle_timeout_ms, server_connect_timeout_ms;
	uint64_t server_login_retry_ms;
	uint64_t query_wait_timeout_ms, query_timeout_ms, transaction_timeout_ms, idle_transaction_timeout_ms;
	uint64_t client_idle_timeout_ms, client_login_timeout_ms, cancel_wait_timeout_ms;
	uint64_t drain_delay_ms, drain_timeout_ms, dns_max_ttl_ms;
	bool tcp_keepalive;
	/* Seconds, but for the number of probes (keepcnt) and user_timeout, milliseconds. 0: the system's, or off. */
	int tcp_keepcnt, tcp_keepidle, tcp_keepintvl, tcp_user_timeout, tcp_defer_accept;
	char *http_listen, *health_listen;
	char *http_user, *http_password;            /* NULL: nobody is asked. */
	int metrics_max_pools;
	bool metrics_per_user;
	char *logfile, *pidfile;                    /* NULL: standard error, none. */
	char *state_dir;                            /* Empty: none. */
	enum log_format log_format;
	enum log_level log_level;
	bool log_connections, log_disconnections, log_pooler_errors;
	uint64_t stats_period_ms;
	enum provision_mode provision;              /* What the daemon does about [provision] sections, */
	uint64_t provision_interval_ms;             /* and how often. */
	char *application_name;                     /* For pgweir's own connections. */
	unsigned peer_id;                           /* 0: none. */

	struct config_database *databases; size_t database_count;
	struct config_cluster *clusters; size_t cluster_count;
	struct config_user *users; size_t user_count;
	struct config_secret *secrets; size_t secret_count;
	struct config_provision *provisions; size_t provision_count;
	struct config_peer *peers; size_t peer_count;
};

/* Problems, in the order of the file: "pgweir.ini:12: …". Freed with config_problems_fini(). */
struct config_problems {
	char **texts;
	size_t count;
	char **warnings;
	size_t warning_count;
};

/* A snapshot with one reference, or NULL with at least one problem. Warnings may come with either. */
struct config *config_load(const char *path, struct config_problems *problems) MUST_USE;
/* The same from memory. `path` stands in messages, and its folder is where relative paths start. %include is refused. */
struct config *config_load_text(const char *path, const char *text, size_t size, struct config_problems *problems) MUST_USE;
/* Of a file that the configuration names. */
void config_problems_add(struct config_problems *problems, const char *text);
void config_problems_warn(struct config_problems *problems, const char *text);
void config_problems_fini(struct config_problems *problems);

struct config *config_ref(struct config *config);          /* Any thread. */
void config_unref(struct config **config);                  /* Any thread; NULL is fine. Wipes secrets with the last one. */

/* NULL where there is none. config_find_database() falls back to "*". */
const struct config_database *config_find_database(const struct config *config, const char *name);
const struct config_user *config_find_user(const struct config *config, const char *name);
const struct config_cluster *config_find_cluster(const struct config *config, const char *name);
const struct config_secret *config_find_secret(const struct config *config, const char *name);

const struct config_provision *config_find_provision(const struct config *config, const char *name);

/* What counts for one user on one database: [user] over [database] over [pgweir]. A number of 0 is no limit or no
 * timeout. `user` may be NULL: it has no section. */
struct config_limits {
	enum pool_mode pool_mode;
	enum routing_mode routing;
	enum state_audit state_audit;
	int pool_size, min_pool_size, reserve_pool_size;
	int max_db_connections, max_user_connections, max_db_client_connections, max_user_client_connections;
	uint64_t query_wait_timeout_ms, query_timeout_ms, transaction_timeout_ms, idle_transaction_timeout_ms;
	uint64_t client_idle_timeout_ms;
	enum state_policy state_policy[STATE_KIND_COUNT];
};
void config_limits(const struct config *config, const struct config_database *database, const struct config_user *user,
	struct config_limits *limits);

/* How many connections to servers there may be at a time, as far as that is known: by as many roles as databases, and one more. */
uint64_t config_server_connections(const struct config *config);

const char *config_sslmode_word(enum sslmode sslmode);         /* As libpq spells it. */

/* True when `user` stands in the comma-separated `list`. */
bool config_list_has(const char *list, const char *user);
/* The next item of a comma-separated list without the blanks around it, as a new text; NULL at the end. Start with
 * `*rest` at the list. */
char *config_list_next(const char **rest) MUST_USE;
/* The same where items may be in double quotes, doubled within, as SQL writes names. NULL with `good` false: a quote is not
 * closed, or something follows it. */
char *config_name_next(const char **rest, bool *good) MUST_USE;

#endif
