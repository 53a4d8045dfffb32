#include "aws_place.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"
#include "pgweir/mem.h"

static const struct {
	const char *word, *variable, *in_files;
} services[] = {
	[AWS_SECRETS_MANAGER] = { "secretsmanager", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "secrets_manager" },
	[AWS_STS] = { "sts", "AWS_ENDPOINT_URL_STS", "sts" },
};

const char *aws_service_word(enum aws_service service)
{
	return services[service].word;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static bool is_on(const char *name)
{
	const char *value = environment(name);

	return value && (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0);
}

const char *aws_ca_file(const struct aws_profiles *profiles, const char *profile)
{
	const char *path = environment("AWS_CA_BUNDLE");

	return path ? path : aws_profile_get(profiles, profile, "ca_bundle");
}

/* --- Regions --- */

/* arn:aws:secretsmanager:REGION:… */
static char *region_of_arn(const char *arn)
{
	const char *at = arn;

	for (unsigned i = 0; at && i < 3; i++) {
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	size_t size = at ? strcspn(at, ":") : 0;

	return size ? mem_strndup(at, size) : NULL;
}

/* ….REGION.rds.amazonaws.com, and in China ….rds.REGION.amazonaws.com.cn */
static char *region_of_host(const char *host)
{
	static const char *const markers[] = { ".rds.amazonaws.", ".rds-fips.amazonaws." };

	for (size_t i = 0; i < ARRAY_LEN(markers); i++) {
		const char *end = strcasestr(host, markers[i]), *start = end;

		while (start && start > host && start[-1] != '.')
			start--;
		if (end && start > host)
			return mem_strndup(start, (size_t)(end - start));
	}
	const char *rds = strcasestr(host, ".rds."), *china = strcasestr(host, ".amazonaws.com.cn");

	return rds && china > rds + 5 ? mem_strndup(rds + 5, (size_t)(china - rds - 5)) : NULL;
}

char *aws_region_find(const char *said, const char *hint, const struct aws_profiles *profiles, const char *profile)
{
	static const char *const variables[] = { "AWS_REGION", "AWS_DEFAULT_REGION" };

	if (said)
		return mem_strdup(said);
	char *told = !hint ? NULL : strncmp(hint, "arn:", 4) == 0 ? region_of_arn(hint) : region_of_host(hint);

	if (told)
		return told;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (environment(variables[i]))
			return mem_strdup(environment(variables[i]));
	return mem_strdup(aws_profile_get(profiles, profile, "region"));
}

/* --- Endpoints --- */

static const char *configured(enum aws_service service, const struct aws_profiles *profiles, const char *profile)
{
	if (is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return NULL;
	if (environment(services[service].variable))
		return environment(services[service].variable);
	if (environment("AWS_ENDPOINT_URL"))
		return environment("AWS_ENDPOINT_URL");
	return aws_profile_endpoint(profiles, profile, services[service].in_files);
}

static bool wants_legacy_sts(const struct aws_profiles *profiles, const char *profile)
{
	const char *word = environment("AWS_STS_REGIONAL_ENDPOINTS");

	word = word ? word : aws_profile_get(profiles, profile, "sts_regional_endpoints");
	return word && strcmp(word, "legacy") == 0;
}

static char *default_url(enum aws_service service, const char *region)
{
	bool china = strncmp(region, "cn-", 3) == 0, dual = is_on("AWS_USE_DUALSTACK_ENDPOINT");
	const char *domain = dual ? china ? "api.amazonwebservices.com.cn" : "api.aws"
		: china ? "amazonaws.com.cn" : "amazonaws.com";

	return mem_printf("https://%s%s.%s.%s", services[service].word, is_on("AWS_USE_FIPS_ENDPOINT") ? "-fips" : "", region,
		domain);
}

/* Letters, digits and dashes: what becomes a part of a host name. */
static bool is_region(const char *region)
{
	return *region && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(region);
}

static bool take_url(struct aws_place *place, char *url, struct error *error)
{
	size_t size = strlen(url);
	const char *host = strstr(url, "://");

	while (size && url[size - 1] == '/')
		url[--size] = '\0';
	place->url = url;
	if (!host || (strncasecmp(url, "https://", 8) != 0 && strncasecmp(url, "http://", 7) != 0))
		return error_set(error, NULL, "endpoint \"%s\" is no https:// address", url);
	if (http_is_exposed(url))
		return error_set(error, NULL, "endpoint \"%s\" is plain http, which is for this machine only", url);
	if (strchr(host, '@') || strchr(host, '?'))
		return error_set(error, NULL, "endpoint \"%s\" may have no user and no parameters", url);
	place->host = mem_strndup(host + 3, strcspn(host + 3, "/"));
	return true;
}

bool aws_place_find(struct aws_place *place, enum aws_service service, const char *region, const char *endpoint,
	const struct aws_profiles *profiles, const char *profile, struct error *error)
{
	const char *url = endpoint ? endpoint : configured(service, profiles, profile);

	if (!region)
		return error_set(error, NULL, "no region: set it in the [secret], or AWS_REGION");
	if (!is_region(region))
		return error_set(error, NULL, "\"%s\" is no region", region);
	place->region = mem_strdup(region);
	if (url)
		return take_url(place, mem_strdup(url), error);
	if (service == AWS_STS && wants_legacy_sts(profiles, profile)) {
		mem_free(place->region);
		place->region = mem_strdup("us-east-1");
		return take_url(place, mem_strdup("https://sts.amazonaws.com"), error);
	}
	return take_url(place, default_url(service, region), error);
}

void aws_place_fini(struct aws_place *place)
{
	mem_free(place->url);
	mem_free(place->host);
	mem_free(place->region);
	*place = (struct aws_place){ 0 };
}
