/* One login of pgweir's own to one host, as probes and auth_query have them: with what a [secret] says, its values in turn and
 * the secret read again in between; with a token; or with a password that is no secret's.
 *
 * It says with what to log in. Whose connection it is, and how it is made, is the owner's. Of one loop. */
#ifndef PGWEIR_SECRET_LOGIN_H
#define PGWEIR_SECRET_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/credentials.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct secret_login;

/* Log in with `credentials` now, which live until the next begin or try_other; or do not, `error` says why. The former perhaps
 * from within those two calls. */
typedef void secret_login_cb(const struct credentials *credentials, const struct error *error, void *arg);

struct secret_login *secret_login_new(struct loop *loop, secret_login_cb *callback, void *arg) MUST_USE;
void secret_login_free(struct secret_login **login);            /* NULL is fine. */

/* Takes over the reference. `host` is copied. */
void secret_login_begin(struct secret_login *login, struct credentials *wanted, const char *host, uint16_t port);
/* The server has let us in. */
void secret_login_worked(struct secret_login *login);
/* It has not, or there is no connection. True: the callback says what to do next. */
bool secret_login_try_other(struct secret_login *login, const struct error *reason) MUST_USE;

/* The last value it went with is none that the secret has any more. */
bool secret_login_is_retired(const struct secret_login *login) MUST_USE;

#endif
