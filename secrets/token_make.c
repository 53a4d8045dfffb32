/* A token of IAM, and what it is made from: for whom, where, and with whose keys. */
#include <stdlib.h>
#include <string.h>

#include "aws.h"
#include "aws_place.h"
#include "aws_region.h"
#include "aws_sign.h"
#include "pgweir/mem.h"
#include "token_internal.h"

char *token_host(const char *iam_host, const char *host, uint16_t *port)
{
	char *found = NULL, *item;

	while (iam_host && !found && (item = config_list_next(&iam_host))) {
		char *equals = strchr(item, '=');

		if (equals && (size_t)(equals - item) == strlen(host) && strncmp(item, host, strlen(host)) == 0)
			found = mem_strdup(equals + 1);
		else if (!equals)
			found = mem_strdup(item);
		mem_free(item);
	}
	char *colon = found ? strrchr(found, ':') : NULL;

	if (colon) {
		*port = (uint16_t)strtoul(colon + 1, NULL, 10);
		*colon = '\0';
	}
	return found ? found : mem_strdup(host);
}

char *token_region(const struct aws *aws, const struct config_secret *section, const char *host)
{
	struct aws_profiles *profiles = aws_profiles_load();
	char *region = aws_region_find(section->region, host, profiles, aws_profile_name(section->profile));

	aws_profiles_free(&profiles);
	return region ? region : mem_strdup(aws_region_known(aws));
}

char *token_make(const struct aws *aws, const struct aws_keys *keys, const char *region, const char *host, uint16_t port,
	const char *user)
{
	struct aws_signing signing = {
		.access_key_id = keys->access_key_id, .secret_access_key = keys->secret_access_key,
		.session_token = keys->session_token, .region = region, .wall_s = aws_now_s(aws),
	};
	struct buf text = { 0 };

	aws_sign_rds_token(&signing, host, port, user, &text);
	return buf_take_text(&text);
}

/* --- At once, for commands --- */

struct now {
	struct loop *loop;
	struct aws *aws;
	char *region, *host, *text;
	uint16_t port;
	const char *user;
	struct error *error;
};

static void make_now(struct aws_keys *keys, const struct error *error, void *arg)
{
	struct now *now = arg;

	if (keys)
		now->text = token_make(now->aws, keys, now->region, now->host, now->port, now->user);
	else
		*now->error = *error;
	loop_stop(now->loop);
}

static void region_is_told(void *arg)
{
	loop_stop(arg);
}

/* Waits for what EC2 says, where nothing else says it. */
static char *wait_for_region(const struct now *now, const struct config_secret *secret)
{
	char *region = token_region(now->aws, secret, now->host);

	if (region || !aws_region_ask(now->aws, region_is_told, now->loop))
		return region;
	loop_run(now->loop);
	return token_region(now->aws, secret, now->host);
}

char *token_make_now(const struct config_secret *secret, const char *host, uint16_t port, const char *user,
	struct error *error)
{
	struct aws_who who = {
		.profile = secret->profile, .role_arn = secret->role_arn, .external_id = secret->external_id,
	};
	struct now now = { .loop = loop_new("token"), .port = port, .user = user, .error = error };

	now.host = token_host(secret->iam_host, host, &now.port);
	now.aws = aws_open(now.loop);
	now.region = wait_for_region(&now, secret);
	struct aws_identity *identity = aws_identity_open(now.aws, &who, now.region);

	if (now.region) {
		(void)!aws_identity_ask(identity, make_now, &now);
		loop_run(now.loop);
	} else {
		error_set(error, NULL, "no region: set it in [secret %s], or AWS_REGION", secret->name);
	}
	aws_identity_close(&identity);
	aws_close(&now.aws);
	loop_free(&now.loop);
	mem_free(now.region);
	mem_free(now.host);
	return now.text;
}
