/* What the settings table says about itself and about a snapshot: the reference, the sample, SHOW CONFIG, SET, and what
 * a reload changed. Secrets are shown as settings_mask wherever they are set. */
#ifndef PGWEIR_SETTINGS_H
#define PGWEIR_SETTINGS_H

#include <stdbool.h>
#include <stdio.h>

#include "pgweir/config.h"
#include "pgweir/error.h"

extern const char settings_mask[];              /* "********" */

void settings_describe(FILE *out);              /* The reference, as Markdown, section by section. */
void settings_sample(FILE *out);                /* A commented pgweir.ini; as it stands it yields the defaults. */

/* A row of the table, for documents. Texts have `words` in backquotes. */
struct settings_row {
	const char *section, *section_summary;
	bool section_named;                     /* [section NAME] */
	const char *key, *summary, *detail;     /* detail may be NULL. */
	const char *form;                       /* "A duration; default `5s`; applies on reload"; lives during the call. */
};
typedef void settings_row_cb(const struct settings_row *row, void *arg);
void settings_rows(settings_row_cb *callback, void *arg);      /* Section by section. */
extern const char settings_head[];              /* What the file looks like, in paragraphs. */

/* A row of SHOW CONFIG. Times are plain seconds, as PgBouncer shows them; what is not set is "". */
struct settings_shown {
	const char *key, *value, *default_value;
	bool changeable;                        /* Without a restart. */
};
/* The texts live during the call. */
typedef void settings_cb(const struct settings_shown *shown, void *arg);
void settings_foreach(const struct config *config, settings_cb *callback, void *arg);      /* The keys of [pgweir]. */

/* A section's header and a key of it, as they stand in a file. `name` may be NULL; long values go on in further lines. */
void settings_write_header(const char *kind, const char *name, FILE *out);
void settings_write(const char *key, const char *value, FILE *out);

void config_print_effective(const struct config *config, FILE *out);

struct config_change {
	const char *section;                    /* "pgweir", "database app", … */
	const char *key;                        /* NULL: the section as a whole came or went. */
	const char *old_value, *new_value;      /* "" where it is not set or not there. */
	bool came, went;                        /* With key NULL: which. */
	bool needs_restart;
};
typedef void config_change_cb(const struct config_change *change, void *arg);
/* In the order of the table, [pgweir] first. */
void config_changes(const struct config *before, const struct config *after, config_change_cb *callback, void *arg);
/* Puts back what takes a restart to change, so that a snapshot says what is in force; `callback` hears of each. Before anybody
 * else has `config`. */
void config_keep_running(struct config *config, const struct config *running, config_change_cb *callback, void *arg);

/* A new snapshot with a key of [pgweir] replaced, or NULL: unknown keys (42704), bad values (22023), and keys that need
 * a restart (55P02). The file is read again, together with what was set before; config_load() forgets all of that. Not for
 * snapshots from config_load_text(), whose file need not exist. `value` is taken as it is: no ${NAME}. */
struct config *config_set(const struct config *old, const char *key, const char *value, struct error *error) MUST_USE;

#endif
