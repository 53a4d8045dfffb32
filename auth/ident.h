/* auth_ident_file: which names of the outside world may act as which roles, in the form of PostgreSQL's
 * pg_ident.conf: map-name system-name role, where "/regex" and "\1" stand for groups of names. */
#ifndef PGWEIR_IDENT_H
#define PGWEIR_IDENT_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/config.h"

struct ident;

/* NULL after at least one problem. */
struct ident *ident_parse(const char *path, const char *text, size_t size, struct config_problems *problems) MUST_USE;
void ident_free(struct ident **ident);                  /* NULL is fine. */

/* Whether any line is of `map`. `ident` may be NULL: then none is. */
bool ident_has(const struct ident *ident, const char *map) MUST_USE;

/* May `system_name` log in as `user` by `map`? `ident` may be NULL: then by no map. */
bool ident_allows(const struct ident *ident, const char *map, const char *system_name, const char *user) MUST_USE;

#endif
