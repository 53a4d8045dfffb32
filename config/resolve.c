#include "resolve.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/nearest.h"

void resolve_entries(const struct resolution *resolution, const struct section *section, void *target)
{
	struct error error;

	for (size_t i = 0; section && i < section->count; i++) {
		const struct entry *entry = &section->entries[i];

		if (entry->value && !setting_parse(entry->setting, &resolution->base, entry->value, target, &error))
			problems_error(resolution->problems, &entry->place, "%s: %s", entry->key, error.text);
	}
}

const struct section *resolve_next(const struct resolution *resolution, enum section_kind kind, size_t *at)
{
	while (*at < resolution->source->count) {
		const struct section *section = resolution->source->sections[(*at)++];

		if (section->kind == kind)
			return section;
	}
	return NULL;
}

void *resolve_array(const struct resolution *resolution, enum section_kind kind, size_t spare)
{
	size_t count = spare;

	for (size_t at = 0; resolve_next(resolution, kind, &at); )
		count++;
	return mem_alloc_array(count, section_types[kind].size);
}

void resolve_reference(const struct resolution *resolution, const struct section *section, const char *key,
	enum section_kind kind)
{
	const struct entry *entry = section_entry(section, key);

	if (!entry || !entry->value || !*entry->value || source_find(resolution->source, kind, entry->value))
		return;
	struct nearest nearest = { .wanted = entry->value };
	const struct section *candidate;

	for (size_t at = 0; (candidate = resolve_next(resolution, kind, &at)) != NULL; )
		nearest_offer(&nearest, candidate->name);
	problems_error(resolution->problems, &entry->place, "%s: there is no [%s %s]%s%s%s", key, section_types[kind].word,
		entry->value, nearest.best ? "; did you mean \"" : "", nearest.best ? nearest.best : "", nearest.best ? "\"?" : "");
}

void resolve_either(const struct resolution *resolution, const struct section *section, const char *first,
	const char *second)
{
	const struct entry *one = section_entry(section, first), *other = section_entry(section, second);

	if (!one || !other)
		return;
	const struct entry *later = one->place.order > other->place.order ? one : other;

	problems_error(resolution->problems, &later->place, "%s and %s cannot both be set", first, second);
}

static void check_key_secret(const struct resolution *resolution, const struct section *section,
	const struct config_tls *tls, const char *prefix)
{
	char *key = mem_printf("%s_key_secret", prefix);
	const struct entry *entry = section_entry(section, key);
	const struct section *secret = entry && entry->value ? source_find(resolution->source, SECTION_SECRET, entry->value) : NULL;
	const struct entry *provider = secret ? section_entry(secret, "provider") : NULL;

	resolve_reference(resolution, section, key, SECTION_SECRET);
	if (entry && tls->key_secret && !tls->key_file)
		problems_error(resolution->problems, &entry->place, "%s needs %s_key_file", key, prefix);
	if (provider && provider->value && strcmp(provider->value, "rds-iam") == 0)
		problems_error(resolution->problems, &entry->place, "%s: provider rds-iam makes tokens, and no passphrase", key);
	mem_free(key);
}

void resolve_check_tls(const struct resolution *resolution, const struct section *section, const struct config_tls *tls,
	const char *prefix)
{
	if (section && !tls->cert_file != !tls->key_file)
		problems_error(resolution->problems, &section->place, "%s_cert_file and %s_key_file go together", prefix, prefix);
	if (section)
		check_key_secret(resolution, section, tls, prefix);
}

/* --- [pgweir] --- */

static int core_count(void)
{
	cpu_set_t cores;

	CPU_ZERO(&cores);
	if (sched_getaffinity(0, sizeof(cores), &cores) < 0)
		return 1;
	return CPU_COUNT(&cores) > 0 ? CPU_COUNT(&cores) : 1;
}

/* At the key if it is set, else at the section. */
static const struct place *place_of(const struct section *section, const char *key)
{
	const struct entry *entry = section_entry(section, key);

	return entry ? &entry->place : &section->place;
}

static void check_client_tls(const struct resolution *resolution, const struct section *section)
{
	const struct config *config = resolution->config;
	const struct config_tls *tls = &config->client_tls;
	const struct place *place = place_of(section, "client_tls_sslmode");

	resolve_check_tls(resolution, section, tls, "client_tls");
	if (tls->sslmode != SSLMODE_DISABLE && !tls->cert_file && !tls->key_file)
		problems_error(resolution->problems, place, "client_tls_sslmode needs client_tls_cert_file and client_tls_key_file");
	if (tls->sslmode >= SSLMODE_VERIFY_CA && !tls->ca_file)
		problems_error(resolution->problems, place, "client_tls_sslmode: to verify certificates needs client_tls_ca_file");
	if (tls->sslmode == SSLMODE_DISABLE && tls->cert_file)
		problems_warn(resolution->problems, place_of(section, "client_tls_cert_file"),
			"the certificate is not used while client_tls_sslmode is disable");
	if (config->auth_type == AUTH_TYPE_CERT && tls->sslmode < SSLMODE_VERIFY_CA)
		problems_error(resolution->problems, place_of(section, "auth_type"),
			"auth_type: cert needs client_tls_sslmode = verify-ca or verify-full");
}

static void check_process(const struct resolution *resolution, const struct section *section)
{
	const struct config *config = resolution->config;
	struct problems *problems = resolution->problems;

	/* All is at its default otherwise, and the defaults agree. */
	if (!section)
		return;
	check_client_tls(resolution, section);
	resolve_check_tls(resolution, section, &config->server_tls, "server_tls");
	if (config->auth_type == AUTH_TYPE_HBA && !config->auth_hba_file)
		problems_error(problems, place_of(section, "auth_type"), "auth_type: hba needs auth_hba_file");
	if (config->drain_timeout_ms < config->drain_delay_ms && config->drain_timeout_ms)
		problems_error(problems, place_of(section, "drain_timeout"), "drain_timeout must not be less than drain_delay");
	if (!config->http_user != !config->http_password)
		problems_error(problems, place_of(section, config->http_user ? "http_user" : "http_password"),
			"http_user and http_password go together");
	if (config->http_user && strchr(config->http_user, ':'))
		problems_error(problems, place_of(section, "http_user"), "http_user: a name with a colon cannot be sent");
	if (*config->http_listen && strcmp(config->http_listen, config->health_listen) == 0)
		problems_error(problems, place_of(section, "health_listen"), "health_listen must differ from http_listen, which has "
			"the same pages too");
	if (!*config->listen_addr && !*config->unix_socket_dir)
		problems_error(problems, place_of(section, "listen_addr"), "neither listen_addr nor unix_socket_dir is set");
	if (config->min_pool_size > config->default_pool_size)
		problems_warn(problems, place_of(section, "min_pool_size"), "min_pool_size is above default_pool_size");
}

static void resolve_process(struct resolution *resolution)
{
	const struct section *section = source_find(resolution->source, SECTION_PGWEIR, "");
	struct config *config = resolution->config;
	int cores = core_count();

	resolve_entries(resolution, section, config);
	check_process(resolution, section);
	if (!config->threads)
		config->threads = cores;
	if (!config->login_threads)
		config->login_threads = cores / 2 > 1 ? cores / 2 : 1;
	/* PgBouncer's way to ask for an empty query. */
	if (strcmp(config->server_check_query, "<empty>") == 0) {
		mem_free(config->server_check_query);
		config->server_check_query = mem_strdup(";");
	}
}

/* --- [user] and [peers] --- */

static void resolve_users(struct resolution *resolution)
{
	struct config *config = resolution->config;
	const struct section *section;

	config->users = resolve_array(resolution, SECTION_USER, 0);
	for (size_t at = 0; (section = resolve_next(resolution, SECTION_USER, &at)) != NULL; ) {
		struct config_user *user = &config->users[config->user_count++];

		section_init(SECTION_USER, user);
		user->name = mem_strdup(section->name);
		resolve_entries(resolution, section, user);
		resolve_reference(resolution, section, "secret", SECTION_SECRET);
		resolve_reference(resolution, section, "client_secret", SECTION_SECRET);
		resolve_reference(resolution, section, "provision", SECTION_PROVISION);
		resolve_either(resolution, section, "password", "secret");
		resolve_either(resolution, section, "password", "provision");
		resolve_either(resolution, section, "secret", "provision");
		resolve_either(resolution, section, "client_password", "client_secret");
	}
}

static void resolve_peers(struct resolution *resolution)
{
	const struct section *section = source_find(resolution->source, SECTION_PEERS, "");
	struct config *config = resolution->config;
	struct error error;

	config->peers = NEW_ARRAY(struct config_peer, section ? section->count : 0);
	for (size_t i = 0; section && i < section->count; i++) {
		const struct entry *entry = &section->entries[i];
		struct config_peer *peer = &config->peers[config->peer_count++];

		peer->id = (unsigned)strtoul(entry->key, NULL, 10);
		if (entry->value && !setting_parse(entry->setting, &resolution->base, entry->value, peer, &error))
			problems_error(resolution->problems, &entry->place, "peer %s: %s", entry->key, error.text);
		for (size_t j = 0; j + 1 < config->peer_count; j++)
			if (config->peers[j].id == peer->id)
				problems_error(resolution->problems, &entry->place, "peer %u is set a second time", peer->id);
	}
	if (config->peer_count && !config->peer_id)
		problems_warn(resolution->problems, &section->place, "[peers] is of no use while [pgweir] has no peer_id");
}

void resolve(struct resolution *resolution)
{
	resolve_process(resolution);
	resolve_secrets(resolution);
	resolve_users(resolution);
	resolve_clusters(resolution);
	resolve_databases(resolution);
	resolve_provisions(resolution);
	resolve_peers(resolution);
}
