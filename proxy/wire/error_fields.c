#include "pgweir/wire.h"

const char *wire_error_field(const char *body, size_t size, char field)
{
	const char *end = body + size;

	while (body < end && *body) {
		char name = *body++;
		const char *value = body;
		const char *stop = memchr(body, '\0', (size_t)(end - body));

		if (!stop)
			return NULL;
		if (name == field)
			return value;
		body = stop + 1;
	}
	return NULL;
}
