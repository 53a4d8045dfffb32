/* Reading a secret again, and tokens, for those who stand below what can do it: the secrets library says how. Any thread. */
#ifndef PGWEIR_RENEWAL_H
#define PGWEIR_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct reread;
/* On the loop given, never from within the call, not after renewal_cancel(). The lease is up to date by then. */
typedef void renewal_cb(void *arg);

struct token_ask;
/* Same rules. `token` NULL: `error`; else it lives during the call. */
typedef void renewal_token_cb(const char *token, const struct error *error, void *arg);

struct renewal_place {
	const char *secret, *host;
	uint16_t port;
	const char *user;
};

struct renewal_source {
	struct reread *(*start)(const char *secret, struct loop *loop, renewal_cb *callback, void *arg);
	void (*cancel)(struct reread **reread);
	struct token_ask *(*ask_token)(const char *secret, const char *host, uint16_t port, const char *user, bool anew,
		struct loop *loop, renewal_token_cb *callback, void *arg);
	void (*cancel_token)(struct token_ask **ask);
};
void renewal_provide(const struct renewal_source *source);      /* For good. Until then nobody can. */

/* NULL: nobody can. */
struct reread *renewal_start(const char *secret, struct loop *loop, renewal_cb *callback, void *arg) MUST_USE;
void renewal_cancel(struct reread **reread);                    /* NULL is fine. On the loop of the request. */

/* `anew`: the server has refused the last one. NULL: nobody can. */
struct token_ask *renewal_ask_token(const struct renewal_place *place, bool anew, struct loop *loop,
	renewal_token_cb *callback, void *arg) MUST_USE;
void renewal_cancel_token(struct token_ask **ask);              /* NULL is fine. On the loop of the request. */

#endif
