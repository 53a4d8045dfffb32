#ifndef PGWEIR_CREDENTIALS_INTERNAL_H
#define PGWEIR_CREDENTIALS_INTERNAL_H

#include "pgweir/credentials.h"
#include "scram.h"

/* Copies all of it; each but `user` may be NULL. One reference, the caller's. */
struct credentials *credentials_make(const char *user, const char *password, const char *md5,
	const struct scram_keys *keys) MUST_USE;
/* What they were proved against was this answer of auth_query's. */
void credentials_note_stored(struct credentials *credentials, const char *stored);
/* For pgweir's own connections as `user`: of its [user] section, else of auth_file. */
struct credentials *credentials_of_user(const struct config *config, const char *user) MUST_USE;

#endif
