#include "pgweir/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool error_set(struct error *error, const char *sqlstate, const char *format, ...)
{
	va_list args;

	error->hint = NULL;
	snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate ? sqlstate : "");
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

/* Appends what fits behind the first `used` bytes; returns how many are used then. */
static size_t append(struct error *error, size_t used, const char *text)
{
	size_t size = strnlen(text, sizeof(error->text) - 1 - used);

	memcpy(error->text + used, text, size);
	error->text[used + size] = '\0';
	return used + size;
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
	append(error, append(error, append(error, 0, context), ": "), cause);
	return false;
}
