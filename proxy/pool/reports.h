/* What a server reports of its settings (ParameterStatus). */
#ifndef PGWEIR_POOL_REPORTS_H
#define PGWEIR_POOL_REPORTS_H

#include "pgweir/backend.h"

/* True: the borrower knows it, as it has set it itself. */
bool backend_reported(struct backend *backend, const char *name, const char *value);
void backend_reports_end(struct backend *backend);              /* With ReadyForQuery. */

#endif
