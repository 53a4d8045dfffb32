/* Bodies of functions: whatever they are, reading ends, names are whole, and a fingerprint shows no string. */
#include <string.h>

#include "pgweir/check.h"
#include "pgweir/mem.h"
#include "pgweir/scan_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void note_call(const char *name, size_t size, void *arg)
{
	(void)arg;
	CHECK(size <= SCAN_WORD_MAX && name[size] == '\0');
}

static void note_custom(const char *name, void *arg)
{
	(void)arg;
	CHECK(strlen(name) <= SCAN_WORD_MAX && strchr(name, '.'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = mem_dup(bytes, size);
	struct scan_body body = { .called = note_call, .custom = note_custom };
	struct buf out = { 0 };

	scan_body(&body, text, size);
	CHECK(!(body.effects & SCAN_WRITES));
	scan_fingerprint(text, size, &out);
	CHECK(out.size <= 2 * size);
	if (out.size)
		CHECK(!memchr(out.bytes, '\'', out.size));
	buf_fini(&out);
	mem_free(text);
	return 0;
}
