/* Numbers as people write them. */
#ifndef PGWEIR_UNITS_H
#define PGWEIR_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/check.h"

/* All take the whole text or return false. */
bool units_parse_int(const char *text, int64_t *value) MUST_USE;           /* Decimal, with an optional sign. */
bool units_parse_bool(const char *text, bool *value) MUST_USE;             /* 0 1 yes no on off true false */
/* PgBouncer's times: a plain number, decimals allowed, is seconds; us ms s min h d may follow. What is above 0 but
 * below a millisecond becomes one, since 0 would mean something else. */
bool units_parse_duration(const char *text, uint64_t *value_ms) MUST_USE;
bool units_parse_size(const char *text, uint64_t *bytes) MUST_USE;         /* B kB MB GB TB, of 1024 as in PostgreSQL. */

void units_format_duration(uint64_t value_ms, struct buf *out);             /* Plain seconds, as PgBouncer shows them. */

#endif
