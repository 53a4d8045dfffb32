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

/* The values that a secret may have at one time. */
enum secret_stage { SECRET_CURRENT, SECRET_PENDING, SECRET_PREVIOUS, SECRET_STAGES };
extern const char *const secret_stage_words[SECRET_STAGES];

struct credentials {
	_Atomic unsigned references;
	char *user;
	char *password;                 /* Plain, or NULL. */
	char *md5;                      /* "md5…" as pg_authid stores it, or NULL. */
	bool has_scram_keys;            /* Learned from a client's proof: enough to log in where the verifier is the same. */
	unsigned char scram_client_key[SCRAM_KEY_SIZE];
	unsigned char scram_server_key[SCRAM_KEY_SIZE];
	uint64_t fingerprint;           /* Equal for equal contents; says nothing about them. */
	char *secret;                   /* The [secret] they are a value of, or NULL. */
	char *role;                     /* With a secret: whom to log in as where it names no user. */
	char *acts_as;                  /* The role to take after the login, as whose stand-in `user` was made; or NULL. */
	enum secret_stage stage;        /* With a secret. */
	uint64_t secret_version;        /* Which of its versions they are, counted as a lease does. */
	uint64_t secret_serial;         /* struct lease's: of two, the newer counts. 0: not of a secret. */
	uint64_t stored;                /* A number for what auth_query has said of the user, which changes with it; 0: not asked. */
	bool missing;                   /* The secret has no value yet: there is no logging in. */
	bool on_demand;                 /* The secret has a value of its own for each login: ask for it (tokens.h). */
};

struct credentials *credentials_ref(struct credentials *credentials);
void credentials_unref(struct credentials **credentials);       /* NULL is fine. */

/* The [user] section of a client: the one of that name, or of a provisioned user whose secret says that it is this role
 * on the server, or the one that takes turns with it. NULL: none. */
const struct config_user *credentials_find_user(const struct config *config, const char *name);

/* Which login serves clients of (database, user): the database's own secret, or its user and password, else the [user]'s
 * secret or password, else the entry of auth_file, else what the client proved (`proved`, may be NULL). A secret that
 * names a user is that user's login, whatever the client is called. Never NULL: without anything only `user` is set,
 * which is enough where the server trusts pgweir or checks its certificate. */
struct credentials *credentials_for_server(const struct config *config, const struct config_database *database,
	const char *user, const struct credentials *proved) MUST_USE;

/* For pgweir's own connections: of the secret (NULL: none, or there is no such one), else user and password (may be NULL). */
struct credentials *credentials_for_us(const char *secret, const char *user, const char *password) MUST_USE;

/* For credentials of a secret: what it says now for that stage. NULL: nothing. */
struct credentials *credentials_of_stage(const struct credentials *credentials, enum secret_stage stage) MUST_USE;
/* For credentials of a secret: does it still say so, for now or for soon? */
bool credentials_in_force(const struct credentials *credentials) MUST_USE;

/* For credentials of a secret with tokens: the same user with this one. They are not of the secret any more. */
struct credentials *credentials_with_token(const struct credentials *credentials, const char *token) MUST_USE;

/* The same without what proves anything: for a connection that has logged in, and may live for long. */
struct credentials *credentials_without_values(const struct credentials *credentials) MUST_USE;

/* True if they hold more than the role's name. */
bool credentials_can_prove(const struct credentials *credentials);

#endif
