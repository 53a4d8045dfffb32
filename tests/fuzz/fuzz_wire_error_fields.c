/* An ErrorResponse of a server: a field is a text inside the body, and what pgweir makes reads back. */
#include "pgweir/mem.h"
#include "pgweir/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_made(const char *text)
{
	struct buf out = { 0 };

	wire_put_error(&out, &(struct wire_error){ .severity = "ERROR", .sqlstate = "XX000", .message = text, .hint = text });
	const char *body = out.bytes + WIRE_HEADER_SIZE;
	size_t size = out.size - WIRE_HEADER_SIZE;

	CHECK(wire_message_size(out.bytes) == out.size);
	CHECK(strcmp(wire_error_field(body, size, 'M'), text) == 0);
	CHECK(strcmp(wire_error_field(body, size, 'H'), text) == 0);
	CHECK(!wire_error_field(body, size, 'D'));
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *body = (const char *)bytes;

	for (int field = 1; field < 256; field++) {
		const char *value = wire_error_field(body, size, (char)field);

		if (!value)
			continue;
		CHECK(value > body && value < body + size && value[-1] == (char)field);
		CHECK(memchr(value, '\0', (size_t)(body + size - value)));
	}
	char *text = mem_strndup(body, size);

	check_made(text);
	mem_free(text);
	return 0;
}
