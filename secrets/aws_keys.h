/* One set of AWS credentials. Immutable, reference-counted, wiped at the end; of the loop's own thread. */
#ifndef PGWEIR_SECRETS_AWS_KEYS_H
#define PGWEIR_SECRETS_AWS_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "pgweir/error.h"

struct aws_keys {
	unsigned references;
	char *access_key_id, *secret_access_key;
	char *session_token;            /* NULL: no temporary ones. */
	int64_t expires_s;              /* Since 1970; 0: never. */
};

/* Copies; one reference. */
struct aws_keys *aws_keys_new(const char *access_key_id, const char *secret_access_key, const char *session_token,
	int64_t expires_s) MUST_USE;
struct aws_keys *aws_keys_ref(struct aws_keys *keys);
void aws_keys_unref(struct aws_keys **keys);            /* NULL is fine. */

/* What the endpoints of containers and EC2 and a credential_process print, and what STS does. NULL: `error`, without a
 * part of what there was. */
struct aws_keys *aws_keys_of_json(const char *text, size_t size, struct error *error) MUST_USE;
struct aws_keys *aws_keys_of_xml(const char *text, size_t size, struct error *error) MUST_USE;

/* The text of the first element `name` in an answer of STS, with the five entities; NULL: none. Free with
 * mem_secret_free(). */
char *aws_xml_text(const char *text, size_t size, const char *name) MUST_USE;

#endif
