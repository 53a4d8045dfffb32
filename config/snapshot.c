/* The life of a snapshot, and finding things in it. */
#include "snapshot.h"

#include <string.h>

#include "pgweir/mem.h"
#include "setting.h"

struct snapshot *snapshot_new(const char *path)
{
	struct snapshot *snapshot = NEW(struct snapshot);

	section_init(SECTION_PGWEIR, &snapshot->config);
	snapshot->config.path = mem_strdup(path);
	atomic_init(&snapshot->references, 1);
	return snapshot;
}

const struct snapshot *snapshot_of(const struct config *config)
{
	return (const struct snapshot *)(const void *)config;
}

static void index_names(struct map *map, const void *array, size_t count, size_t size)
{
	/* Each of these structs starts with its name. */
	for (size_t i = 0; i < count; i++) {
		char *item = (char *)(uintptr_t)array + i * size;

		map_put_text(map, *(char **)(void *)item, item);
	}
}

void snapshot_index(struct snapshot *snapshot)
{
	const struct config *config = &snapshot->config;

	_Static_assert(offsetof(struct config_database, name) == 0, "the name comes first");
	_Static_assert(offsetof(struct config_user, name) == 0, "the name comes first");
	_Static_assert(offsetof(struct config_cluster, name) == 0, "the name comes first");
	_Static_assert(offsetof(struct config_secret, name) == 0, "the name comes first");
	_Static_assert(offsetof(struct config_provision, name) == 0, "the name comes first");
	index_names(&snapshot->databases, config->databases, config->database_count, sizeof(struct config_database));
	index_names(&snapshot->users, config->users, config->user_count, sizeof(struct config_user));
	index_names(&snapshot->clusters, config->clusters, config->cluster_count, sizeof(struct config_cluster));
	index_names(&snapshot->secrets, config->secrets, config->secret_count, sizeof(struct config_secret));
	index_names(&snapshot->provisions, config->provisions, config->provision_count, sizeof(struct config_provision));
}

void snapshot_override(struct snapshot *snapshot, const char *key, const char *value)
{
	for (size_t i = 0; i < snapshot->override_count; i++) {
		struct override *former = &snapshot->overrides[i];

		if (strcmp(former->key, key) != 0)
			continue;
		mem_free(former->value);
		former->value = mem_strdup(value);
		return;
	}
	snapshot->overrides = mem_realloc(snapshot->overrides, (snapshot->override_count + 1) * sizeof(struct override));
	snapshot->overrides[snapshot->override_count++] = (struct override){ mem_strdup(key), mem_strdup(value) };
}

void snapshot_drop_overrides(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->override_count; i++) {
		mem_free(snapshot->overrides[i].key);
		mem_free(snapshot->overrides[i].value);
	}
	mem_free(snapshot->overrides);
	snapshot->overrides = NULL;
	snapshot->override_count = 0;
}

static void free_array(enum section_kind kind, void *array, size_t count)
{
	size_t size = section_types[kind].size;

	for (size_t i = 0; i < count; i++) {
		char *item = (char *)array + i * size;

		section_clear(kind, item);
		if (section_types[kind].named)
			mem_free(*(char **)(void *)item);
	}
	mem_free(array);
}

static void snapshot_free(struct snapshot *snapshot)
{
	struct config *config = &snapshot->config;

	map_fini(&snapshot->databases);
	map_fini(&snapshot->users);
	map_fini(&snapshot->clusters);
	map_fini(&snapshot->secrets);
	map_fini(&snapshot->provisions);
	free_array(SECTION_DATABASE, config->databases, config->database_count);
	free_array(SECTION_USER, config->users, config->user_count);
	free_array(SECTION_CLUSTER, config->clusters, config->cluster_count);
	free_array(SECTION_SECRET, config->secrets, config->secret_count);
	free_array(SECTION_PROVISION, config->provisions, config->provision_count);
	free_array(SECTION_PEERS, config->peers, config->peer_count);
	snapshot_drop_overrides(snapshot);
	section_clear(SECTION_PGWEIR, config);
	mem_free(config->path);
	mem_free(snapshot);
}

struct config *config_ref(struct config *config)
{
	unsigned before = atomic_fetch_add_explicit(&((struct snapshot *)(void *)config)->references, 1, memory_order_relaxed);

	CHECK(before > 0);
	return config;
}

void config_unref(struct config **config)
{
	struct snapshot *snapshot = (struct snapshot *)(void *)*config;

	*config = NULL;
	if (!snapshot)
		return;
	unsigned before = atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel);

	CHECK(before > 0);
	if (before == 1)
		snapshot_free(snapshot);
}

const struct config_database *config_find_database(const struct config *config, const char *name)
{
	const struct map *databases = &snapshot_of(config)->databases;
	const struct config_database *database = map_get_text(databases, name);

	return database ? database : map_get_text(databases, "*");
}

const struct config_user *config_find_user(const struct config *config, const char *name)
{
	return map_get_text(&snapshot_of(config)->users, name);
}

const struct config_cluster *config_find_cluster(const struct config *config, const char *name)
{
	return map_get_text(&snapshot_of(config)->clusters, name);
}

const struct config_secret *config_find_secret(const struct config *config, const char *name)
{
	return map_get_text(&snapshot_of(config)->secrets, name);
}

const struct config_provision *config_find_provision(const struct config *config, const char *name)
{
	return map_get_text(&snapshot_of(config)->provisions, name);
}
