/* Where credentials for AWS come from: the chain that AWS's tools walk, decided from a [secret], the environment and the
 * files of profiles. This says what there is to do; aws_acquire.h does it. */
#ifndef PGWEIR_SECRETS_AWS_CHAIN_H
#define PGWEIR_SECRETS_AWS_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "aws_profile.h"
#include "pgweir/error.h"

enum aws_link {
	AWS_LINK_KEYS,                  /* Known already: from the environment or a file. */
	AWS_LINK_PROCESS,               /* A command prints them. */
	AWS_LINK_WEB_IDENTITY,          /* STS gives them for a token in a file. */
	AWS_LINK_CONTAINER,             /* ECS's and EKS's endpoint. */
	AWS_LINK_METADATA,              /* EC2's. */
};

enum { AWS_ROLES_MAX = 6 };

struct aws_role {
	char *arn, *external_id, *session_name;         /* But for the ARN each may be NULL. */
	unsigned duration_s;                            /* 0: STS's default. */
};

struct aws_chain {
	enum aws_link first;
	char *access_key_id, *secret_access_key, *session_token;        /* AWS_LINK_KEYS. */
	int64_t expires_s;              /* 0: never. */
	char *command;                  /* AWS_LINK_PROCESS. */
	char *token_file;               /* AWS_LINK_WEB_IDENTITY, */
	struct aws_role web;            /* and its role. */
	struct aws_role roles[AWS_ROLES_MAX];           /* To assume after that, in this order. */
	size_t role_count;
};

/* What of a [secret] says who we are to AWS; each may be NULL. */
struct aws_who {
	const char *profile, *role_arn, *external_id;
};

/* False: `error`. The chain is to be freed either way. */
bool aws_chain_find(struct aws_chain *chain, const struct aws_who *who, const struct aws_profiles *profiles,
	struct error *error) MUST_USE;
void aws_chain_fini(struct aws_chain *chain);           /* Wipes. */
const char *aws_link_word(enum aws_link link);

/* "2026-11-21T02:09:02Z", with or without fractions; 0: no such time. */
int64_t aws_parse_time(const char *text);

#endif
