/* What pgweir knows of a role in order to log in to a server as that role.
 *
 * Immutable, reference-counted, any thread. Everything in it is wiped with the last reference. */
#ifndef PGWEIR_CREDENTIALS_H
#define PGWEIR_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/config.h"

enum { SCRAM_KEY_SIZE = 32 };

struct credentials {
	_Atomic unsigned references;
	char *user;
	char *password;                 /* Plain, or NULL. */
	char *md5;                      /* "md5…" as pg_authid stores it, or NULL. */
	bool has_scram_keys;            /* Learned from a client's proof: enough to log in where the verifier is the same. */
	unsigned char scram_client_key[SCRAM_KEY_SIZE];
	unsigned char scram_server_key[SCRAM_KEY_SIZE];
	uint64_t fingerprint;           /* Equal for equal contents; says nothing about them. */
};

struct credentials *credentials_ref(struct credentials *credentials);
void credentials_unref(struct credentials **credentials);       /* NULL is fine. */

/* Which login serves clients of (database, user): the database's own user, else the [user]'s password, else the entry
 * of auth_file, else what the client proved (`proved`, may be NULL). Never NULL: without any secret only `user` is set,
 * which is enough where the server trusts pgweir or checks its certificate. */
struct credentials *credentials_for_server(const struct config *config, const struct config_database *database,
	const char *user, const struct credentials *proved) MUST_USE;

/* True if they hold more than the role's name. */
bool credentials_can_prove(const struct credentials *credentials);

#endif
