/* From checked sections to a snapshot: values are read, defaults and inheritance settled, references looked up. */
#ifndef PGWEIR_RESOLVE_H
#define PGWEIR_RESOLVE_H

#include "snapshot.h"
#include "source.h"

struct resolution {
	const struct source *source;
	struct problems *problems;
	struct config *config;
	struct setting_base base;
};

/* Fills the snapshot; what is wrong goes to the problems. */
void resolve(struct resolution *resolution);

/* --- For the parts of it --- */

void resolve_clusters(struct resolution *resolution);
void resolve_databases(struct resolution *resolution);
void resolve_secrets(struct resolution *resolution);
void resolve_provisions(struct resolution *resolution);

/* Reads the entries of `section` into `target`; a NULL section has none. */
void resolve_entries(const struct resolution *resolution, const struct section *section, void *target);
/* A zeroed array with room for `spare` more than there are sections of the kind. */
void *resolve_array(const struct resolution *resolution, enum section_kind kind, size_t spare) MUST_USE;
/* The next section of the kind after `*at`, which starts at 0; NULL at the end. */
const struct section *resolve_next(const struct resolution *resolution, enum section_kind kind, size_t *at);
/* Reports a key whose value names no section of `kind`. */
void resolve_reference(const struct resolution *resolution, const struct section *section, const char *key,
	enum section_kind kind);
/* Reports the second of two keys that cannot stand together. */
void resolve_either(const struct resolution *resolution, const struct section *section, const char *first,
	const char *second);
void resolve_check_tls(const struct resolution *resolution, const struct section *section, const struct config_tls *tls,
	const char *prefix);

#endif
