/* Nothing here fails: names and values come from messages whose size was checked before. */
#include "pgweir/parameters.h"

#include <string.h>
#include <strings.h>

#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

/* A server writes a name always the same way. */
static struct parameter *find(const struct parameters *parameters, const char *name)
{
	for (size_t i = 0; i < parameters->count; i++)
		if (parameters->all[i].name[0] == name[0] && strcmp(parameters->all[i].name, name) == 0)
			return &parameters->all[i];
	for (size_t i = 0; i < parameters->count; i++)
		if (strcasecmp(parameters->all[i].name, name) == 0)
			return &parameters->all[i];
	return NULL;
}

void parameters_fini(struct parameters *parameters)
{
	for (size_t i = 0; i < parameters->count; i++) {
		mem_free(parameters->all[i].name);
		mem_free(parameters->all[i].value);
	}
	mem_free(parameters->all);
	*parameters = (struct parameters){ 0 };
}

static void add(struct parameters *parameters, const char *name, const char *value)
{
	if (parameters->count == parameters->capacity) {
		/* PostgreSQL 18 reports fifteen. */
		parameters->capacity = parameters->capacity ? parameters->capacity * 2 : 16;
		parameters->all = mem_realloc(parameters->all, parameters->capacity * sizeof(*parameters->all));
	}
	parameters->names ^= map_hash(name, strlen(name));
	parameters->all[parameters->count++] = (struct parameter){ .name = mem_strdup(name), .value = mem_strdup(value) };
}

bool parameters_set(struct parameters *parameters, const char *name, const char *value)
{
	struct parameter *parameter = find(parameters, name);

	if (!parameter) {
		add(parameters, name, value);
		return true;
	}
	size_t old_size = strlen(parameter->value), size = strlen(value);

	if (size == old_size && memcmp(parameter->value, value, size) == 0)
		return false;
	if (size > old_size) {
		mem_free(parameter->value);
		parameter->value = mem_strdup(value);
	} else {
		memcpy(parameter->value, value, size + 1);
	}
	return true;
}

const struct parameter *parameters_find(const struct parameters *parameters, const char *name)
{
	return find(parameters, name);
}

const char *parameters_get(const struct parameters *parameters, const char *name)
{
	const struct parameter *parameter = find(parameters, name);

	return parameter ? parameter->value : NULL;
}

void parameters_copy(struct parameters *to, const struct parameters *from)
{
	if (to == from)
		return;
	parameters_fini(to);
	for (size_t i = 0; i < from->count; i++)
		add(to, from->all[i].name, from->all[i].value);
}

void parameters_put(const struct parameters *parameters, struct buf *out)
{
	for (size_t i = 0; i < parameters->count; i++)
		wire_put_parameter_status(out, parameters->all[i].name, parameters->all[i].value);
}
