/* Provider `aws-secrets-manager`: one [secret]'s value of now, the one before it, and the one that a rotation prepares.
 *
 * Each reading asks DescribeSecret first, which holds no value: versions that are known already are not fetched again, so
 * that a secret that did not change costs one cheap request. Who may not describe is served by three fetches instead. */
#ifndef PGWEIR_SECRETS_AWS_SECRET_H
#define PGWEIR_SECRETS_AWS_SECRET_H

#include "pgweir/loop.h"
#include "provider.h"

struct aws_secret;

/* Once per aws_secret_read(), on the loop, never from within the call, not after the free. `error` NULL: good. What is
 * taken out of `reading` is emptied. */
typedef void aws_secret_cb(struct reading *reading, const struct error *error, void *arg);

/* `section` is kept. */
struct aws_secret *aws_secret_new(struct loop *loop, const struct config_secret *section) MUST_USE;
/* The same section in a newer snapshot. */
void aws_secret_use(struct aws_secret *secret, const struct config_secret *section);
void aws_secret_free(struct aws_secret **secret);       /* NULL is fine. Not from its callback. */
void aws_secret_read(struct aws_secret *secret, aws_secret_cb *callback, void *arg);    /* One at a time. */

/* At once, on a loop of its own: for commands. */
bool aws_secret_read_now(const struct config_secret *section, struct reading *reading, struct error *error) MUST_USE;

#endif
