/* Any bytes as a pgweir.ini: a snapshot that can be printed, or at least one problem. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pgweir/check.h"
#include "pgweir/config.h"
#include "pgweir/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void print(const struct config *config)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	config_print_effective(config, out);
	fclose(out);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct config_problems problems;
	struct config *config = config_load_text("fuzz.ini", (const char *)bytes, size, &problems);

	CHECK(config ? problems.count == 0 : problems.count > 0);
	if (config)
		print(config);
	config_unref(&config);
	config_problems_fini(&problems);
	return 0;
}
