/* Passwords as SASLprep (RFC 4013) has them, the way PostgreSQL applies it: a password that cannot be prepared (not
 * UTF-8, a prohibited character) is taken byte by byte as it is. */
#ifndef PGWEIR_SASLPREP_H
#define PGWEIR_SASLPREP_H

#include "pgweir/check.h"

char *saslprep(const char *password) MUST_USE;   /* The caller's; release with mem_secret_free(). */

#endif
