#ifndef PGWEIR_SECRETS_TOKEN_INTERNAL_H
#define PGWEIR_SECRETS_TOKEN_INTERNAL_H

#include "aws.h"
#include "pgweir/tokens.h"

/* From when to when requests are served. On the control loop's thread. */
void token_service_start(struct loop *control);
void token_service_stop(void);

/* secrets.c: the section as it is now, or NULL. On the control loop's thread. */
const struct config_secret *secrets_section(const char *name);

/* The address that the token is for: what `iam_host` says of `host`, else `host` itself. A new text without a port. */
char *token_host(const char *iam_host, const char *host, uint16_t *port) MUST_USE;
/* What the section, the host's name, AWS's files or EC2 say; NULL where none of them does. */
char *token_region(const struct aws *aws, const struct config_secret *section, const char *host) MUST_USE;
/* A new secret text. */
char *token_make(const struct aws *aws, const struct aws_keys *keys, const char *region, const char *host, uint16_t port,
	const char *user) MUST_USE;

#endif
