/* One row of the settings table, and the kinds of sections whose keys the rows are.
 *
 * A row says where in the snapshot its value lies, how the text becomes that value and back, and all that the
 * reference, the sample and SHOW CONFIG print. Nothing about a key is written down anywhere else. */
#ifndef PGWEIR_SETTING_H
#define PGWEIR_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/config.h"
#include "pgweir/error.h"

enum section_kind {
	SECTION_PGWEIR,
	SECTION_CLUSTER,
	SECTION_DATABASE,
	SECTION_USER,
	SECTION_SECRET,
	SECTION_PROVISION,
	SECTION_PEERS,
	SECTION_KINDS,
};

/* The comment names the field's type. */
enum setting_type {
	SETTING_BOOL,           /* bool */
	SETTING_INT,            /* int */
	SETTING_UINT,           /* unsigned */
	SETTING_PORT,           /* uint16_t */
	SETTING_MODE,           /* mode_t, octal */
	SETTING_ENUM,           /* an enum, or an int that takes CONFIG_INHERIT too */
	SETTING_DURATION,       /* uint64_t, milliseconds */
	SETTING_DURATION_INT,   /* int, milliseconds or CONFIG_INHERIT */
	SETTING_SIZE,           /* uint64_t, bytes */
	SETTING_TEXT,           /* char *, as are those that follow */
	SETTING_WORD,           /* one of `words` */
	SETTING_LIST,           /* comma-separated; of `words` if there are any */
	SETTING_NAMES,          /* comma-separated; items may be quoted as names are in SQL */
	SETTING_PATH,           /* made absolute */
	SETTING_ADDRESS,        /* host:port, or empty */
	SETTING_HOSTS,          /* struct config_host *, with its count beside it in the cluster */
	SETTING_PEER,           /* a struct config_peer whose id is the key */
	SETTING_TYPES,
};

enum setting_applies {
	APPLIES_RELOAD,
	APPLIES_NEW_CONNECTIONS,
	APPLIES_RESTART,
};

struct setting_word {
	const char *word;
	int value;
};

struct setting {
	const char *name;
	enum setting_type type;
	size_t offset;
	const char *default_text;               /* NULL: not set. */
	const char *inherits;                   /* What counts when it is not set, for people; NULL: nothing. */
	int64_t min, max;                       /* Both 0: the type's own bounds. Durations are bounded in milliseconds. */
	const struct setting_word *words;       /* Ends with a NULL word. Numbers may have them too (`auto`). */
	enum setting_applies applies;
	bool secret;
	const char *summary;
	const char *detail;                     /* May be NULL. */
};

struct section_type {
	const char *word;                       /* "database" */
	bool named;                             /* [database NAME]; the others stand alone. */
	size_t size;                            /* Of the struct that its rows' offsets point into. */
	const struct setting *settings;
	const size_t *count;
	const char *summary;
};

extern const struct section_type section_types[SECTION_KINDS];

/* Where relative paths start; never ends in '/' but for the root. */
struct setting_base {
	const char *folder;
};

/* The row, or NULL. For [peers] every whole number is a key of the one row. */
const struct setting *setting_find(enum section_kind kind, const char *name);
const char *setting_nearest(enum section_kind kind, const char *name);         /* NULL where nothing is near. */
const char *setting_type_word(enum setting_type type);

/* Reads `text` into the row's field of `target`, releasing what was there. The error never shows a value. */
bool setting_parse(const struct setting *setting, const struct setting_base *base, const char *text, void *target,
	struct error *error) MUST_USE;
/* Appends the value as text that setting_parse() reads back to the same value; nothing where it is not set. */
void setting_format(const struct setting *setting, const void *target, struct buf *out);
void setting_clear(const struct setting *setting, void *target);

void section_init(enum section_kind kind, void *target);       /* All rows at their defaults. */
void section_clear(enum section_kind kind, void *target);      /* Frees what the rows own. */

/* A row's place, checked against the type that it must have. Enums are ints to the table. */
#define FIELD(owner, member, as) \
	(offsetof(owner, member) \
	 + 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((owner *)0)->member), as) ? 1 : -1]))
#define FIELD_OF_SIZE(owner, member, as) \
	(offsetof(owner, member) + 0 * sizeof(char[sizeof(((owner *)0)->member) == sizeof(as) ? 1 : -1]))

#define AS_BOOL(owner, member) .type = SETTING_BOOL, .offset = FIELD(owner, member, bool)
#define AS_INT(owner, member) .type = SETTING_INT, .offset = FIELD(owner, member, int)
#define AS_UINT(owner, member) .type = SETTING_UINT, .offset = FIELD(owner, member, unsigned)
#define AS_PORT(owner, member) .type = SETTING_PORT, .offset = FIELD(owner, member, uint16_t)
#define AS_MODE(owner, member) .type = SETTING_MODE, .offset = FIELD(owner, member, mode_t)
#define AS_ENUM(owner, member, list) .type = SETTING_ENUM, .offset = FIELD_OF_SIZE(owner, member, int), .words = (list)
#define AS_DURATION(owner, member) .type = SETTING_DURATION, .offset = FIELD(owner, member, uint64_t)
#define AS_DURATION_INT(owner, member) .type = SETTING_DURATION_INT, .offset = FIELD(owner, member, int)
#define AS_SIZE(owner, member) .type = SETTING_SIZE, .offset = FIELD(owner, member, uint64_t)
#define AS_TEXT(owner, member) .type = SETTING_TEXT, .offset = FIELD(owner, member, char *)
#define AS_WORD(owner, member, list) .type = SETTING_WORD, .offset = FIELD(owner, member, char *), .words = (list)
#define AS_LIST(owner, member) .type = SETTING_LIST, .offset = FIELD(owner, member, char *)
#define AS_NAMES(owner, member) .type = SETTING_NAMES, .offset = FIELD(owner, member, char *)
#define AS_PATH(owner, member) .type = SETTING_PATH, .offset = FIELD(owner, member, char *)
#define AS_ADDRESS(owner, member) .type = SETTING_ADDRESS, .offset = FIELD(owner, member, char *)

/* The tables, one file per section kind, gathered by setting.c. */
extern const struct setting settings_pgweir[], settings_cluster[], settings_database[], settings_user[],
	settings_secret[], settings_provision[], settings_peers[];
extern const size_t settings_pgweir_count, settings_cluster_count, settings_database_count, settings_user_count,
	settings_secret_count, settings_provision_count, settings_peers_count;

extern const struct setting_word pool_mode_words[], sslmode_words[], protocol_words[], state_audit_words[], auto_words[],
	routing_words[], state_policy_words[];

#endif
