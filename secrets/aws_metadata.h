/* Requests to EC2's metadata service, version 2 and, where it says that there is none, version 1. */
#ifndef PGWEIR_SECRETS_AWS_METADATA_H
#define PGWEIR_SECRETS_AWS_METADATA_H

#include "aws.h"

bool aws_metadata_is_disabled(void);
/* For a token to ask with. */
struct http_call *aws_metadata_ask_token(struct aws *aws, http_cb *callback, void *arg) MUST_USE;
/* `path` begins behind the address: "latest/…". `token` NULL: version 1. */
struct http_call *aws_metadata_ask(struct aws *aws, const char *path, const char *token, http_cb *callback, void *arg) MUST_USE;
/* The answer to aws_metadata_ask_token() is that of a service without tokens, and it may be asked without one. */
bool aws_metadata_has_no_tokens(const struct http_answer *answer);
char *aws_metadata_line(const struct http_answer *answer) MUST_USE;     /* The answer's first line, a new text. */

#endif
