/* One connection to the server that answers auth_query, as the database's auth_user. Control loop only. */
#ifndef PGWEIR_LOOKUP_SOURCE_H
#define PGWEIR_LOOKUP_SOURCE_H

#include "lookup.h"

struct lookup_source;

/* Once per question, never from within lookup_source_ask(), not after lookup_source_free(). `secret` only when found. */
typedef void lookup_source_cb(enum lookup_outcome outcome, const char *secret, const struct error *error, void *arg);

/* Keeps a reference to `config`. Connects when first asked, and again after a loss. */
struct lookup_source *lookup_source_new(struct loop *control, struct config *config,
	const struct config_database *database, const char *dbname) MUST_USE;
void lookup_source_free(struct lookup_source **source);         /* NULL is fine. */

void lookup_source_secrets_changed(struct lookup_source *source);
void lookup_source_ask(struct lookup_source *source, const char *user, lookup_source_cb *callback, void *arg);

#endif
