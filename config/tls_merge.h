/* TLS settings that are inherited from section to section. */
#ifndef PGWEIR_TLS_MERGE_H
#define PGWEIR_TLS_MERGE_H

#include "pgweir/config.h"

void tls_copy(struct config_tls *to, const struct config_tls *from);        /* `to` holds nothing yet. */
bool tls_equal(const struct config_tls *a, const struct config_tls *b);
/* Whether RDS's own host name is among them. */
bool tls_is_rds(const struct config_host *hosts, size_t count);

#endif
