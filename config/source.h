/* The files as sections of entries, checked line by line but not yet understood. */
#ifndef PGWEIR_SOURCE_H
#define PGWEIR_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/map.h"
#include "problems.h"
#include "setting.h"

/* A key that is set. */
struct entry {
	const struct setting *setting;
	char *key;                     /* As written; the row's name but for [peers]. */
	char *value;                   /* Expanded; NULL if that failed and was reported. Wiped when freed. */
	struct place place;
};

struct section {
	enum section_kind kind;
	char *name;                    /* "" where the kind has none. */
	struct place place;
	struct entry *entries;
	size_t count;
};

struct source {
	struct section **sections;     /* In order of appearance. */
	size_t count;
	struct map by_name;            /* "kind name" to struct section. */
	char **files;                  /* Names that places point to. */
	size_t file_count;
	unsigned order;                /* Lines read so far. */
	bool includes_allowed;
	struct problems *problems;
};

void source_init(struct source *source, struct problems *problems);
void source_fini(struct source *source);
/* Both report to the problems; the source holds what could be read. */
void source_read_file(struct source *source, const char *path);
void source_read_text(struct source *source, const char *path, const char *text, size_t size);

/* NULL where there is none. `kind` and `name` as in a header; "" for kinds without names. */
struct section *source_find(const struct source *source, enum section_kind kind, const char *name);
struct section *source_add(struct source *source, enum section_kind kind, const char *name, const struct place *place);
struct entry *section_entry(const struct section *section, const char *key);
/* Takes `value`. The key must not be there yet. */
void section_add(struct section *section, const struct setting *setting, const char *key, char *value,
	const struct place *place);

/* The folder of `path` without a '/' at the end, absolute; the caller's. */
char *source_path_folder(const char *path) MUST_USE;

#endif
