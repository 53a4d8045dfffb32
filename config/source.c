#include "source.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"

void source_init(struct source *source, struct problems *problems)
{
	*source = (struct source){ .problems = problems };
}

static void section_free(struct section *section)
{
	for (size_t i = 0; i < section->count; i++) {
		mem_free(section->entries[i].key);
		mem_secret_free(section->entries[i].value);
	}
	mem_free(section->entries);
	mem_free(section->name);
	mem_free(section);
}

void source_fini(struct source *source)
{
	for (size_t i = 0; i < source->count; i++)
		section_free(source->sections[i]);
	for (size_t i = 0; i < source->file_count; i++)
		mem_free(source->files[i]);
	mem_free(source->sections);
	mem_free(source->files);
	map_fini(&source->by_name);
	*source = (struct source){ 0 };
}

static char *header_text(enum section_kind kind, const char *name)
{
	return mem_printf("%s %s", section_types[kind].word, name);
}

struct section *source_find(const struct source *source, enum section_kind kind, const char *name)
{
	char *header = header_text(kind, name);
	struct section *section = map_get_text(&source->by_name, header);

	mem_free(header);
	return section;
}

struct section *source_add(struct source *source, enum section_kind kind, const char *name, const struct place *place)
{
	struct section *section = NEW(struct section);
	char *header = header_text(kind, name);

	*section = (struct section){ .kind = kind, .name = mem_strdup(name), .place = *place };
	source->sections = mem_realloc(source->sections, (source->count + 1) * sizeof(struct section *));
	source->sections[source->count++] = section;
	map_put_text(&source->by_name, header, section);
	mem_free(header);
	return section;
}

struct entry *section_entry(const struct section *section, const char *key)
{
	for (size_t i = 0; section && i < section->count; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return &section->entries[i];
	return NULL;
}

void section_add(struct section *section, const struct setting *setting, const char *key, char *value,
	const struct place *place)
{
	section->entries = mem_realloc(section->entries, (section->count + 1) * sizeof(struct entry));
	section->entries[section->count++] = (struct entry){
		.setting = setting,
		.key = mem_strdup(key),
		.value = value,
		.place = *place,
	};
}

char *source_path_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : mem_strdup(".");
	char *absolute = realpath(folder, NULL);

	if (!absolute)
		return folder;
	mem_free(folder);
	return absolute;
}
