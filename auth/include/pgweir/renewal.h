/* Reading a secret again, for those who stand below what can do it: the secrets library says how. Any thread. */
#ifndef PGWEIR_RENEWAL_H
#define PGWEIR_RENEWAL_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/loop.h"

struct reread;
/* On the loop given, never from within the call, not after renewal_cancel(). The lease is up to date by then. */
typedef void renewal_cb(void *arg);

struct renewal_source {
	struct reread *(*start)(const char *secret, struct loop *loop, renewal_cb *callback, void *arg);
	void (*cancel)(struct reread **reread);
};
void renewal_provide(const struct renewal_source *source);      /* For good. Until then nobody can. */

/* NULL: nobody can. */
struct reread *renewal_start(const char *secret, struct loop *loop, renewal_cb *callback, void *arg) MUST_USE;
void renewal_cancel(struct reread **reread);                    /* NULL is fine. On the loop of the request. */

#endif
