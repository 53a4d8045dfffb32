#include "pgweir/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *condition, const char *file, int line, const char *function)
{
	fprintf(stderr, "pgweir: bug: %s:%d: %s: expected %s\n", file, line, function, condition);
	abort();
}
