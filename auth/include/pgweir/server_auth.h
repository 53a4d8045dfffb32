/* pgweir's own login to a server: answers the server's Authentication messages with what credentials allow. */
#ifndef PGWEIR_SERVER_AUTH_H
#define PGWEIR_SERVER_AUTH_H

#include "pgweir/buf.h"
#include "pgweir/credentials.h"
#include "pgweir/error.h"

struct server_auth;

enum server_auth_step {
	SERVER_AUTH_SEND,       /* `answer` is the body of a 'p' message to send. */
	SERVER_AUTH_QUIET,      /* Nothing to send (SASLFinal verified); wait for the next one. */
	SERVER_AUTH_OK,         /* AuthenticationOk, and everything that had to be proved before it was. */
	SERVER_AUTH_FAILED,     /* `error`: method not possible with these credentials, or the server is not who it says. */
};

/* `binding` is empty without TLS. `plain_allowed`: a cleartext password may be sent without TLS. */
struct server_auth *server_auth_new(struct credentials *credentials, bool tls, const void *binding, size_t binding_size,
	bool plain_allowed) MUST_USE;
void server_auth_free(struct server_auth **server_auth);        /* NULL is fine. */

/* An Authentication message: its code, and its body after the code. A server that says Ok in the middle of SCRAM, an
 * iteration count above 10 million, or a wrong server signature is an error (28P01/08P01). */
enum server_auth_step server_auth_message(struct server_auth *server_auth, uint32_t code, const void *body, size_t size,
	struct buf *answer, struct error *error) MUST_USE;

#endif
