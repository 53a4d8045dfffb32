#ifndef PGWEIR_PLACES_H
#define PGWEIR_PLACES_H

#include "pgweir/config_places.h"

/* What a secret says; `secret` may be NULL. False: nothing. */
bool places_find(const char *secret, struct config_place *place);
/* Which other hosts it may point to; NULL: none, or no such secret. */
const char *places_pattern(const struct config *config, const char *secret);
/* The same where its section lets it point to another host than the configured one (follow_host). */
bool places_follow(const struct config *config, const char *secret, struct config_place *place);

#endif
