#ifndef PGWEIR_SECRETS_TOKEN_INTERNAL_H
#define PGWEIR_SECRETS_TOKEN_INTERNAL_H

#include "pgweir/tokens.h"

/* From when to when requests are served. On the control loop's thread. */
void token_service_start(struct loop *control);
void token_service_stop(void);

/* secrets.c: the section as it is now, or NULL. On the control loop's thread. */
const struct config_secret *secrets_section(const char *name);

/* The address that the token is for: what `iam_host` says of `host`, else `host` itself. A new text without a port. */
char *token_host(const char *iam_host, const char *host, uint16_t *port) MUST_USE;

#endif
