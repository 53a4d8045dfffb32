/* Where credentials come from, where requests go, and what the answers of STS and the endpoints say: what can be decided
 * without asking anybody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aws_call.h"
#include "aws_chain.h"
#include "aws_keys.h"
#include "aws_place.h"
#include "http.h"
#include "pgweir/mem.h"
#include "token_internal.h"

static char folder[64], config_path[80], credentials_path[80];

static const char *const variables[] = {
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
	"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EC2_METADATA_DISABLED", "AWS_USE_FIPS_ENDPOINT",
	"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
};

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/pgweir-aws-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(config_path, sizeof(config_path), "%s/config", folder);
	snprintf(credentials_path, sizeof(credentials_path), "%s/credentials", folder);
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		unsetenv(variables[i]);
	setenv("AWS_CONFIG_FILE", config_path, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", credentials_path, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(config_path);
	unlink(credentials_path);
	rmdir(folder);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* --- The chain --- */

static bool find(struct aws_chain *chain, const char *profile, const char *role_arn, struct error *error)
{
	struct aws_profiles *profiles = aws_profiles_load();
	struct aws_who who = { .profile = profile, .role_arn = role_arn };
	bool good = aws_chain_find(chain, &who, profiles, error);

	aws_profiles_free(&profiles);
	return good;
}

static void assert_refused(const char *profile, const char *said)
{
	struct aws_chain chain;
	struct error error = { 0 };

	assert_false(find(&chain, profile, NULL, &error));
	if (!strstr(error.text, said))
		fail_msg("%s", error.text);
	aws_chain_fini(&chain);
}

static void roles_are_assumed_from_the_far_end_of_the_chain(void **state)
{
	(void)state;
	struct aws_chain chain;
	struct error error = { 0 };

	write_file(config_path, "[profile top]\nrole_arn = arn:top\nsource_profile = middle\nduration_seconds = 1800\n"
		"[profile middle]\nrole_arn = arn:middle\nsource_profile = base\nexternal_id = e\n");
	write_file(credentials_path, "[base]\naws_access_key_id = id\naws_secret_access_key = key\n");
	assert_true(find(&chain, "top", "arn:own", &error));
	assert_int_equal(chain.first, AWS_LINK_KEYS);
	assert_int_equal(chain.role_count, 3);
	assert_string_equal(chain.roles[0].arn, "arn:middle");
	assert_string_equal(chain.roles[0].external_id, "e");
	assert_string_equal(chain.roles[1].arn, "arn:top");
	assert_int_equal(chain.roles[1].duration_s, 1800);
	assert_string_equal(chain.roles[2].arn, "arn:own");
	aws_chain_fini(&chain);
}

static void profiles_that_lead_nowhere_are_named(void **state)
{
	(void)state;
	write_file(config_path, "[profile round]\nrole_arn = a\nsource_profile = about\n"
		"[profile about]\nrole_arn = b\nsource_profile = round\n"
		"[profile sso]\nsso_start_url = https://x\n[profile half]\nrole_arn = a\n"
		"[profile self]\nrole_arn = a\nsource_profile = self\n"
		"[profile odd]\nrole_arn = a\ncredential_source = Moon\n");
	assert_refused("round", "more than 6 roles");
	assert_refused("sso", "logs in through SSO, which takes a person: let it have role_arn");
	assert_refused("half", "without source_profile");
	assert_refused("self", "has no keys");
	assert_refused("odd", "\"Moon\" is none that AWS has");
	assert_refused("nobody", "no profile \"nobody\"");
}

/* As AWS's tools have it: keys in the environment, then roles, a web identity, keys in files, and only then an endpoint. */
static void the_first_link_that_is_there_counts(void **state)
{
	(void)state;
	static const struct {
		const char *variable, *value;
		enum aws_link link;
	} rows[] = {
		{ "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/", AWS_LINK_CONTAINER },
		{ "AWS_ROLE_ARN", "arn:web", AWS_LINK_CONTAINER },
		{ "AWS_WEB_IDENTITY_TOKEN_FILE", "/token", AWS_LINK_WEB_IDENTITY },
		{ "AWS_ACCESS_KEY_ID", "id", AWS_LINK_WEB_IDENTITY },
		{ "AWS_SECRET_ACCESS_KEY", "key", AWS_LINK_KEYS },
	};
	struct aws_chain chain;
	struct error error = { 0 };

	assert_true(find(&chain, NULL, NULL, &error));
	assert_int_equal(chain.first, AWS_LINK_METADATA);
	aws_chain_fini(&chain);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		setenv(rows[i].variable, rows[i].value, 1);
		assert_true(find(&chain, NULL, NULL, &error));
		assert_int_equal(chain.first, rows[i].link);
		aws_chain_fini(&chain);
	}
	unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_ROLE_ARN");
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	assert_refused(NULL, "no AWS credentials");
}

/* --- Places --- */

static void assert_region(const char *said, const char *hint, const char *expected)
{
	struct aws_profiles *profiles = aws_profiles_load();
	char *region = aws_region_find(said, hint, profiles, "default");

	if (expected)
		assert_string_equal(region, expected);
	else
		assert_null(region);
	mem_free(region);
	aws_profiles_free(&profiles);
}

static void the_region_is_what_knows_best(void **state)
{
	(void)state;
	assert_region(NULL, "prod/app", NULL);
	write_file(config_path, "[default]\nregion = sa-east-1\n");
	assert_region(NULL, "prod/app", "sa-east-1");
	setenv("AWS_DEFAULT_REGION", "us-west-1", 1);
	assert_region(NULL, "prod/app", "us-west-1");
	setenv("AWS_REGION", "us-west-2", 1);
	assert_region(NULL, "prod/app", "us-west-2");
	assert_region(NULL, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-AbCdEf", "eu-west-1");
	assert_region(NULL, "db1.cluster-abc.eu-central-1.rds.amazonaws.com", "eu-central-1");
	assert_region(NULL, "db1.abc.rds.cn-north-1.amazonaws.com.cn", "cn-north-1");
	assert_region("ap-south-1", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-AbCdEf", "ap-south-1");
}

static void assert_place(enum aws_service service, const char *region, const char *endpoint, const char *expected)
{
	struct aws_profiles *profiles = aws_profiles_load();
	struct aws_place place = { 0 };
	struct error error = { 0 };
	bool good = aws_place_find(&place, service, region, endpoint, profiles, "default", &error);

	if (strcmp(good ? place.url : error.text, expected) != 0)
		fail_msg("%s", good ? place.url : error.text);
	aws_place_fini(&place);
	aws_profiles_free(&profiles);
}

static void endpoints_are_those_of_awss_own_tools(void **state)
{
	(void)state;
	assert_place(AWS_SECRETS_MANAGER, "eu-west-1", NULL, "https://secretsmanager.eu-west-1.amazonaws.com");
	assert_place(AWS_STS, "cn-north-1", NULL, "https://sts.cn-north-1.amazonaws.com.cn");
	assert_place(AWS_STS, "eu.evil.example/", NULL, "\"eu.evil.example/\" is no region");
	write_file(config_path, "[default]\nservices = mine\nendpoint_url = https://all\n[services mine]\nsecrets_manager =\n"
		"  endpoint_url = https://files\ns3 =\n  endpoint_url = https://other\n");
	assert_place(AWS_SECRETS_MANAGER, "eu-west-1", NULL, "https://files");
	assert_place(AWS_STS, "eu-west-1", NULL, "https://all");
	setenv("AWS_ENDPOINT_URL", "https://any/", 1);
	assert_place(AWS_SECRETS_MANAGER, "eu-west-1", NULL, "https://any");
	setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://localhost:8/path", 1);
	assert_place(AWS_SECRETS_MANAGER, "eu-west-1", NULL, "http://localhost:8/path");
	assert_place(AWS_SECRETS_MANAGER, "eu-west-1", "https://said", "https://said");
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	setenv("AWS_USE_FIPS_ENDPOINT", "true", 1);
	assert_place(AWS_SECRETS_MANAGER, "eu-west-1", NULL, "https://secretsmanager-fips.eu-west-1.amazonaws.com");
}

static void plain_http_is_for_this_machine(void **state)
{
	(void)state;
	static const char *const fine[] = { "http://127.0.0.1", "http://127.1.2.3:80/x", "http://localhost:5", "http://[::1]:9/",
		"https://example" };
	static const char *const exposed[] = { "http://example", "http://127.0.0.1.example/", "http://localhost.example",
		"http://localhost@example", "http://127.evil.example", "HTTP://10.0.0.1" };

	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		assert_false(http_is_exposed(fine[i]));
	for (size_t i = 0; i < ARRAY_LEN(exposed); i++)
		assert_true(http_is_exposed(exposed[i]));
}

static void the_endpoint_of_a_token_may_have_another_name(void **state)
{
	(void)state;
	static const struct {
		const char *iam_host, *host, *expected;
		uint16_t port;
	} rows[] = {
		{ NULL, "db", "db", 5432 }, { "rds", "db", "rds", 5432 }, { "a=rds1, db=rds2:6432", "db", "rds2", 6432 },
		{ "a=rds1", "db", "db", 5432 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint16_t port = 5432;
		char *host = token_host(rows[i].iam_host, rows[i].host, &port);

		assert_string_equal(host, rows[i].expected);
		assert_int_equal(port, rows[i].port);
		mem_free(host);
	}
}

/* --- Answers --- */

static void keys_are_taken_from_what_sts_writes(void **state)
{
	(void)state;
	static const char xml[] = "<R><Credentials><SessionToken>t&amp;</SessionToken><Expiration>2026-11-21T02:09:02.473035Z"
		"</Expiration><SecretAccessKey>s</SecretAccessKey><AccessKeyId>i</AccessKeyId></Credentials></R>";
	struct error error = { 0 };
	struct aws_keys *keys = aws_keys_of_xml(xml, strlen(xml), &error);

	assert_string_equal(keys->access_key_id, "i");
	assert_string_equal(keys->session_token, "t&");
	assert_int_equal(keys->expires_s, 1795226942);
	aws_keys_unref(&keys);
	assert_null(aws_keys_of_xml(xml, strlen(xml) - 30, &error));
}

static void what_an_endpoint_refuses_is_said_and_nothing_else(void **state)
{
	(void)state;
	static const char *const texts[] = { "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"no\"}",
		"{\"AccessKeyId\":\"hidden\"}", "hidden", "" };
	static const char *const said[] = { "AssumeRoleUnauthorizedAccess: no", "the answer holds no credentials",
		"the answer is no JSON object", "the answer is no JSON object" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct error error = { 0 };

		assert_null(aws_keys_of_json(texts[i], strlen(texts[i]), &error));
		assert_string_equal(error.text, said[i]);
	}
}

static void each_word_of_aws_has_its_remedy(void **state)
{
	(void)state;
	static const struct {
		long status;
		const char *code, *message;
		enum aws_remedy remedy;
		enum aws_fault fault;
	} rows[] = {
		{ 400, "ThrottlingException", "", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
		{ 503, "", "", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
		{ 0, "", "", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
		{ 200, "", "", AWS_REMEDY_WAIT, AWS_UNAVAILABLE },
		{ 400, "ExpiredTokenException", "", AWS_REMEDY_KEYS, AWS_UNAVAILABLE },
		{ 400, "InvalidSignatureException", "", AWS_REMEDY_CLOCK, AWS_REFUSED },
		{ 400, "AccessDeniedException", "", AWS_REMEDY_NONE, AWS_DENIED },
		{ 403, "", "", AWS_REMEDY_NONE, AWS_DENIED },
		{ 400, "ResourceNotFoundException", "", AWS_REMEDY_NONE, AWS_MISSING },
		{ 400, "InvalidRequestException", "the secret was marked for deletion", AWS_REMEDY_NONE, AWS_DELETED },
		{ 400, "InvalidRequestException", "something else", AWS_REMEDY_NONE, AWS_REFUSED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum aws_fault fault;

		assert_int_equal(aws_fault_find(rows[i].status, rows[i].code, rows[i].message, &fault), rows[i].remedy);
		assert_int_equal(fault, rows[i].fault);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(roles_are_assumed_from_the_far_end_of_the_chain),
		TEST(profiles_that_lead_nowhere_are_named),
		TEST(the_first_link_that_is_there_counts),
		TEST(the_region_is_what_knows_best),
		TEST(endpoints_are_those_of_awss_own_tools),
		TEST(plain_http_is_for_this_machine),
		TEST(the_endpoint_of_a_token_may_have_another_name),
		TEST(keys_are_taken_from_what_sts_writes),
		TEST(what_an_endpoint_refuses_is_said_and_nothing_else),
		TEST(each_word_of_aws_has_its_remedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
