/* The table as a whole. */
#include "setting.h"

#include <string.h>

#include "pgweir/nearest.h"
#include "units.h"

const struct section_type section_types[SECTION_KINDS] = {
	[SECTION_PGWEIR] = { "pgweir", false, sizeof(struct config), settings_pgweir, &settings_pgweir_count,
		"The process as a whole, and what holds wherever nothing nearer says otherwise." },
	[SECTION_CLUSTER] = { "cluster", true, sizeof(struct config_cluster), settings_cluster, &settings_cluster_count,
		"One writable node and its replicas." },
	[SECTION_DATABASE] = { "database", true, sizeof(struct config_database), settings_database, &settings_database_count,
		"A database by the name that clients ask for; `*` serves every name without a section of its own." },
	[SECTION_USER] = { "user", true, sizeof(struct config_user), settings_user, &settings_user_count,
		"What holds for one user; wins over [database] and [pgweir]." },
	[SECTION_SECRET] = { "secret", true, sizeof(struct config_secret), settings_secret, &settings_secret_count,
		"A credential and where it is fetched." },
	[SECTION_PROVISION] = { "provision", true, sizeof(struct config_provision), settings_provision, &settings_provision_count,
		"A backing user that pgweir creates and keeps." },
	[SECTION_PEERS] = { "peers", false, sizeof(struct config_peer), settings_peers, &settings_peers_count,
		"Other instances behind the same address." },
};

const struct setting *setting_find(enum section_kind kind, const char *name)
{
	const struct section_type *type = &section_types[kind];
	int64_t id;

	if (kind == SECTION_PEERS)
		return units_parse_int(name, &id) && id >= 1 && id <= CONFIG_PEER_ID_MAX ? &type->settings[0] : NULL;
	for (size_t i = 0; i < *type->count; i++)
		if (strcmp(type->settings[i].name, name) == 0)
			return &type->settings[i];
	return NULL;
}

const char *setting_nearest(enum section_kind kind, const char *name)
{
	const struct section_type *type = &section_types[kind];
	struct nearest nearest = { .wanted = name };

	for (size_t i = 0; i < *type->count && kind != SECTION_PEERS; i++)
		nearest_offer(&nearest, type->settings[i].name);
	return nearest.best;
}

static void set_default(const struct setting *setting, void *target)
{
	static const struct setting_base nowhere = { .folder = "" };
	struct error error;

	if (setting->type == SETTING_INT || setting->type == SETTING_ENUM || setting->type == SETTING_DURATION_INT)
		*(int *)(void *)((char *)target + setting->offset) = CONFIG_INHERIT;
	if (setting->default_text)
		CHECK(setting_parse(setting, &nowhere, setting->default_text, target, &error));
}

void section_init(enum section_kind kind, void *target)
{
	const struct section_type *type = &section_types[kind];

	memset(target, 0, type->size);
	for (size_t i = 0; i < *type->count; i++)
		set_default(&type->settings[i], target);
}

void section_clear(enum section_kind kind, void *target)
{
	const struct section_type *type = &section_types[kind];

	for (size_t i = 0; i < *type->count; i++)
		setting_clear(&type->settings[i], target);
}
