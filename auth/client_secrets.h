/* What a user must know: the secrets that a login may prove.
 *
 * A user mostly has one. Several are there for secrets that rotate, where the previous value is still taken for a
 * while, and the pending one is taken already: they are plain passwords, and any of them will do. */
#ifndef PGWEIR_CLIENT_SECRETS_H
#define PGWEIR_CLIENT_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/config.h"

enum { CLIENT_SECRETS_MAX = 4 };

struct client_secrets {
	size_t count;                   /* 0: no such user, or one without a password. */
	bool missing;                   /* It is in a [secret] that has no value yet. */
	bool awaited;                   /* And that is being read for the first time. */
	const char *secret;             /* The [secret] that they are of, as the configuration names it; or NULL. */
	char *texts[CLIENT_SECRETS_MAX];       /* Owned. */
	uint64_t versions[CLIENT_SECRETS_MAX]; /* With `secret`: struct lease's. */
};

struct auth_state;

void client_secrets_fini(struct client_secrets *secrets);
void client_secrets_forget_texts(struct client_secrets *secrets);      /* Where they come from is kept. Wipes. */
void client_secrets_add(struct client_secrets *secrets, const char *text);    /* Copied; NULL and what exceeds the limit are not. */
/* Of [user], else auth_file. False: there are none, and auth_query may know. */
bool client_secrets_find(struct client_secrets *secrets, const struct auth_state *state, const struct config *config,
	const char *user) MUST_USE;

#endif
