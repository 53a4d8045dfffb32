#ifndef PGWEIR_LOG_INTERNAL_H
#define PGWEIR_LOG_INTERNAL_H

#include "pgweir/buf.h"
#include "pgweir/log.h"

/* " name=value" for each field but the one called `but` (may be NULL). */
void log_put_fields(struct buf *line, const struct log_field *fields, const char *but);

#endif
