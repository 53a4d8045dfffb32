/* What the files of authentication say, as one immutable snapshot that login threads share. */
#ifndef PGWEIR_AUTH_STATE_H
#define PGWEIR_AUTH_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/config.h"
#include "scram.h"
#include "stored_secret.h"
#include "userlist.h"

struct hba;
struct ident;

struct auth_state {
	_Atomic unsigned references;
	struct userlist users;
	struct hba *hba;                /* NULL unless auth_hba_file is set. */
	struct ident *ident;            /* NULL unless auth_ident_file is set. */
};

struct auth_state *auth_state_current(void) MUST_USE;   /* A reference; never NULL. Any thread. */
void auth_state_unref(struct auth_state **state);       /* NULL is fine. */

/* What an unknown user appears to have: the kind most users have, so that neither the method asked for nor the time
 * it takes tells them from the others. */
enum stored_secret auth_state_mock_kind(const struct auth_state *state) MUST_USE;

/* The salt for a plain password: the same for the same user as long as the process lives, whether the user exists or
 * not. */
void auth_state_salt(const char *user, struct scram_salt *salt);
/* The stored form of a password that nobody knows, the same for the same user. The caller's, mem_secret_free(). */
char *auth_state_mock_secret(const char *user, enum stored_secret kind) MUST_USE;

void auth_state_forget(void);           /* Drops the current one: nobody is known from then on. */

#endif
