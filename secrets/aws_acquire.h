/* Getting AWS credentials: walks a chain (aws_chain.h) from its first link through the roles to assume. */
#ifndef PGWEIR_SECRETS_AWS_ACQUIRE_H
#define PGWEIR_SECRETS_AWS_ACQUIRE_H

#include "aws.h"

struct aws_acquire;
/* Once, on the loop, never from within the call, not after the cancel. `keys` NULL: `error`; else a reference of the
 * receiver's. `from` says how the chain begins. */
typedef void aws_acquired_cb(struct aws_keys *keys, enum aws_link from, const struct error *error, void *arg);

/* `region` (of STS) may be NULL: then the environment or the profile says it. */
struct aws_acquire *aws_acquire_start(struct aws *aws, const struct aws_who *who, const char *region,
	aws_acquired_cb *callback, void *arg) MUST_USE;
void aws_acquire_cancel(struct aws_acquire **acquire);  /* NULL is fine. */

#endif
