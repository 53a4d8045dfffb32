/* Whether a host's name still leads where it did. Control loop only.
 *
 * The name is resolved again and again; when the address that was noted first is not among what it leads to any more,
 * the owner is told, and the next address is noted anew. Numbers and Unix sockets lead nowhere else. */
#ifndef PGWEIR_NAMES_H
#define PGWEIR_NAMES_H

#include <stdint.h>

#include "pgweir/config.h"
#include "pgweir/loop.h"
#include "pgweir/resolver.h"

struct names;

/* Never from within a call; must not free it. */
typedef void names_cb(const struct resolver_answer *now, void *arg);

/* NULL: there is nothing to watch. `every_ms` is not 0. */
struct names *names_new(struct loop *loop, const struct config_host *host, uint64_t every_ms, names_cb *moved, void *arg);
void names_free(struct names **names);          /* NULL is fine. */
/* A connection has been made to `address` (NULL is fine, for both): the name is resolved at once if that is another one. */
void names_note(struct names *names, const char *address);

#endif
