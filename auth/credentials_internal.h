#ifndef PGWEIR_CREDENTIALS_INTERNAL_H
#define PGWEIR_CREDENTIALS_INTERNAL_H

#include "pgweir/credentials.h"
#include "scram.h"

/* Copies all of it; each but `user` may be NULL. One reference, the caller's. */
struct credentials *credentials_make(const char *user, const char *password, const char *md5,
	const struct scram_keys *keys) MUST_USE;

#endif
