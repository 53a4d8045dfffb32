/* What nobody may guess: passwords, and the ends of names. */
#ifndef PGWEIR_PROVISION_PASSWORD_H
#define PGWEIR_PROVISION_PASSWORD_H

#include "pgweir/check.h"

enum { PASSWORD_SIZE = 24, SUFFIX_SIZE = 8 };

/* 24 characters, of each class (upper, lower, digit, special) at least one, all texts of that kind equally likely; none
 * of them means anything to a URL, a shell or a string literal. Freed with mem_secret_free(). */
char *password_make(void) MUST_USE;
/* `prefix` and eight of a-z0-9. */
char *password_name(const char *prefix) MUST_USE;
/* A version's id: the same for the same texts. Each may be NULL. */
char *password_version(const char *provision, const char *purpose, const char *of, unsigned attempt) MUST_USE;

#endif
