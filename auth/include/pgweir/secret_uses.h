/* What clients do with each [secret]: who logs in with which version of it.
 *
 * Versions are numbered as those of a lease: the previous one is one less, the pending one will be one more. Any thread. */
#ifndef PGWEIR_SECRET_USES_H
#define PGWEIR_SECRET_USES_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/check.h"

void secret_uses_count(const char *secret, const char *user, uint64_t version);
/* "app: 12 with version 3; app: 1 with version 2"; nothing where nobody has logged in. */
void secret_uses_describe(const char *secret, struct buf *out);

void secret_uses_forget_all(void);      /* At the end of the process. */

#endif
