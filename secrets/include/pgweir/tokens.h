/* Tokens of RDS: passwords made for one host, port and user out of AWS credentials, for secrets of provider `rds-iam`.
 *
 * They are made on the control plane without a request to anybody, and kept while they are good. Logins with them are
 * spread out where they would be more a second than RDS likes. */
#ifndef PGWEIR_TOKENS_H
#define PGWEIR_TOKENS_H

#include <stdint.h>

#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct token_ask;
/* Once, on the loop given, never from within the call, not after token_cancel(). `token` NULL: `error`; else it lives
 * during the call. */
typedef void token_cb(const char *token, const struct error *error, void *arg);

/* `host` and `port` as the configuration has them; iam_host is applied here. `anew`: the server has refused the last one. */
struct token_ask *token_start(const char *secret, const char *host, uint16_t port, const char *user, bool anew,
	struct loop *loop, token_cb *callback, void *arg) MUST_USE;
void token_cancel(struct token_ask **ask);      /* NULL is fine. On the loop of the request. */

/* At once, for commands. NULL: `error`; else to be freed with mem_secret_free(). */
char *token_make_now(const struct config_secret *secret, const char *host, uint16_t port, const char *user,
	struct error *error) MUST_USE;

#endif
