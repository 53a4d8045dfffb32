/* One line on the terminal, which the next one replaces and the result wipes away. */
#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { WIDTH = 80 };            /* What is wider would wrap, and a part of it stay. */

/* Back to the line's beginning, and nothing behind it. */
static const char wipe[] = "\r\033[K";

void progress_say(const char *format, ...)
{
	char line[WIDTH];
	va_list arguments;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s%s", wipe, line);
	fflush(stderr);
}

void progress_end(void)
{
	if (!isatty(STDERR_FILENO))
		return;
	fputs(wipe, stderr);
	fflush(stderr);
}
