/* The region of the machine, as EC2's metadata service says it: for those whom nothing else tells one. */
#ifndef PGWEIR_SECRETS_AWS_REGION_H
#define PGWEIR_SECRETS_AWS_REGION_H

#include "aws.h"

struct aws_region_ask;
/* Once, on the loop, never from within aws_region_ask(), not after the cancel. aws_region_known() says what came of it. */
typedef void aws_region_cb(void *arg);

/* NULL: not asked yet, or it is not known there. */
const char *aws_region_known(const struct aws *aws);
/* All who ask share the request under way. NULL: the service is not to be asked, or had no answer a minute ago. */
struct aws_region_ask *aws_region_ask(struct aws *aws, aws_region_cb *callback, void *arg) MUST_USE;
void aws_region_cancel(struct aws_region_ask **ask);    /* NULL is fine. */

/* aws.c's: with the last reference. */
void aws_region_fini(struct aws *aws);

#endif
