/* The files that AWS's own tools keep: ~/.aws/config and ~/.aws/credentials, or where AWS_CONFIG_FILE and
 * AWS_SHARED_CREDENTIALS_FILE say they lie. Read as a whole, asked by profile and key. */
#ifndef PGWEIR_SECRETS_AWS_PROFILE_H
#define PGWEIR_SECRETS_AWS_PROFILE_H

#include <stdbool.h>

#include "pgweir/check.h"

struct aws_profiles;

/* Files that are missing or cannot be read are as empty ones. */
struct aws_profiles *aws_profiles_load(void) MUST_USE;
void aws_profiles_free(struct aws_profiles **profiles);         /* NULL is fine. Wipes. */

/* AWS_PROFILE, or "default". */
const char *aws_profile_name(const char *chosen);
bool aws_profile_exists(const struct aws_profiles *profiles, const char *name);
/* What the profile says, the credentials file first; NULL: nothing. */
const char *aws_profile_get(const struct aws_profiles *profiles, const char *name, const char *key);
/* The profile's own endpoint_url for a service (as the files spell it: "secrets_manager", "sts"), else for all; or NULL. */
const char *aws_profile_endpoint(const struct aws_profiles *profiles, const char *name, const char *service);

#endif
