#include "aws_chain.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "aws_metadata.h"
#include "pgweir/mem.h"

enum { DURATION_MIN_S = 900, DURATION_MAX_S = 43200 };

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

const char *aws_link_word(enum aws_link link)
{
	static const char *const words[] = {
		[AWS_LINK_KEYS] = "keys", [AWS_LINK_PROCESS] = "credential_process", [AWS_LINK_WEB_IDENTITY] = "web identity",
		[AWS_LINK_CONTAINER] = "the container's endpoint", [AWS_LINK_METADATA] = "EC2's metadata service",
	};

	return words[link];
}

int64_t aws_parse_time(const char *text)
{
	struct tm utc = { 0 };
	const char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &utc) : NULL;

	if (end && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (!end || (strcmp(end, "Z") != 0 && strcmp(end, "+00:00") != 0))
		return 0;
	return timegm(&utc);
}

/* --- Pieces --- */

static void take_keys(struct aws_chain *chain, const char *id, const char *secret, const char *token)
{
	chain->first = AWS_LINK_KEYS;
	chain->access_key_id = mem_secret_dup(id);
	chain->secret_access_key = mem_secret_dup(secret);
	chain->session_token = mem_secret_dup(token);
}

static bool take_environment(struct aws_chain *chain)
{
	const char *id = environment("AWS_ACCESS_KEY_ID"), *secret = environment("AWS_SECRET_ACCESS_KEY");
	const char *token = environment("AWS_SESSION_TOKEN");

	if (!id || !secret)
		return false;
	take_keys(chain, id, secret, token ? token : environment("AWS_SECURITY_TOKEN"));
	chain->expires_s = aws_parse_time(environment("AWS_CREDENTIAL_EXPIRATION"));
	return true;
}

static bool take_container(struct aws_chain *chain)
{
	chain->first = AWS_LINK_CONTAINER;
	return environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || environment("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

static bool take_metadata(struct aws_chain *chain)
{
	chain->first = AWS_LINK_METADATA;
	return !aws_metadata_is_disabled();
}

static void role_fini(struct aws_role *role)
{
	mem_free(role->arn);
	mem_free(role->external_id);
	mem_free(role->session_name);
	*role = (struct aws_role){ 0 };
}

static struct aws_role role_of_profile(const struct aws_profiles *profiles, const char *name)
{
	const char *duration = aws_profile_get(profiles, name, "duration_seconds");
	unsigned long seconds = duration ? strtoul(duration, NULL, 10) : 0;

	return (struct aws_role){
		.arn = mem_strdup(aws_profile_get(profiles, name, "role_arn")),
		.external_id = mem_strdup(aws_profile_get(profiles, name, "external_id")),
		.session_name = mem_strdup(aws_profile_get(profiles, name, "role_session_name")),
		.duration_s = seconds >= DURATION_MIN_S && seconds <= DURATION_MAX_S ? (unsigned)seconds : 0,
	};
}

/* A token in a file, as EKS mounts it. */
static void take_web_identity(struct aws_chain *chain, const char *token_file, struct aws_role role)
{
	chain->first = AWS_LINK_WEB_IDENTITY;
	chain->token_file = mem_strdup(token_file);
	role_fini(&chain->web);
	chain->web = role;
}

static bool take_web_environment(struct aws_chain *chain)
{
	const char *file = environment("AWS_WEB_IDENTITY_TOKEN_FILE"), *arn = environment("AWS_ROLE_ARN");

	if (!file || !arn)
		return false;
	take_web_identity(chain, file, (struct aws_role){
		.arn = mem_strdup(arn), .session_name = mem_strdup(environment("AWS_ROLE_SESSION_NAME")),
	});
	return true;
}

/* --- Profiles --- */

static bool take_credential_source(struct aws_chain *chain, const char *word, struct error *error)
{
	static const struct {
		const char *word;
		bool (*take)(struct aws_chain *chain);
	} sources[] = {
		{ "Environment", take_environment },
		{ "EcsContainer", take_container },
		{ "Ec2InstanceMetadata", take_metadata },
	};

	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		if (strcmp(word, sources[i].word) == 0)
			return sources[i].take(chain) || error_set(error, NULL, "credential_source %s has nothing here", word);
	return error_set(error, NULL, "credential_source \"%s\" is none that AWS has", word);
}

/* Keys, a command, or nothing. */
static bool take_plain(struct aws_chain *chain, const struct aws_profiles *profiles, const char *name)
{
	const char *id = aws_profile_get(profiles, name, "aws_access_key_id");
	const char *secret = aws_profile_get(profiles, name, "aws_secret_access_key");
	const char *command = aws_profile_get(profiles, name, "credential_process");

	if (id && secret) {
		take_keys(chain, id, secret, aws_profile_get(profiles, name, "aws_session_token"));
		return true;
	}
	chain->first = AWS_LINK_PROCESS;
	chain->command = mem_strdup(command);
	return command != NULL;
}

static bool add_role(struct aws_chain *chain, struct aws_role role, struct error *error)
{
	if (chain->role_count < AWS_ROLES_MAX) {
		chain->roles[chain->role_count++] = role;
		return true;
	}
	role_fini(&role);
	return error_set(error, NULL, "more than %d roles, one from the other", AWS_ROLES_MAX);
}

static bool refuse_plain(const struct aws_profiles *profiles, const char *name, struct error *error)
{
	if (aws_profile_get(profiles, name, "sso_session") || aws_profile_get(profiles, name, "sso_start_url"))
		return error_set(error, NULL, "profile \"%s\" logs in through SSO, which takes a person: let it have role_arn with "
			"source_profile, credential_source or web_identity_token_file, or credential_process, or keys", name);
	return error_set(error, NULL, "profile \"%s\" has no keys, credential_process or role_arn", name);
}

/* From the profile to where its chain begins: roles are collected last first, and turned around at the end. */
static bool take_profile(struct aws_chain *chain, const struct aws_profiles *profiles, const char *name,
	struct error *error)
{
	for (;;) {
		const char *token_file = aws_profile_get(profiles, name, "web_identity_token_file");
		const char *source = aws_profile_get(profiles, name, "source_profile");
		const char *kind = aws_profile_get(profiles, name, "credential_source");

		if (!aws_profile_exists(profiles, name))
			return error_set(error, NULL, "there is no profile \"%s\" in AWS's configuration files", name);
		if (!aws_profile_get(profiles, name, "role_arn"))
			return take_plain(chain, profiles, name) || refuse_plain(profiles, name, error);
		if (token_file) {
			take_web_identity(chain, token_file, role_of_profile(profiles, name));
			return true;
		}
		if (!source && !kind)
			return error_set(error, NULL, "profile \"%s\" has role_arn without source_profile or credential_source", name);
		if (!add_role(chain, role_of_profile(profiles, name), error))
			return error_prepend(error, "profile \"%s\"", name);
		if (kind)
			return take_credential_source(chain, kind, error) || error_prepend(error, "profile \"%s\"", name);
		/* A profile that names itself has the keys for its own role. */
		if (strcmp(source, name) == 0)
			return take_plain(chain, profiles, name)
				|| error_set(error, NULL, "profile \"%s\" is its own source_profile and has no keys", name);
		name = source;
	}
}

static void turn_around(struct aws_chain *chain)
{
	for (size_t i = 0; i < chain->role_count / 2; i++) {
		struct aws_role first = chain->roles[i];

		chain->roles[i] = chain->roles[chain->role_count - 1 - i];
		chain->roles[chain->role_count - 1 - i] = first;
	}
}

/* Does the profile say anything of credentials? One with a region alone does not. */
static bool has_login(const struct aws_profiles *profiles, const char *name)
{
	static const char *const keys[] = { "role_arn", "aws_access_key_id", "credential_process" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (aws_profile_get(profiles, name, keys[i]))
			return true;
	return false;
}

static bool find_first(struct aws_chain *chain, const char *chosen, const struct aws_profiles *profiles,
	struct error *error)
{
	const char *name = aws_profile_name(chosen);

	/* A profile that somebody has chosen for this secret counts for more than the environment. */
	if (!chosen && take_environment(chain))
		return true;
	if (chosen || aws_profile_get(profiles, name, "role_arn"))
		return take_profile(chain, profiles, name, error);
	if (take_web_environment(chain))
		return true;
	if (has_login(profiles, name) || (environment("AWS_PROFILE") && !aws_profile_exists(profiles, name)))
		return take_profile(chain, profiles, name, error);
	return take_container(chain) || take_metadata(chain)
		|| error_set(error, NULL, "no AWS credentials: none in the environment, in a profile or from an endpoint");
}

bool aws_chain_find(struct aws_chain *chain, const struct aws_who *who, const struct aws_profiles *profiles,
	struct error *error)
{
	*chain = (struct aws_chain){ 0 };
	if (!find_first(chain, who->profile, profiles, error))
		return false;
	turn_around(chain);
	return !who->role_arn || add_role(chain, (struct aws_role){
		.arn = mem_strdup(who->role_arn), .external_id = mem_strdup(who->external_id),
	}, error);
}

void aws_chain_fini(struct aws_chain *chain)
{
	mem_secret_free(chain->access_key_id);
	mem_secret_free(chain->secret_access_key);
	mem_secret_free(chain->session_token);
	mem_free(chain->command);
	mem_free(chain->token_file);
	role_fini(&chain->web);
	for (size_t i = 0; i < chain->role_count; i++)
		role_fini(&chain->roles[i]);
	*chain = (struct aws_chain){ 0 };
}
