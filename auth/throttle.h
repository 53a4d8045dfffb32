/* Failed logins per address: a bucket of tokens each, one taken per failure, filled up again with time. An address
 * without tokens is refused before anything is computed for it. IPv6 counts by /64; Unix sockets are not counted;
 * loopback has a bigger bucket, since everything on this machine shares it. Any thread. */
#ifndef PGWEIR_THROTTLE_H
#define PGWEIR_THROTTLE_H

#include <stdbool.h>
#include <sys/socket.h>

#include "pgweir/check.h"

enum { THROTTLE_BURST = 20, THROTTLE_LOOPBACK_BURST = 100, THROTTLE_PER_SECOND = 1 };

bool throttle_allows(const struct sockaddr_storage *address) MUST_USE;
void throttle_failed(const struct sockaddr_storage *address);
void throttle_reset(void);

#endif
