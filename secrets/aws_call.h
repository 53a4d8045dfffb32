/* One operation of an AWS service that speaks JSON 1.1: signed, sent, and sent again where that helps. */
#ifndef PGWEIR_SECRETS_AWS_CALL_H
#define PGWEIR_SECRETS_AWS_CALL_H

#include <jansson.h>

#include "aws.h"

enum aws_fault {
	AWS_FINE,
	AWS_MISSING,
	AWS_EXISTS,
	AWS_DELETED,
	AWS_DENIED,
	AWS_REFUSED,                    /* Asking again will not help. */
	AWS_UNAVAILABLE,                /* Asking again, later, may. */
};

/* Where the calls for one [secret] go, and as whom. */
struct aws_client;
struct aws_call;

struct aws_answer {
	enum aws_fault fault;
	char code[64];                  /* AWS's word for the error, or "". */
	struct error error;             /* Unless fine: "ThrottlingException: …". */
	const json_t *root;             /* Fine: the object; lives during the callback. */
};

/* Once, on the loop, never from within aws_call_start(), not after aws_call_cancel(). */
typedef void aws_call_cb(const struct aws_answer *answer, void *arg);

struct aws_client *aws_client_open(struct aws *aws, const struct config_secret *secret) MUST_USE;
void aws_client_close(struct aws_client **client);      /* NULL is fine. Without calls under way. */
/* `operation` is "GetSecretValue" and the like. `body` is copied, wiped after. */
struct aws_call *aws_call_start(struct aws_client *client, const char *operation, const char *body, aws_call_cb *callback,
	void *arg) MUST_USE;
void aws_call_cancel(struct aws_call **call);           /* NULL is fine. */

/* aws_fault.c: what AWS's words for errors mean. */
enum aws_remedy {
	AWS_REMEDY_NONE,
	AWS_REMEDY_WAIT,                /* Again, a little later. */
	AWS_REMEDY_KEYS,                /* Again, with other credentials; once. */
	AWS_REMEDY_CLOCK,               /* Again, if the clock was wrong; once. */
};
enum aws_remedy aws_fault_find(long status, const char *code, const char *message, enum aws_fault *fault);

#endif
