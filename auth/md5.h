/* PostgreSQL's md5 passwords: what pg_authid stores, and the answer to AuthenticationMD5Password. */
#ifndef PGWEIR_MD5_H
#define PGWEIR_MD5_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"

enum { MD5_SALT_SIZE = 4, MD5_TEXT_SIZE = 36 };         /* "md5" and 32 digits, with the NUL. */

/* Both false where libcrypto refuses MD5 (FIPS). */
bool md5_stored(const char *password, const char *user, char stored[MD5_TEXT_SIZE]) MUST_USE;
bool md5_answer(const char *stored, const void *salt, char answer[MD5_TEXT_SIZE]) MUST_USE;

#endif
