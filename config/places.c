#include "places.h"

#include <fnmatch.h>
#include <string.h>

#include "load.h"
#include "pgweir/buf.h"
#include "pgweir/map.h"

static config_place_fn *find_place;

void config_use_places(config_place_fn *find)
{
	find_place = find;
}

bool places_find(const char *secret, struct config_place *place)
{
	*place = (struct config_place){ 0 };
	return secret && find_place && find_place(secret, place);
}

/* The table of names is not there yet while a file is resolved. */
const char *places_pattern(const struct config *config, const char *secret)
{
	for (size_t i = 0; secret && i < config->secret_count; i++)
		if (strcmp(config->secrets[i].name, secret) == 0)
			return config->secrets[i].follow_host;
	return NULL;
}

bool places_follow(const struct config *config, const char *secret, struct config_place *place)
{
	const char *pattern = places_pattern(config, secret);

	return pattern && places_find(secret, place) && place->host[0] && fnmatch(pattern, place->host, FNM_CASEFOLD) == 0;
}

static void add_place(const char *secret, struct buf *all)
{
	struct config_place place;

	if (!places_find(secret, &place))
		return;
	buf_append_cstring(all, place.host);
	buf_append_cstring(all, place.dbname);
	buf_append_u32(all, place.port);
}

uint64_t config_places_hash(const struct config *config)
{
	struct buf all = { 0 };

	for (size_t i = 0; i < config->database_count; i++)
		if (config->databases[i].placed_by_secret)
			add_place(config->databases[i].secret, &all);
	for (size_t i = 0; i < config->cluster_count; i++) {
		if (places_pattern(config, config->clusters[i].probe_secret))
			add_place(config->clusters[i].probe_secret, &all);
		if (places_pattern(config, config->clusters[i].admin_secret))
			add_place(config->clusters[i].admin_secret, &all);
	}
	uint64_t hash = all.size ? map_hash(all.bytes, all.size) : 0;

	buf_fini(&all);
	return hash;
}

struct config *config_load_again(const struct config *old, struct config_problems *problems)
{
	const struct snapshot *snapshot = snapshot_of(old);

	return load_with_overrides(old->path, snapshot->overrides, snapshot->override_count, problems);
}
