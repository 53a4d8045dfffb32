/* Loading: read, resolve, and either a snapshot or its problems. */
#include "load.h"

#include <string.h>

#include "pgweir/mem.h"
#include "resolve.h"

/* The console's SET wins over the file. */
static void apply_overrides(struct source *source, const struct override *overrides, size_t count)
{
	struct place place = { .file = "SET" };
	struct section *section = source_find(source, SECTION_PGWEIR, "");

	if (count && !section)
		section = source_add(source, SECTION_PGWEIR, "", &place);
	for (size_t i = 0; i < count; i++) {
		struct entry *entry = section_entry(section, overrides[i].key);
		char *value = mem_strdup(overrides[i].value);

		if (!entry) {
			section_add(section, setting_find(SECTION_PGWEIR, overrides[i].key), overrides[i].key, value, &place);
			continue;
		}
		mem_secret_free(entry->value);
		entry->value = value;
		entry->place = place;
	}
}

/* Takes what the source holds, and the source. */
static struct config *build(struct source *source, const char *path, const struct override *overrides, size_t count,
	struct config_problems *problems)
{
	struct snapshot *snapshot = snapshot_new(path);
	char *folder = source_path_folder(path);
	struct resolution resolution = {
		.source = source,
		.problems = source->problems,
		.config = &snapshot->config,
		.base = { .folder = folder },
	};
	struct config *config = &snapshot->config;

	for (size_t i = 0; i < count; i++)
		snapshot_override(snapshot, overrides[i].key, overrides[i].value);
	apply_overrides(source, overrides, count);
	resolve(&resolution);
	bool failed = source->problems->error_count > 0;

	problems_finish(source->problems, problems);
	source_fini(source);
	mem_free(folder);
	if (failed)
		config_unref(&config);
	else
		snapshot_index(snapshot);
	return config;
}

struct config *load_with_overrides(const char *path, const struct override *overrides, size_t count,
	struct config_problems *problems)
{
	struct problems found = { 0 };
	struct source source;

	source_init(&source, &found);
	source_read_file(&source, path);
	return build(&source, path, overrides, count, problems);
}

struct config *config_load(const char *path, struct config_problems *problems)
{
	return load_with_overrides(path, NULL, 0, problems);
}

struct config *config_load_text(const char *path, const char *text, size_t size, struct config_problems *problems)
{
	struct problems found = { 0 };
	struct source source;

	source_init(&source, &found);
	source_read_text(&source, path, text, size);
	return build(&source, path, NULL, 0, problems);
}
