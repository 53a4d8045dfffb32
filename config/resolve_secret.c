/* [secret] and [provision]. */
#include <string.h>

#include "pgweir/mem.h"
#include "resolve.h"

/* Which key says where a provider finds its value. */
static const struct {
	const char *provider, *key;
} locators[] = {
	{ "aws-secrets-manager", "id" },
	{ "file", "path" },
	{ "env", "variable" },
	{ "static", "value" },
};

static void check_secret(const struct resolution *resolution, const struct section *section,
	const struct config_secret *secret)
{
	if (!section_entry(section, "provider"))
		problems_error(resolution->problems, &section->place, "[secret %s] needs provider", section->name);
	if (!secret->provider)
		return;
	for (size_t i = 0; i < ARRAY_LEN(locators); i++) {
		const struct entry *entry = section_entry(section, locators[i].key);
		bool wanted = strcmp(secret->provider, locators[i].provider) == 0;

		if (wanted && (!entry || (entry->value && !*entry->value)))
			problems_error(resolution->problems, &section->place, "[secret %s]: provider %s needs %s", section->name,
				secret->provider, locators[i].key);
		if (!wanted && entry)
			problems_warn(resolution->problems, &entry->place, "%s is not used by provider %s", entry->key,
				secret->provider);
	}
}

void resolve_secrets(struct resolution *resolution)
{
	struct config *config = resolution->config;
	const struct section *section;

	config->secrets = resolve_array(resolution, SECTION_SECRET, 0);
	for (size_t at = 0; (section = resolve_next(resolution, SECTION_SECRET, &at)) != NULL; ) {
		struct config_secret *secret = &config->secrets[config->secret_count++];

		section_init(SECTION_SECRET, secret);
		secret->name = mem_strdup(section->name);
		resolve_entries(resolution, section, secret);
		check_secret(resolution, section, secret);
		if (secret->follow_host && strcmp(secret->follow_host, "off") == 0) {
			mem_free(secret->follow_host);
			secret->follow_host = NULL;
		}
	}
}

static const struct place *place_of(const struct section *section, const char *key)
{
	const struct entry *entry = section_entry(section, key);

	return entry ? &entry->place : &section->place;
}

static void link_provision(const struct resolution *resolution, struct config_provision *provision)
{
	const struct config *config = resolution->config;

	for (size_t i = 0; provision->cluster_name && i < config->cluster_count; i++)
		if (!config->clusters[i].implicit && strcmp(config->clusters[i].name, provision->cluster_name) == 0)
			provision->cluster = &config->clusters[i];
	for (size_t i = 0; provision->secret_name && i < config->secret_count; i++)
		if (strcmp(config->secrets[i].name, provision->secret_name) == 0)
			provision->secret = &config->secrets[i];
}

static void check_provision(const struct resolution *resolution, const struct section *section,
	const struct config_provision *provision)
{
	static const uint64_t rotate_least_ms = 3600 * 1000;
	struct problems *problems = resolution->problems;

	resolve_reference(resolution, section, "cluster", SECTION_CLUSTER);
	resolve_reference(resolution, section, "secret", SECTION_SECRET);
	resolve_either(resolution, section, "user", "user_prefix");
	resolve_either(resolution, section, "profile", "privileges");
	if (!section_entry(section, "user") && !section_entry(section, "user_prefix"))
		problems_error(problems, &section->place, "[provision %s] needs user or user_prefix", section->name);
	if (!section_entry(section, "cluster"))
		problems_error(problems, &section->place, "[provision %s] needs cluster", section->name);
	if (!section_entry(section, "secret"))
		problems_error(problems, &section->place, "[provision %s] needs secret", section->name);
	if (provision->cluster && !provision->cluster->admin_user)
		problems_error(problems, place_of(section, "cluster"), "[cluster %s] has no admin_user", provision->cluster_name);
	if (provision->secret && provision->secret->provider
	    && strcmp(provision->secret->provider, "aws-secrets-manager") != 0 && strcmp(provision->secret->provider, "file") != 0)
		problems_error(problems, place_of(section, "secret"), "provider %s of [secret %s] cannot be written to",
			provision->secret->provider, provision->secret_name);
	if (provision->rotate_every_ms && provision->rotate_every_ms < rotate_least_ms)
		problems_error(problems, place_of(section, "rotate_every"), "rotate_every: must be 0 or at least 1h");
}

/* The secret is the provision's; it says who logs in to the server. */
static void link_user(const struct resolution *resolution, struct config_user *user)
{
	const struct section *section = source_find(resolution->source, SECTION_USER, user->name);
	const struct config *config = resolution->config;
	const struct config_provision *provision = NULL;

	for (size_t i = 0; i < config->provision_count && !provision; i++)
		if (strcmp(config->provisions[i].name, user->provision) == 0)
			provision = &config->provisions[i];
	if (!provision || !provision->secret_name || user->secret)
		return;
	user->secret = mem_strdup(provision->secret_name);
	if (provision->secret_format == SECRET_FORMAT_PLAIN && (!provision->user || strcmp(provision->user, user->name) != 0))
		problems_error(resolution->problems, place_of(section, "provision"),
			"[provision %s] has secret_format = plain, which does not say who [user %s] is on the server: use json",
			provision->name, user->name);
}

void resolve_provisions(struct resolution *resolution)
{
	struct config *config = resolution->config;
	const struct section *section;

	config->provisions = resolve_array(resolution, SECTION_PROVISION, 0);
	for (size_t at = 0; (section = resolve_next(resolution, SECTION_PROVISION, &at)) != NULL; ) {
		struct config_provision *provision = &config->provisions[config->provision_count++];

		section_init(SECTION_PROVISION, provision);
		provision->name = mem_strdup(section->name);
		resolve_entries(resolution, section, provision);
		link_provision(resolution, provision);
		check_provision(resolution, section, provision);
	}
	for (size_t i = 0; i < config->user_count; i++)
		if (config->users[i].provision)
			link_user(resolution, &config->users[i]);
}
