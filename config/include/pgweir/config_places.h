/* What the configuration leaves to secrets: where a database is.
 *
 * The configuration knows no secrets; whoever does is asked while a file is read, so that a snapshot has one answer. When
 * the answer changes, the file is read again. */
#ifndef PGWEIR_CONFIG_PLACES_H
#define PGWEIR_CONFIG_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/config.h"

enum { CONFIG_PLACE_HOST_MAX = 256, CONFIG_PLACE_DBNAME_MAX = 64 };

struct config_place {
	char host[CONFIG_PLACE_HOST_MAX], dbname[CONFIG_PLACE_DBNAME_MAX];      /* "": not said. */
	uint16_t port;                  /* 0: not said. */
};

/* False: the secret is not known. On the thread that reads configurations. */
typedef bool config_place_fn(const char *secret, struct config_place *place);
void config_use_places(config_place_fn *find);          /* NULL: none is known. */

/* Hashes what secrets say now about what `config` leaves to them; 0: it leaves nothing to them. */
uint64_t config_places_hash(const struct config *config);

/* Reads the file of `old` again, with what was SET since. NULL: `problems` say why. */
struct config *config_load_again(const struct config *old, struct config_problems *problems) MUST_USE;

#endif
