/* pgbouncer.ini to pgweir.ini: reading it (import_read.c), what each key becomes (import_keys.c), writing (import.c). */
#ifndef PGWEIR_IMPORT_H
#define PGWEIR_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "pgweir/buf.h"
#include "pgweir/error.h"

enum import_place {
	IMPORT_DATABASES,
	IMPORT_USERS,
	IMPORT_PEERS,
	IMPORT_PGBOUNCER,
	IMPORT_PLACES,
};

/* --- What was read --- */

struct import_pair {
	char *key, *value;
	const char *file;               /* Of the source. */
	unsigned line;
};

struct import_pairs {
	struct import_pair *all;
	size_t count;
};

struct import_source {
	struct import_pairs places[IMPORT_PLACES];
	char **files;                   /* Those that were read. */
	size_t file_count;
	char *folder;                   /* Of the first: where relative names are looked up. */
};

/* False: `error` says which line cannot be read, and why. import_source_fini() is due in either case. */
bool import_read(struct import_source *source, const char *path, struct error *error) MUST_USE;
void import_source_fini(struct import_source *source);
/* A connection string of [databases], [users] or [peers] to its pairs. */
bool import_read_pairs(struct import_pairs *pairs, const char *text, struct error *error) MUST_USE;
void import_pairs_fini(struct import_pairs *pairs);
/* NULL: it is not set. The last one counts, as in PgBouncer. */
const char *import_value(const struct import_pairs *pairs, const char *key);
/* `path` as it has to be written where the folder is another: absolute. PgBouncer starts relative names in the folder it
 * was started in, which nobody wrote down; the configuration's own is where they are looked for. */
char *import_path(const struct import_source *source, const char *path) MUST_USE;

/* --- What becomes of it --- */

/* What a translation has to say. */
struct import_word {
	struct buf value;               /* The value here. */
	const char *note;               /* For people; NULL: nothing. */
	bool dropped;                   /* It is not written at all. */
	bool decide;                    /* Someone has to. */
};

struct import_rule {
	const char *key;
	const char *ours;               /* The key here; NULL: the same. */
	const char *bouncer_default;    /* Written where PgBouncer's file does not set it, since ours is another. */
	void (*translate)(const struct import_source *source, const char *value, struct import_word *word); /* NULL: as it is. */
};

struct import_rules {
	const char *section, *ours;     /* PgBouncer's word for it, and pgweir's. */
	const struct import_rule *rules;
	const size_t *count;
};
extern const struct import_rules import_rules[IMPORT_PLACES];

const struct import_rule *import_rule_find(enum import_place place, const char *key);

#endif
