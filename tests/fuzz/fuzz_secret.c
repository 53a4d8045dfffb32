/* The shapes of secrets: JSON, URLs, plain text, whole or not. The first byte says which json_key there is. What comes out
 * is complete and clean or nothing at all, and an error is a sentence of ours. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"
#include "shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_text(const char *text)
{
	if (!text)
		return;
	if (!*text || strlen(text) > SHAPE_FIELD_MAX)
		abort();
	for (; *text; text++)
		if (iscntrl((unsigned char)*text))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const char *const keys[] = { NULL, "k", "a.b", "." };
	struct lease_value value = { 0 };
	struct error error = { 0 };

	if (size == 0)
		return 0;
	/* A copy of the exact size, so that reading beyond it is seen. */
	char *text = mem_dup(bytes + 1, size - 1);
	bool good = shape_parse(text, size - 1, keys[bytes[0] % ARRAY_LEN(keys)], &value, &error);

	if (good != (value.password != NULL) || (!good && (value.username || value.host || value.dbname || value.port)))
		abort();
	if (!good && (!error.text[0] || strlen(error.text) > 100))
		abort();
	check_text(value.username);
	check_text(value.password);
	check_text(value.host);
	check_text(value.dbname);
	lease_value_fini(&value);
	mem_free(text);
	return 0;
}
