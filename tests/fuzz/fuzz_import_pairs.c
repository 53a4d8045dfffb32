/* Connection strings of PgBouncer's configuration. What is read has a key and a value each, or the error is a sentence. */
#include <stdlib.h>
#include <string.h>

#include "import.h"
#include "pgweir/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct import_pairs pairs = { 0 };
	struct error error = { 0 };
	/* A copy of the exact size, so that reading beyond it is seen. */
	char *text = mem_strndup((const char *)bytes, size);
	bool good = import_read_pairs(&pairs, text, &error);

	if (good == (error.text[0] != '\0'))
		abort();
	for (size_t i = 0; i < pairs.count; i++)
		if (!*pairs.all[i].key || strpbrk(pairs.all[i].key, "= \t") || import_value(&pairs, pairs.all[i].key) == NULL)
			abort();
	import_pairs_fini(&pairs);
	mem_free(text);
	return 0;
}
