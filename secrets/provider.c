#include "provider.h"

#include <stdlib.h>
#include <string.h>

#include "aws_secret.h"
#include "shape.h"

static bool read_static(const struct config_secret *secret, struct reading *reading, struct error *error)
{
	const char *text = secret->value ? secret->value : "";

	return shape_parse(text, strlen(text), secret->json_key, &reading->values.current, error)
		|| error_prepend(error, "its value");
}

static bool read_env(const struct config_secret *secret, struct reading *reading, struct error *error)
{
	const char *text = getenv(secret->variable);

	if (!text)
		return error_set(error, NULL, "the environment has no %s", secret->variable);
	return shape_parse(text, strlen(text), secret->json_key, &reading->values.current, error)
		|| error_prepend(error, "variable %s", secret->variable);
}

static bool read_on_demand(const struct config_secret *secret, struct reading *reading, struct error *error)
{
	(void)secret, (void)error;
	reading->on_demand = true;
	return true;
}

static const struct provider providers[] = {
	{ .name = "static", .read = read_static },
	{ .name = "env", .read = read_env },
	{ .name = "file", .read = mount_read, .changes = true },
	{ .name = "aws-secrets-manager", .read = aws_secret_read_now, .fetched = true },
	{ .name = "rds-iam", .read = read_on_demand },
};

const struct provider *provider_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (strcmp(providers[i].name, name) == 0)
			return &providers[i];
	return NULL;
}
