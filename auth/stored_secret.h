/* The forms in which a secret is stored, here and in pg_authid. */
#ifndef PGWEIR_STORED_SECRET_H
#define PGWEIR_STORED_SECRET_H

#include "pgweir/check.h"

enum stored_secret { STORED_PLAIN, STORED_MD5, STORED_SCRAM };

/* "md5" with 32 digits and a well-formed verifier are what they look like; all else is a plain password. */
enum stored_secret stored_secret_kind(const char *text) MUST_USE;

#endif
