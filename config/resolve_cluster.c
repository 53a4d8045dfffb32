/* [cluster] and [database]: which servers, and with which TLS. */
#include <string.h>

#include "hosts.h"
#include "pgweir/mem.h"
#include "places.h"
#include "resolve.h"
#include "tls_merge.h"

static bool is_set(const struct section *section, const char *key)
{
	return section_entry(section, key) != NULL;
}

static bool sslmode_is_set(const struct resolution *resolution, const struct section *section)
{
	return is_set(source_find(resolution->source, SECTION_PGWEIR, ""), "server_tls_sslmode")
		|| is_set(section, "server_tls_sslmode");
}

static bool is_iam(const struct resolution *resolution, const char *secret_name)
{
	const struct section *section = secret_name ? source_find(resolution->source, SECTION_SECRET, secret_name) : NULL;
	const struct entry *provider = section_entry(section, "provider");

	return provider && provider->value && strcmp(provider->value, "rds-iam") == 0;
}

/* A token is sent in clear text inside TLS: whoever can pretend to be the server could use it. A [user] section is not
 * tied to a database, so that one such user counts for every database that has no user of its own. */
static bool some_user_is_iam(const struct resolution *resolution)
{
	const struct config *config = resolution->config;

	for (size_t i = 0; i < config->user_count; i++)
		if (is_iam(resolution, config->users[i].secret))
			return true;
	return false;
}

static void require_verification(const struct resolution *resolution, const struct section *section,
	struct config_tls *tls)
{
	tls->sslmode = SSLMODE_VERIFY_FULL;
	if (!tls->ca_file)
		problems_warn(resolution->problems, &section->place, "[%s %s] is reached with verify-full, and the system's "
			"certificates may not have Amazon's: set server_tls_ca_file", section_types[section->kind].word, section->name);
}

/* --- [cluster] --- */

static void point_to(struct config_host *host, const struct config_place *place)
{
	mem_free(host->host);
	host->host = mem_strdup(place->host);
	if (place->port)
		host->port = place->port;
}

/* A restored database has another address, which the secret says. Of several hosts it is not told which it would be. */
static void follow_host(const struct config *config, struct config_cluster *cluster)
{
	struct config_place place;

	if (cluster->host_count == 1 && (places_follow(config, cluster->admin_secret, &place)
	                                 || places_follow(config, cluster->probe_secret, &place)))
		point_to(&cluster->hosts[0], &place);
}

static void resolve_cluster(const struct resolution *resolution, const struct section *section,
	struct config_cluster *cluster)
{
	section_init(SECTION_CLUSTER, cluster);
	cluster->name = mem_strdup(section->name);
	tls_copy(&cluster->server_tls, &resolution->config->server_tls);
	cluster->max_server_conn = resolution->config->max_server_conn;
	resolve_entries(resolution, section, cluster);
	resolve_check_tls(resolution, section, &cluster->server_tls, "server_tls");
	resolve_reference(resolution, section, "probe_secret", SECTION_SECRET);
	resolve_reference(resolution, section, "admin_secret", SECTION_SECRET);
	resolve_either(resolution, section, "probe_password", "probe_secret");
	resolve_either(resolution, section, "admin_password", "admin_secret");
	if (!is_set(section, "hosts"))
		problems_error(resolution->problems, &section->place, "[cluster %s] needs hosts", section->name);
	follow_host(resolution->config, cluster);
	if (!sslmode_is_set(resolution, section)
	    && (tls_is_rds(cluster->hosts, cluster->host_count) || is_iam(resolution, cluster->probe_secret)
	        || is_iam(resolution, cluster->admin_secret)))
		require_verification(resolution, section, &cluster->server_tls);
}

void resolve_clusters(struct resolution *resolution)
{
	struct config *config = resolution->config;
	const struct section *section;
	size_t database_count = 0;

	/* Each [database] may add one; pointers into the array must stay good. */
	for (size_t at = 0; resolve_next(resolution, SECTION_DATABASE, &at); )
		database_count++;
	config->clusters = resolve_array(resolution, SECTION_CLUSTER, database_count);
	for (size_t at = 0; (section = resolve_next(resolution, SECTION_CLUSTER, &at)) != NULL; )
		resolve_cluster(resolution, section, &config->clusters[config->cluster_count++]);
}

/* --- [database] --- */

static struct config_cluster *find_cluster(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->cluster_count; i++)
		if (strcmp(config->clusters[i].name, name) == 0)
			return &config->clusters[i];
	return NULL;
}

/* `base`, or `base#2` and so on where others have that name: same hosts, other TLS. */
static char *free_name(const struct config *config, const char *base)
{
	char *name = mem_strdup(base);

	for (unsigned i = 2; find_cluster(config, name); i++) {
		mem_free(name);
		name = mem_printf("%s#%u", base, i);
	}
	return name;
}

static struct config_cluster *find_implicit(const struct config *config, const struct config_host *hosts, size_t count,
	const struct config_tls *tls)
{
	for (size_t i = 0; i < config->cluster_count; i++) {
		struct config_cluster *cluster = &config->clusters[i];

		if (cluster->implicit && hosts_equal(cluster->hosts, cluster->host_count, hosts, count)
		    && tls_equal(&cluster->server_tls, tls))
			return cluster;
	}
	return NULL;
}

/* Takes `hosts`. */
static const struct config_cluster *implicit_cluster(struct config *config, struct config_host *hosts, size_t count,
	const struct config_tls *tls)
{
	struct config_cluster *cluster = find_implicit(config, hosts, count, tls);
	struct buf text = { 0 };

	if (cluster) {
		hosts_free(&hosts, &count);
		return cluster;
	}
	hosts_format(hosts, count, &text);
	char *name = buf_take_text(&text);

	cluster = &config->clusters[config->cluster_count];
	section_init(SECTION_CLUSTER, cluster);
	cluster->name = free_name(config, name);
	cluster->hosts = hosts;
	cluster->host_count = count;
	cluster->implicit = true;
	cluster->max_server_conn = config->max_server_conn;
	tls_copy(&cluster->server_tls, tls);
	config->cluster_count++;
	mem_free(name);
	return cluster;
}

static void use_hosts(const struct resolution *resolution, const struct section *section, struct config_database *database,
	struct config_host *hosts, size_t count, bool wants_verification)
{
	if (!sslmode_is_set(resolution, section) && (wants_verification || tls_is_rds(hosts, count)))
		require_verification(resolution, section, &database->server_tls);
	database->cluster = implicit_cluster(resolution->config, hosts, count, &database->server_tls);
}

static void resolve_host(const struct resolution *resolution, const struct section *section,
	struct config_database *database, bool wants_verification)
{
	const struct entry *host = section_entry(section, "host");
	struct config_host *hosts = NULL;
	struct config_place place;
	size_t count = 0;
	struct error error;

	if (!host->value)
		return;
	if (!hosts_parse(host->value, database->port ? database->port : 5432, &hosts, &count, &error)) {
		problems_error(resolution->problems, &host->place, "host: %s", error.text);
		return;
	}
	if (count == 1 && places_follow(resolution->config, database->secret, &place))
		point_to(&hosts[0], &place);
	use_hosts(resolution, section, database, hosts, count, wants_verification);
}

/* Neither host nor cluster is said. Until the secret has a value there is no host at all. */
static void take_host_of_secret(const struct resolution *resolution, const struct section *section,
	struct config_database *database, bool wants_verification)
{
	struct config_host *hosts = NEW_ARRAY(struct config_host, 1);
	struct config_place place;
	bool known = places_find(database->secret, &place) && place.host[0];

	hosts[0] = (struct config_host){ .port = 5432, .weight = 1 };
	if (known)
		point_to(&hosts[0], &place);
	use_hosts(resolution, section, database, hosts, known, wants_verification);
}

/* Which database is connected to: what the section says, else the secret, else the name that it has for clients. */
static void resolve_dbname(const struct config *config, const struct section *section, struct config_database *database)
{
	struct config_place place;

	if (!database->dbname && places_find(database->secret, &place) && place.dbname[0])
		database->dbname = mem_strdup(place.dbname);
	if (!database->dbname && strcmp(database->name, "*") != 0)
		database->dbname = mem_strdup(database->name);
	bool placed = is_set(section, "dbname") && (is_set(section, "cluster") || is_set(section, "host"));

	database->placed_by_secret = database->secret && (!placed || places_pattern(config, database->secret));
}

static void check_database(const struct resolution *resolution, const struct section *section)
{
	struct problems *problems = resolution->problems;
	const struct entry *port = section_entry(section, "port");
	const struct entry *password = section_entry(section, "password");

	resolve_reference(resolution, section, "cluster", SECTION_CLUSTER);
	resolve_reference(resolution, section, "secret", SECTION_SECRET);
	resolve_either(resolution, section, "cluster", "host");
	resolve_either(resolution, section, "password", "secret");
	if (!is_set(section, "cluster") && !is_set(section, "host") && !is_set(section, "secret"))
		problems_error(problems, &section->place, "[database %s] needs cluster or host", section->name);
	if (port && !is_set(section, "host"))
		problems_error(problems, &port->place, "port goes with host; a cluster has its ports in hosts");
	if (password && !is_set(section, "user"))
		problems_error(problems, &password->place, "password goes with user");
	if (strcmp(section->name, "pgweir") == 0 || strcmp(section->name, "pgbouncer") == 0)
		problems_error(problems, &section->place, "\"%s\" is the name of the admin console", section->name);
}

/* What the section does not set itself. */
static void inherit(const struct config *config, const struct config_tls *tls, struct config_database *database)
{
	tls_copy(&database->server_tls, tls);
	database->auth_user = mem_strdup(config->auth_user);
	database->auth_query = mem_strdup(config->auth_query);
	database->auth_dbname = mem_strdup(config->auth_dbname);
	database->server_lifetime_ms = config->server_lifetime_ms;
}

static void resolve_database(const struct resolution *resolution, const struct section *section,
	struct config_database *database, bool user_is_iam)
{
	const struct entry *entry = section_entry(section, "cluster");
	struct config_cluster *cluster = entry && entry->value ? find_cluster(resolution->config, entry->value) : NULL;
	const struct section *cluster_section = cluster ? source_find(resolution->source, SECTION_CLUSTER, cluster->name) : NULL;

	section_init(SECTION_DATABASE, database);
	database->name = mem_strdup(section->name);
	inherit(resolution->config, cluster ? &cluster->server_tls : &resolution->config->server_tls, database);
	resolve_entries(resolution, section, database);
	resolve_dbname(resolution->config, section, database);
	resolve_check_tls(resolution, section, &database->server_tls, "server_tls");
	check_database(resolution, section);
	database->cluster = cluster;
	if (cluster && !is_set(section, "max_lag"))
		database->max_lag_ms = cluster->max_lag_ms;
	bool wants_verification = is_iam(resolution, database->secret) || (user_is_iam && !database->user);

	if (is_set(section, "host"))
		resolve_host(resolution, section, database, wants_verification);
	else if (!is_set(section, "cluster") && database->secret)
		take_host_of_secret(resolution, section, database, wants_verification);
	else if (wants_verification && !sslmode_is_set(resolution, section) && !is_set(cluster_section, "server_tls_sslmode")
	         && database->server_tls.sslmode != SSLMODE_VERIFY_FULL)
		require_verification(resolution, section, &database->server_tls);
}

void resolve_databases(struct resolution *resolution)
{
	struct config *config = resolution->config;
	bool user_is_iam = some_user_is_iam(resolution);
	const struct section *section;

	config->databases = resolve_array(resolution, SECTION_DATABASE, 0);
	for (size_t at = 0; (section = resolve_next(resolution, SECTION_DATABASE, &at)) != NULL; )
		resolve_database(resolution, section, &config->databases[config->database_count++], user_is_iam);
}
