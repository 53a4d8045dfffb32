/* auth_file, in PgBouncer's format: lines of "user" "secret", where a doubled quote stands for one and `;` begins a
 * comment. The secret is a plain password, an md5 hash or a SCRAM verifier. */
#ifndef PGWEIR_USERLIST_H
#define PGWEIR_USERLIST_H

#include <stddef.h>

#include "pgweir/config.h"
#include "pgweir/map.h"

struct userlist {
	struct map secrets;             /* User name to text. */
	size_t plain_count, md5_count, scram_count;
};

void userlist_fini(struct userlist *userlist);
const char *userlist_find(const struct userlist *userlist, const char *user);  /* NULL where there is none. */

/* Every bad line is a problem, "path:line: …". The last line of a user counts. Texts of problems never hold a secret. */
void userlist_parse(struct userlist *userlist, const char *path, const char *text, size_t size,
	struct config_problems *problems);

#endif
