/* What puts a session's state in force on a server connection that is in another one. */
#ifndef PGWEIR_SETUP_H
#define PGWEIR_SETUP_H

#include "pgweir/check.h"

struct session;
struct setup_cache;

/* One per worker. */
struct setup_cache *setup_cache_new(void) MUST_USE;
void setup_cache_free(struct setup_cache *cache);       /* NULL is fine. */

/* Ahead of the client's message, in the same packet. */
void setup_put(struct session *session);

#endif
