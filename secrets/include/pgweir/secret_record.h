/* What stands beside a secret's file that pgweir changes itself: the versions with their stages, and whose the secret is.
 *
 * The file at PATH holds the current text, which is all that others read; the record is the file PATH.pgweir. Both are
 * replaced as a whole, one after the other, and the process may end between. The file at PATH is right: if it says what the
 * pending version says, that one is current; if it says what no version says, somebody has written it by hand, and that is
 * the current version. secret_record_settle() makes the record say so. Nothing here reads or writes a file. */
#ifndef PGWEIR_SECRET_RECORD_H
#define PGWEIR_SECRET_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/credentials.h"

struct secret_record_version {
	char *id, *text;                /* NULL: there is none. */
	int64_t created_s;              /* Since 1970; 0: not known. */
};

struct secret_record {
	struct secret_record_version versions[SECRET_STAGES];
	char *provision, *role;         /* Whose it is; NULL: not said. */
	bool deleted;
};

/* The path of the record. Freed with mem_free(). */
char *secret_record_path(const char *path) MUST_USE;
/* False: the text is none of ours. `record` is to be freed either way. */
bool secret_record_parse(const char *text, struct secret_record *record) MUST_USE;
/* Freed with mem_secret_free(); NULL: what it holds is no UTF-8. */
char *secret_record_format(const struct secret_record *record) MUST_USE;
/* True: a version said it already. False: `text` was written by hand, and is the current version from now on. */
bool secret_record_settle(struct secret_record *record, const char *text);
/* `next` becomes the current version, and the former current one the previous. */
void secret_record_shift(struct secret_record *record, struct secret_record_version *next);
bool secret_record_says(const struct secret_record_version *version, const char *text) MUST_USE;
void secret_record_version_fini(struct secret_record_version *version);         /* Wipes. */
void secret_record_fini(struct secret_record *record);                          /* Wipes. */

#endif
