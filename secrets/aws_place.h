/* Where requests go: the region of a secret or a host, and the endpoint of a service there, as AWS's SDKs find them. */
#ifndef PGWEIR_SECRETS_AWS_PLACE_H
#define PGWEIR_SECRETS_AWS_PLACE_H

#include "aws_profile.h"
#include "pgweir/config.h"
#include "pgweir/error.h"

enum aws_service { AWS_SECRETS_MANAGER, AWS_STS };

struct aws_place {
	char *url;                      /* Without a slash at the end. */
	char *host;                     /* For the header Host, with a port where it is not the scheme's own. */
	char *region;                   /* That signatures name. */
};

void aws_place_fini(struct aws_place *place);
/* `endpoint` (may be NULL) is what the configuration says of it, and wins. False: `error`. */
bool aws_place_find(struct aws_place *place, enum aws_service service, const char *region, const char *endpoint,
	const struct aws_profiles *profiles, const char *profile, struct error *error) MUST_USE;

/* A new text: `said`, else what an ARN or the name of an RDS host tells, AWS_REGION, AWS_DEFAULT_REGION, the profile. NULL:
 * nothing says it. `hint` is an ARN, a host or neither; it may be NULL. */
char *aws_region_find(const char *said, const char *hint, const struct aws_profiles *profiles, const char *profile)
	MUST_USE;
const char *aws_service_word(enum aws_service service);         /* In signatures and host names. */
const char *aws_ca_file(const struct aws_profiles *profiles, const char *profile);      /* Or NULL. */

#endif
