/* What both sides of SCRAM need to read and to make messages. */
#ifndef PGWEIR_SCRAM_MESSAGE_H
#define PGWEIR_SCRAM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/buf.h"
#include "pgweir/credentials.h"
#include "pgweir/error.h"

struct scram_span {
	const char *at;
	size_t size;
};

/* Takes "name=value" and the comma after it off the front. False if something else stands there. */
bool scram_attribute(struct scram_span *rest, char name, struct scram_span *value) MUST_USE;
bool scram_printable(struct scram_span value) MUST_USE;         /* Not empty, and RFC 5802's `printable`. */
bool scram_malformed(struct error *error, const char *what);    /* Returns false. */

/* The value of c=, in base64. `flag` is the channel-binding flag of the client's first message. */
void scram_binding_append(struct buf *out, char flag, const void *binding, size_t size);
void scram_nonce_append(struct buf *out);
void scram_proof(const unsigned char client_key[SCRAM_KEY_SIZE], const struct buf *auth_message,
	unsigned char proof[SCRAM_KEY_SIZE]);

#endif
