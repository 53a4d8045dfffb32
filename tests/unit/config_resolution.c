/* Sections to a snapshot: defaults, what wins over what, references, and what cannot stand together. */
#include <pthread.h>

#include "config_testing.h"

/* --- Defaults --- */

static void defaults_are_the_documented_ones(void **state)
{
	struct config *config = load("");

	(void)state;
	assert_string_equal(config->listen_addr, "127.0.0.1");
	assert_int_equal(config->listen_port, 6432);
	assert_string_equal(config->unix_socket_dir, "");
	assert_int_equal(config->unix_socket_mode, 0777);
	assert_int_equal(config->max_client_conn, 10000);
	assert_int_equal(config->pool_mode, POOL_MODE_TRANSACTION);
	assert_int_equal(config->default_pool_size, 20);
	assert_int_equal(config->max_server_conn, CONFIG_AUTO);
	assert_int_equal(config->max_prepared_statements, 200);
	assert_int_equal(config->auth_type, AUTH_TYPE_SCRAM_SHA_256);
	assert_int_equal(config->client_tls.sslmode, SSLMODE_DISABLE);
	assert_int_equal(config->server_tls.sslmode, SSLMODE_PREFER);
	assert_string_equal(config->server_reset_query, "DISCARD ALL");
	assert_int_equal(config->server_lifetime_ms, 3600000);
	assert_int_equal(config->query_wait_timeout_ms, 120000);
	assert_int_equal(config->server_login_retry_ms, 1000);
	assert_int_equal(config->drain_delay_ms, 5000);
	assert_int_equal(config->drain_timeout_ms, 25000);
	assert_int_equal(config->log_format, LOG_FORMAT_TEXT);
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_true(config->tcp_keepalive);
	assert_null(config->logfile);
	assert_null(config->auth_file);
	assert_int_equal(config->database_count, 0);
	config_unref(&config);
}

static void threads_are_always_a_number(void **state)
{
	struct config *config = load("");

	(void)state;
	assert_true(config->threads >= 1);
	assert_true(config->login_threads >= 1);
	config_unref(&config);
	config = load("[pgweir]\nthreads = 7\nlogin_threads = 3\n");
	assert_int_equal(config->threads, 7);
	assert_int_equal(config->login_threads, 3);
	config_unref(&config);
}

/* --- Values --- */

static uint64_t query_timeout_of(const char *text)
{
	char *ini = mem_printf("[pgweir]\nquery_timeout = %s\n", text);
	struct config *config = load(ini);
	uint64_t value_ms = config->query_timeout_ms;

	config_unref(&config);
	mem_free(ini);
	return value_ms;
}

static void times_are_seconds_unless_they_have_a_unit(void **state)
{
	(void)state;
	assert_int_equal(query_timeout_of("0"), 0);
	assert_int_equal(query_timeout_of("2"), 2000);
	assert_int_equal(query_timeout_of("0.25"), 250);
	assert_int_equal(query_timeout_of(".5"), 500);
	assert_int_equal(query_timeout_of("250ms"), 250);
	assert_int_equal(query_timeout_of("1500us"), 2);
	assert_int_equal(query_timeout_of("2 s"), 2000);
	assert_int_equal(query_timeout_of("1.5min"), 90000);
	assert_int_equal(query_timeout_of("1h"), 3600000);
	assert_int_equal(query_timeout_of("1d"), 86400000);
	/* 0 would switch the timeout off. */
	assert_int_equal(query_timeout_of("1us"), 1);
}

static void malformed_values_say_what_is_right(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\n"
	                "query_timeout = 1e9\n"
	                "stats_period = 0\n"
	                "tcp_keepalive = maybe\n"
	                "unix_socket_mode = 0999\n"
	                "pool_mode = fast\n"
	                "max_client_conn = -1\n"
	                "max_server_conn = some\n"
	                "listen_port = 65536\n"
	                "http_listen = 9632\n"
	                "admin_users = a,,b\n"
	                "client_tls_protocols = secure, sslv3\n"
	                "[cluster c]\nhosts = a\nmax_lag_bytes = 1 XB\n",
		"t.ini:2: query_timeout: must be a time: a number of seconds, or a number with us, ms, s, min, h or d",
		"t.ini:3: stats_period: must be from 1 to 86400 seconds",
		"t.ini:4: tcp_keepalive: must be 0 or 1 (or no, yes, off, on, false, true)",
		"t.ini:5: unix_socket_mode: must be octal digits, such as 0770",
		"t.ini:6: pool_mode: must be one of session, transaction, statement",
		"t.ini:7: max_client_conn: must be from 1 to 10000000",
		"t.ini:8: max_server_conn: must be a whole number or auto",
		"t.ini:9: listen_port: must be from 0 to 65535",
		"t.ini:10: http_listen: must be host:port, such as 127.0.0.1:9632 or *:9632",
		"t.ini:11: admin_users: an item of the list is empty",
		"t.ini:12: client_tls_protocols: must be one of secure, tlsv1.2, tlsv1.3",
		"t.ini:15: max_lag_bytes: must be a number of bytes, or a number with B, kB, MB, GB or TB");
}

static void what_http_needs_is_checked(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\n"
	                "http_listen = 127.0.0.1:9632\n"
	                "health_listen = 127.0.0.1:9632\n"
	                "http_user = a:b\n"
	                "metrics_max_pools = 0\n",
		"t.ini:3: health_listen must differ from http_listen, which has the same pages too",
		"t.ini:4: http_user and http_password go together",
		"t.ini:4: http_user: a name with a colon cannot be sent",
		"t.ini:5: metrics_max_pools: must be from 1 to 10000");
	EXPECT_PROBLEMS("[pgweir]\nhttp_password = b\n", "t.ini:2: http_user and http_password go together");
}

static void sizes_have_units_of_1024(void **state)
{
	struct config *config = load("[cluster c]\nhosts = a\nmax_lag_bytes = 16MB\n");

	(void)state;
	assert_int_equal(config->clusters[0].max_lag_bytes, 16 * 1024 * 1024);
	config_unref(&config);
}

static void paths_start_at_the_folder_of_the_file(void **state)
{
	struct config_problems problems;
	const char *text = "[pgweir]\nauth_file = users.txt\nlogfile = /var/log/x\nunix_socket_dir = @abstract\n";
	struct config *config = config_load_text("/etc/t.ini", text, strlen(text), &problems);

	(void)state;
	assert_string_equal(config->auth_file, "/etc/users.txt");
	assert_string_equal(config->logfile, "/var/log/x");
	assert_string_equal(config->unix_socket_dir, "@abstract");
	config_unref(&config);
	config_problems_fini(&problems);
	config = config_load_text("/t.ini", text, strlen(text), &problems);
	assert_string_equal(config->auth_file, "/users.txt");
	config_unref(&config);
	config_problems_fini(&problems);
}

static void hosts_have_ports_weights_and_brackets(void **state)
{
	struct config *config = load("[cluster c]\nhosts = a:5433*3, [::1]:5434, fe80::1, /run/postgresql, name*2, [::2]\n");
	const struct config_cluster *cluster = &config->clusters[0];
	static const struct config_host expected[] = {
		{ (char *)(uintptr_t)"a", 5433, 3 }, { (char *)(uintptr_t)"::1", 5434, 1 },
		{ (char *)(uintptr_t)"fe80::1", 5432, 1 }, { (char *)(uintptr_t)"/run/postgresql", 5432, 1 },
		{ (char *)(uintptr_t)"name", 5432, 2 }, { (char *)(uintptr_t)"::2", 5432, 1 },
	};

	(void)state;
	assert_int_equal(cluster->host_count, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_string_equal(cluster->hosts[i].host, expected[i].host);
		assert_int_equal(cluster->hosts[i].port, expected[i].port);
		assert_int_equal(cluster->hosts[i].weight, expected[i].weight);
	}
	config_unref(&config);
}

static void malformed_hosts_are_errors(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[cluster a]\nhosts = x, , y\n[cluster b]\nhosts = x y\n[cluster c]\nhosts = [::1\n"
	                "[cluster d]\nhosts = [::1]x\n[cluster e]\nhosts = a, A:5432\n[cluster f]\nhosts = a*1001\n"
	                "[cluster g]\nhosts =\n",
		"t.ini:2: hosts: a host's name is empty",
		"t.ini:4: hosts: \"x y\" is not a host: separate hosts by commas",
		"t.ini:6: hosts: \"[::1\" lacks its closing bracket",
		"t.ini:8: hosts: \"[::1]x\": only a port may follow the bracket",
		"t.ini:10: hosts: host \"A\" stands twice in the list",
		"t.ini:12: hosts: the weight of \"a*1001\" is not a number from 0 to 1000",
		"t.ini:14: hosts: there is no host");
}

static void lists_are_searched_by_whole_items(void **state)
{
	(void)state;
	assert_true(config_list_has("a, bc ,d", "bc"));
	assert_true(config_list_has("a", "a"));
	assert_false(config_list_has("a, bc", "b"));
	assert_false(config_list_has("", "a"));
	assert_false(config_list_has(NULL, "a"));
	assert_false(config_list_has("a,,b", ""));
}

/* --- Clusters --- */

static void databases_on_the_same_host_share_a_cluster(void **state)
{
	struct config *config = load("[database a]\nhost = db1\n[database b]\nhost = db1\nport = 5432\n"
	                             "[database c]\nhost = db1\nport = 5433\n[database d]\nhost = db1\n"
	                             "server_tls_sslmode = require\n");

	(void)state;
	assert_int_equal(config->cluster_count, 3);
	assert_ptr_equal(config->databases[0].cluster, config->databases[1].cluster);
	assert_true(config->databases[0].cluster->implicit);
	assert_string_equal(config->databases[0].cluster->name, "db1:5432");
	assert_string_equal(config->databases[2].cluster->name, "db1:5433");
	assert_string_equal(config->databases[3].cluster->name, "db1:5432#2");
	assert_int_equal(config->databases[3].cluster->server_tls.sslmode, SSLMODE_REQUIRE);
	assert_int_equal(config->databases[0].cluster->probe_interval_ms, 250);
	assert_ptr_equal(config_find_cluster(config, "db1:5433"), config->databases[2].cluster);
	config_unref(&config);
}

static void an_implicit_cluster_stays_clear_of_explicit_names(void **state)
{
	struct config *config = load("[database a]\nhost = db1\n[cluster db1:5432]\nhosts = db1\n");

	(void)state;
	assert_string_equal(config->databases[0].cluster->name, "db1:5432#2");
	config_unref(&config);
}

static void tls_is_merged_key_by_key(void **state)
{
	struct config *config = load("[pgweir]\nserver_tls_sslmode = require\nserver_tls_ca_file = /p\n"
	                             "[cluster c]\nhosts = a\nserver_tls_ca_file = /c\n"
	                             "[database d]\ncluster = c\nserver_tls_sslmode = verify-ca\n"
	                             "[database e]\nhost = h\n[database f]\ncluster = c\nserver_tls_ca_file =\n");

	(void)state;
	assert_int_equal(config->clusters[0].server_tls.sslmode, SSLMODE_REQUIRE);
	assert_int_equal(config->databases[0].server_tls.sslmode, SSLMODE_VERIFY_CA);
	assert_string_equal(config->databases[0].server_tls.ca_file, "/c");
	assert_string_equal(config->databases[0].server_tls.protocols, "secure");
	assert_string_equal(config->databases[1].server_tls.ca_file, "/p");
	assert_null(config->databases[2].server_tls.ca_file);
	config_unref(&config);
}

static void rds_hosts_are_verified_unless_told_otherwise(void **state)
{
	struct config *config = load("[cluster c]\nhosts = x.eu-west-1.RDS.amazonaws.com\n[database a]\ncluster = c\n"
	                             "[database b]\nhost = y.rds.amazonaws.com\n"
	                             "[database d]\nhost = y.rds.amazonaws.com\nserver_tls_sslmode = prefer\n"
	                             "[database e]\nhost = rds.amazonaws.com.example\n");

	(void)state;
	assert_int_equal(config->clusters[0].server_tls.sslmode, SSLMODE_VERIFY_FULL);
	assert_int_equal(config->databases[0].server_tls.sslmode, SSLMODE_VERIFY_FULL);
	assert_int_equal(config->databases[1].server_tls.sslmode, SSLMODE_VERIFY_FULL);
	assert_int_equal(config->databases[2].server_tls.sslmode, SSLMODE_PREFER);
	assert_int_equal(config->databases[3].server_tls.sslmode, SSLMODE_PREFER);
	config_unref(&config);
}

/* The token goes over the wire as a password. */
static void databases_reached_with_an_iam_token_are_verified(void **state)
{
	const char *iam = "[secret s]\nprovider = rds-iam\n[database a]\nhost = db\nsecret = s\nuser = u\n"
	                  "[database b]\nhost = db\n";
	struct config *config = load(iam);

	(void)state;
	assert_int_equal(config->databases[0].server_tls.sslmode, SSLMODE_VERIFY_FULL);
	assert_int_equal(config->databases[1].server_tls.sslmode, SSLMODE_PREFER);
	config_unref(&config);
	config = load("[secret s]\nprovider = rds-iam\n[user v]\nsecret = s\n[cluster c]\nhosts = db\n"
	              "[database a]\nhost = db\n[database b]\nhost = db\nuser = u\n[database c]\ncluster = c\n");
	assert_int_equal(config->databases[0].server_tls.sslmode, SSLMODE_VERIFY_FULL);
	assert_int_equal(config->databases[1].server_tls.sslmode, SSLMODE_PREFER);
	assert_int_equal(config->databases[2].server_tls.sslmode, SSLMODE_VERIFY_FULL);
	config_unref(&config);
}

/* --- What wins --- */

static void user_wins_over_database_over_process(void **state)
{
	struct config *config = load("[pgweir]\nquery_timeout = 1\ntransaction_timeout = 1\nidle_transaction_timeout = 1\n"
	                             "default_pool_size = 5\n"
	                             "[database d]\nhost = h\ntransaction_timeout = 2\nidle_transaction_timeout = 2\n"
	                             "pool_size = 6\npool_mode = session\n"
	                             "[user u]\nidle_transaction_timeout = 0\npool_mode = statement\n");
	struct config_limits limits;

	(void)state;
	config_limits(config, &config->databases[0], config_find_user(config, "u"), &limits);
	assert_int_equal(limits.query_timeout_ms, 1000);
	assert_int_equal(limits.transaction_timeout_ms, 2000);
	assert_int_equal(limits.idle_transaction_timeout_ms, 0);
	assert_int_equal(limits.pool_size, 6);
	assert_int_equal(limits.pool_mode, POOL_MODE_STATEMENT);
	config_limits(config, &config->databases[0], NULL, &limits);
	assert_int_equal(limits.idle_transaction_timeout_ms, 2000);
	assert_int_equal(limits.pool_mode, POOL_MODE_SESSION);
	config_unref(&config);
}

static void what_servers_may_be_asked_for_is_the_sum_of_the_pools(void **state)
{
	struct config *config = load("[pgweir]\ndefault_pool_size = 5\n[cluster c]\nhosts = a, b, c\nprobe_user = p\n"
	                             "[database one]\nhost = h\npool_size = 100\nreserve_pool_size = 10\n"
	                             "[database reads]\ncluster = c\nrouting = auto\npool_size = 1000\n"
	                             "[database capped]\nhost = h\npool_size = 30000\nmax_db_connections = 20000\n");

	(void)state;
	assert_int_equal(config_server_connections(config), 5 + 110 + 3000 + 20000);
	config_unref(&config);
}

static void what_a_section_leaves_out_is_inherited(void **state)
{
	struct config *config = load("[pgweir]\nauth_user = a\nserver_lifetime = 7\n[database d]\nhost = h\n[user u]\n"
	                             "[database e]\nhost = h\nauth_user =\nserver_lifetime = 8\n");
	const struct config_database *database = &config->databases[0];

	(void)state;
	assert_string_equal(database->auth_user, "a");
	assert_string_equal(database->auth_query, config->auth_query);
	assert_int_equal(database->server_lifetime_ms, 7000);
	assert_int_equal(database->pool_mode, CONFIG_INHERIT);
	assert_int_equal(database->query_timeout_ms, CONFIG_INHERIT);
	assert_int_equal(config->users[0].pool_size, CONFIG_INHERIT);
	assert_null(config->databases[1].auth_user);
	assert_int_equal(config->databases[1].server_lifetime_ms, 8000);
	config_unref(&config);
}

static void the_star_serves_every_other_name(void **state)
{
	struct config *config = load("[database app]\nhost = a\n[database *]\nhost = b\n");

	(void)state;
	assert_string_equal(config_find_database(config, "app")->dbname, "app");
	assert_string_equal(config_find_database(config, "other")->name, "*");
	assert_null(config_find_database(config, "other")->dbname);
	config_unref(&config);
	config = load("[database app]\nhost = a\n");
	assert_null(config_find_database(config, "other"));
	assert_null(config_find_user(config, "u"));
	assert_null(config_find_secret(config, "s"));
	config_unref(&config);
}

/* --- What cannot be --- */

static void references_must_lead_somewhere(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[secret app]\nprovider = rds-iam\n[user u]\nsecret = ap\nclient_secret = zzzz\n"
	                "[database d]\ncluster = main\nsecret = appp\n[cluster c]\nhosts = a\nprobe_secret = x\nadmin_secret = y\n",
		"t.ini:4: secret: there is no [secret ap]; did you mean \"app\"?",
		"t.ini:5: client_secret: there is no [secret zzzz]",
		"t.ini:7: cluster: there is no [cluster main]",
		"t.ini:8: secret: there is no [secret appp]; did you mean \"app\"?",
		"t.ini:11: probe_secret: there is no [secret x]",
		"t.ini:12: admin_secret: there is no [secret y]");
}

static void a_database_needs_exactly_one_place(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[cluster c]\nhosts = a\n[database d]\n[database e]\nhost = h\ncluster = c\n"
	                "[database f]\ncluster = c\nport = 1\n[database pgweir]\nhost = h\n[cluster k]\n",
		"t.ini:3: [database d] needs cluster or host",
		"t.ini:6: cluster and host cannot both be set",
		"t.ini:9: port goes with host; a cluster has its ports in hosts",
		"t.ini:10: \"pgweir\" is the name of the admin console",
		"t.ini:12: [cluster k] needs hosts");
}

static void a_password_and_a_secret_exclude_each_other(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[secret s]\nprovider = rds-iam\n[user u]\nsecret = s\npassword = p\n"
	                "[database d]\nhost = h\npassword = p\n",
		"t.ini:5: password and secret cannot both be set",
		"t.ini:8: password goes with user");
}

static void tls_towards_clients_must_be_complete(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nclient_tls_sslmode = verify-full\n",
		"t.ini:2: client_tls_sslmode needs client_tls_cert_file and client_tls_key_file",
		"t.ini:2: client_tls_sslmode: to verify certificates needs client_tls_ca_file");
	EXPECT_PROBLEMS("[pgweir]\nserver_tls_cert_file = /c\n",
		"t.ini:1: server_tls_cert_file and server_tls_key_file go together");
}

static void auth_types_must_have_what_they_need(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nauth_type = hba\n", "t.ini:2: auth_type: hba needs auth_hba_file");
	EXPECT_PROBLEMS("[pgweir]\nauth_type = cert\n",
		"t.ini:2: auth_type: cert needs client_tls_sslmode = verify-ca or verify-full");
}

static void pgweir_must_listen_and_drain_sensibly(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[pgweir]\nlisten_addr =\ndrain_timeout = 1\n",
		"t.ini:2: neither listen_addr nor unix_socket_dir is set",
		"t.ini:3: drain_timeout must not be less than drain_delay");
}

static void a_secret_needs_what_its_provider_needs(void **state)
{
	struct config_problems problems;

	(void)state;
	EXPECT_PROBLEMS("[secret a]\n[secret b]\nprovider = file\n[secret c]\nprovider = vault\n",
		"t.ini:1: [secret a] needs provider",
		"t.ini:2: [secret b]: provider file needs path",
		"t.ini:5: provider: must be one of aws-secrets-manager, rds-iam, file, env, static");
	struct config *config = load_warned("[secret a]\nprovider = env\nvariable = V\nid = x\nfollow_host = off\n", &problems);

	assert_int_equal(problems.warning_count, 1);
	assert_string_equal(problems.warnings[0], "t.ini:4: id is not used by provider env");
	assert_null(config->secrets[0].follow_host);
	assert_int_equal(config->secrets[0].rotation_grace_ms, 3600000);
	config_unref(&config);
	config_problems_fini(&problems);
}

static void a_provision_is_linked_to_its_cluster_and_secret(void **state)
{
	struct config *config = load("[cluster c]\nhosts = a\nadmin_user = x\n[secret s]\nprovider = aws-secrets-manager\n"
	                             "id = i\n[provision p]\ncluster = c\ndatabase = d, e\nuser_prefix = p_\nsecret = s\n"
	                             "profile = read-only\nreplication = yes\nrotate_every = 30d\n");
	const struct config_provision *provision = config_find_provision(config, "p");

	(void)state;
	assert_ptr_equal(provision->cluster, &config->clusters[0]);
	assert_ptr_equal(provision->secret, &config->secrets[0]);
	assert_int_equal(provision->profile, PROVISION_PROFILE_READ_ONLY);
	assert_int_equal(provision->connection_limit, -1);
	assert_int_equal(provision->rotate_every_ms, UINT64_C(30) * 86400 * 1000);
	assert_true(provision->replication);
	config_unref(&config);
}

static void a_provision_must_be_complete(void **state)
{
	(void)state;
	EXPECT_PROBLEMS("[cluster c]\nhosts = a\n[secret s]\nprovider = env\nvariable = V\n[provision p]\n"
	                "[provision q]\ncluster = c\nuser = u\nuser_prefix = v\nsecret = s\nprofile = owner\n"
	                "privileges = SELECT\nrotate_every = 5min\n",
		"t.ini:6: [provision p] needs user or user_prefix",
		"t.ini:6: [provision p] needs cluster",
		"t.ini:6: [provision p] needs secret",
		"t.ini:8: [cluster c] has no admin_user",
		"t.ini:10: user and user_prefix cannot both be set",
		"t.ini:11: provider env of [secret s] cannot be written to",
		"t.ini:13: profile and privileges cannot both be set",
		"t.ini:14: rotate_every: must be 0 or at least 1h");
}

static void peers_have_numbers_and_addresses(void **state)
{
	struct config *config = load("[pgweir]\npeer_id = 2\n[peers]\n1 = host=10.0.0.1 port=6433\n2 = host=/run/pgweir\n");

	(void)state;
	assert_int_equal(config->peer_count, 2);
	assert_int_equal(config->peers[0].id, 1);
	assert_string_equal(config->peers[0].host, "10.0.0.1");
	assert_int_equal(config->peers[0].port, 6433);
	assert_int_equal(config->peers[1].port, 6432);
	config_unref(&config);
	EXPECT_PROBLEMS("[pgweir]\npeer_id = 1\n[peers]\n0 = host=a\n1 = port=1\n2 = host=a\n02 = host=b\n",
		"t.ini:4: \"0\" is not the number of a peer (1 to 16383)",
		"t.ini:5: peer 1: must have the form host=NAME port=NUMBER",
		"t.ini:7: peer 2 is set a second time");
}

static void pgbouncers_word_for_an_empty_query_is_understood(void **state)
{
	struct config *config = load("[pgweir]\nserver_check_query = <empty>\n");

	(void)state;
	assert_string_equal(config->server_check_query, ";");
	config_unref(&config);
}

/* --- Holding a snapshot --- */

static void *hold_and_drop(void *arg)
{
	struct config *shared = arg;

	for (int i = 0; i < 10000; i++) {
		struct config *config = config_ref(shared);

		assert_non_null(config_find_database(config, "any"));
		config_unref(&config);
	}
	return NULL;
}

static void a_snapshot_may_be_held_by_many_threads(void **state)
{
	struct config *config = load("[database *]\nhost = a\n");
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hold_and_drop, config), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	config_unref(&config);
	assert_null(config);
	config_unref(&config);
}

static void items_of_a_list_of_names_may_be_quoted_as_in_sql(void **state)
{
	static const char *const wanted[] = { "plain name", "a, \"b\"", "", " c " };
	const char *rest = "plain name , \"a, \"\"b\"\"\" ,\"\",\" c \"";
	bool good;
	char *item;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		item = config_name_next(&rest, &good);
		assert_true(good);
		assert_string_equal(item, wanted[i]);
		mem_free(item);
	}
	assert_null(config_name_next(&rest, &good));
	assert_true(good);

	static const char *const bad[] = { "\"a", "\"a\" b", "\"a\"\"" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		rest = bad[i];
		assert_null(config_name_next(&rest, &good));
		assert_false(good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_of_a_list_of_names_may_be_quoted_as_in_sql),
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(threads_are_always_a_number),
		cmocka_unit_test(times_are_seconds_unless_they_have_a_unit),
		cmocka_unit_test(malformed_values_say_what_is_right),
		cmocka_unit_test(what_http_needs_is_checked),
		cmocka_unit_test(sizes_have_units_of_1024),
		cmocka_unit_test(paths_start_at_the_folder_of_the_file),
		cmocka_unit_test(hosts_have_ports_weights_and_brackets),
		cmocka_unit_test(malformed_hosts_are_errors),
		cmocka_unit_test(lists_are_searched_by_whole_items),
		cmocka_unit_test(databases_on_the_same_host_share_a_cluster),
		cmocka_unit_test(an_implicit_cluster_stays_clear_of_explicit_names),
		cmocka_unit_test(tls_is_merged_key_by_key),
		cmocka_unit_test(rds_hosts_are_verified_unless_told_otherwise),
		cmocka_unit_test(databases_reached_with_an_iam_token_are_verified),
		cmocka_unit_test(user_wins_over_database_over_process),
		cmocka_unit_test(what_servers_may_be_asked_for_is_the_sum_of_the_pools),
		cmocka_unit_test(what_a_section_leaves_out_is_inherited),
		cmocka_unit_test(the_star_serves_every_other_name),
		cmocka_unit_test(references_must_lead_somewhere),
		cmocka_unit_test(a_database_needs_exactly_one_place),
		cmocka_unit_test(a_password_and_a_secret_exclude_each_other),
		cmocka_unit_test(tls_towards_clients_must_be_complete),
		cmocka_unit_test(auth_types_must_have_what_they_need),
		cmocka_unit_test(pgweir_must_listen_and_drain_sensibly),
		cmocka_unit_test(a_secret_needs_what_its_provider_needs),
		cmocka_unit_test(a_provision_is_linked_to_its_cluster_and_secret),
		cmocka_unit_test(a_provision_must_be_complete),
		cmocka_unit_test(peers_have_numbers_and_addresses),
		cmocka_unit_test(pgbouncers_word_for_an_empty_query_is_understood),
		cmocka_unit_test(a_snapshot_may_be_held_by_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
