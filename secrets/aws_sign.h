/* Signatures of AWS, version 4: requests signed in a header, requests signed in their query, and the tokens with which one
 * logs in to RDS.
 *
 * Pure functions: keys, time and message come in, a signature goes out. Whoever holds keys wipes them. */
#ifndef PGWEIR_SECRETS_AWS_SIGN_H
#define PGWEIR_SECRETS_AWS_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/buf.h"

enum { AWS_TOKEN_EXPIRES_S = 900 };     /* RDS takes no other. */

struct aws_header {
	const char *name, *value;
};

struct aws_message {
	const char *method;
	const char *path, *query;       /* As they are meant, not encoded yet; what is encoded in a query stays so. NULL: none. */
	const struct aws_header *headers;       /* With Host, without X-Amz-Date and X-Amz-Security-Token. */
	size_t header_count;
	const void *body;
	size_t body_size;
};

struct aws_signing {
	const char *access_key_id, *secret_access_key;
	const char *session_token;      /* NULL: the keys are no temporary ones. */
	const char *region, *service;
	int64_t wall_s;                 /* Since 1970. */
	bool path_as_is;                /* S3's way: "." and ".." and "//" in a path stay. */
	bool with_content_hash;         /* A header X-Amz-Content-Sha256 goes along. */
	bool token_unsigned;            /* The session token goes along, and no signature covers it. */
	unsigned expires_s;             /* Of a signed query. */
};

enum { AWS_DATE_SIZE = 17, AWS_HEX_SIZE = 65 };         /* Each with its NUL. */

/* What goes into the header Authorization, and the one for X-Amz-Date. */
void aws_sign_header(const struct aws_signing *signing, const struct aws_message *message, struct buf *authorization,
	char date[AWS_DATE_SIZE]);
/* The whole query, with the signature as its last parameter but for an unsigned token. */
void aws_sign_query(const struct aws_signing *signing, const struct aws_message *message, struct buf *query);
/* The password for `user` at `host`:`port`: `service`, `path_as_is` and the other choices do not count. */
void aws_sign_rds_token(const struct aws_signing *signing, const char *host, uint16_t port, const char *user,
	struct buf *token);

/* For queries and forms: everything but letters, digits and "-_.~" becomes %XX. */
void aws_encode(struct buf *out, const char *text);

#endif
