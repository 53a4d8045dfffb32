#include "pgweir/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, const char *sqlstate, const char *format, ...)
{
	va_list args;

	snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate ? sqlstate : "");
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

bool error_prepend(struct error *error, const char *format, ...)
{
	char context[sizeof(error->text)];
	char cause[sizeof(error->text)];
	va_list args;

	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	memcpy(cause, error->text, sizeof(cause));
	size_t used = strnlen(context, sizeof(context) - 1);
	memcpy(error->text, context, used + 1);
	snprintf(error->text + used, sizeof(error->text) - used, ": %s", cause);
	return false;
}
