/* What becomes of PgBouncer's keys, 1.18 to 1.25. Those without a counterpart are in config/absent.c. */
#include <string.h>
#include <strings.h>

#include "import.h"
#include "pgweir/config.h"
#include "pgweir/mem.h"

/* --- Translations --- */

static void to_path(const struct import_source *source, const char *value, struct import_word *word)
{
	char *path = import_path(source, value);

	buf_append_text(&word->value, path);
	mem_free(path);
}

static void to_socket_folder(const struct import_source *source, const char *value, struct import_word *word)
{
	if (*value != '@') {
		to_path(source, value, word);
		return;
	}
	word->decide = true;
	word->note = "sockets in the abstract namespace are not offered; name a folder";
}

static void to_auth_type(const struct import_source *source, const char *value, struct import_word *word)
{
	static const struct {
		const char *theirs, *ours, *note;
	} types[] = {
		{ "any", "trust", "was \"any\", which ignores who the client says it is; here clients need a name that auth_file knows" },
		{ "pam", "scram-sha-256", "was \"pam\", which there is no counterpart for; passwords come from auth_file, auth_query or a "
		                          "[secret]" },
		{ "ldap", "scram-sha-256", "was \"ldap\", which there is no counterpart for; passwords come from auth_file, auth_query or a "
		                           "[secret]" },
	};

	(void)source;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (strcasecmp(value, types[i].theirs) != 0)
			continue;
		buf_append_text(&word->value, types[i].ours);
		word->note = types[i].note;
		word->decide = true;
		return;
	}
	buf_append_text(&word->value, value);
}

static void to_check_query(const struct import_source *source, const char *value, struct import_word *word)
{
	(void)source;
	if (strcmp(value, "<empty>") == 0)
		word->dropped = true;
	else
		buf_append_text(&word->value, value);
}

static void to_ciphers(const struct import_source *source, const char *value, struct import_word *word)
{
	static const char *const systems[] = { "default", "secure", "fast", "normal", "" };

	(void)source;
	for (size_t i = 0; i < ARRAY_LEN(systems); i++)
		word->dropped = word->dropped || strcasecmp(value, systems[i]) == 0;
	buf_append_text(&word->value, strcasecmp(value, "all") == 0 ? "ALL" : value);
}

static void to_protocols(const struct import_source *source, const char *value, struct import_word *word)
{
	const char *rest = value;
	char *item;

	(void)source;
	while ((item = config_list_next(&rest))) {
		if (strcasecmp(item, "tlsv1.2") == 0 || strcasecmp(item, "tlsv1.3") == 0 || strcasecmp(item, "secure") == 0) {
			buf_printf(&word->value, "%s%s", word->value.size ? ", " : "", item);
		} else if (strcasecmp(item, "all") == 0 || strcasecmp(item, "legacy") == 0) {
			word->note = "TLS 1.0 and 1.1 are not offered";
			buf_fini(&word->value);
			buf_append_text(&word->value, "secure");
		} else {
			word->note = "TLS 1.0 and 1.1 are not offered";
		}
		mem_free(item);
	}
	word->dropped = word->value.size == 0;
}

static void to_log_level(const struct import_source *source, const char *value, struct import_word *word)
{
	(void)source;
	word->dropped = strcmp(value, "0") == 0;
	buf_append_text(&word->value, "debug");
}

static void to_defer_accept(const struct import_source *source, const char *value, struct import_word *word)
{
	(void)source;
	buf_append_text(&word->value, strcmp(value, "0") == 0 || strcasecmp(value, "off") == 0 || strcasecmp(value, "no") == 0
		|| strcasecmp(value, "false") == 0 ? "0" : "45");
}

/* --- [pgbouncer] --- */

#define SAME(key_) { .key = (key_) }
#define SAME_BUT(key_, default_) { .key = (key_), .bouncer_default = (default_) }
#define AS(key_, translate_) { .key = (key_), .translate = (translate_) }

static const struct import_rule main_rules[] = {
	SAME_BUT("listen_addr", ""),
	SAME("listen_port"),
	SAME("listen_backlog"),
	{ .key = "unix_socket_dir", .bouncer_default = "/tmp", .translate = to_socket_folder },
	SAME("unix_socket_mode"),
	SAME("unix_socket_group"),
	AS("logfile", to_path),
	AS("pidfile", to_path),
	SAME_BUT("pool_mode", "session"),
	SAME_BUT("max_client_conn", "100"),
	SAME("default_pool_size"),
	SAME("min_pool_size"),
	SAME("reserve_pool_size"),
	SAME("reserve_pool_timeout"),
	SAME("max_db_connections"),
	SAME("max_user_connections"),
	SAME("max_db_client_connections"),
	SAME("max_user_client_connections"),
	SAME("max_prepared_statements"),
	SAME("stats_period"),
	{ .key = "auth_type", .bouncer_default = "md5", .translate = to_auth_type },
	AS("auth_file", to_path),
	AS("auth_hba_file", to_path),
	AS("auth_ident_file", to_path),
	SAME("auth_user"),
	SAME("auth_query"),
	SAME("auth_dbname"),
	SAME("admin_users"),
	SAME("stats_users"),
	SAME("log_connections"),
	SAME("log_disconnections"),
	SAME("log_pooler_errors"),
	{ .key = "verbose", .ours = "log_level", .translate = to_log_level },
	SAME("server_reset_query"),
	SAME("server_check_delay"),
	AS("server_check_query", to_check_query),
	SAME("server_lifetime"),
	SAME("server_idle_timeout"),
	SAME("server_connect_timeout"),
	SAME("server_login_retry"),
	SAME("client_login_timeout"),
	SAME("query_timeout"),
	SAME("query_wait_timeout"),
	SAME("cancel_wait_timeout"),
	SAME("client_idle_timeout"),
	SAME("idle_transaction_timeout"),
	SAME("transaction_timeout"),
	SAME("dns_max_ttl"),
	SAME("client_tls_sslmode"),
	AS("client_tls_ca_file", to_path),
	AS("client_tls_cert_file", to_path),
	AS("client_tls_key_file", to_path),
	AS("client_tls_protocols", to_protocols),
	AS("client_tls_ciphers", to_ciphers),
	AS("client_tls13_ciphers", to_ciphers),
	SAME("server_tls_sslmode"),
	AS("server_tls_ca_file", to_path),
	AS("server_tls_cert_file", to_path),
	AS("server_tls_key_file", to_path),
	AS("server_tls_protocols", to_protocols),
	AS("server_tls_ciphers", to_ciphers),
	AS("server_tls13_ciphers", to_ciphers),
	SAME("tcp_keepalive"),
	SAME("tcp_keepcnt"),
	SAME("tcp_keepidle"),
	SAME("tcp_keepintvl"),
	SAME("tcp_user_timeout"),
	AS("tcp_defer_accept", to_defer_accept),
	SAME("peer_id"),
};
static const size_t main_count = ARRAY_LEN(main_rules);

/* --- The others --- */

/* host, port, dbname and the session's settings are import.c's, which needs several of them at once. */
static const struct import_rule database_rules[] = {
	SAME("dbname"),
	SAME("host"),
	SAME("port"),
	SAME("user"),
	SAME("password"),
	SAME("auth_user"),
	SAME("auth_query"),
	SAME("auth_dbname"),
	SAME("pool_mode"),
	SAME("pool_size"),
	SAME("min_pool_size"),
	SAME("reserve_pool_size"),
	{ .key = "reserve_pool", .ours = "reserve_pool_size" },
	SAME("max_db_connections"),
	SAME("max_db_client_connections"),
	SAME("server_lifetime"),
	SAME("query_wait_timeout"),
	SAME("connect_query"),
};
static const size_t database_count = ARRAY_LEN(database_rules);

static const struct import_rule user_rules[] = {
	SAME("pool_mode"),
	SAME("pool_size"),
	SAME("max_user_connections"),
	SAME("max_user_client_connections"),
	SAME("query_timeout"),
	SAME("transaction_timeout"),
	SAME("idle_transaction_timeout"),
	SAME("client_idle_timeout"),
};
static const size_t user_count = ARRAY_LEN(user_rules);

static const struct import_rule peer_rules[] = {
	SAME("host"),
	SAME("port"),
};
static const size_t peer_count = ARRAY_LEN(peer_rules);

const struct import_rules import_rules[IMPORT_PLACES] = {
	[IMPORT_DATABASES] = { "databases", "database", database_rules, &database_count },
	[IMPORT_USERS] = { "users", "user", user_rules, &user_count },
	[IMPORT_PEERS] = { "peers", "peers", peer_rules, &peer_count },
	[IMPORT_PGBOUNCER] = { "pgbouncer", "pgweir", main_rules, &main_count },
};

const struct import_rule *import_rule_find(enum import_place place, const char *key)
{
	const struct import_rules *rules = &import_rules[place];

	for (size_t i = 0; i < *rules->count; i++)
		if (strcasecmp(rules->rules[i].key, key) == 0)
			return &rules->rules[i];
	return NULL;
}
