/* Heads of HTTP requests: what is accepted has a path, and its texts lie within the bytes; arguments can be decoded or not. */
#include <string.h>

#include "http_request.h"
#include "pgweir/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_text(const char *text, const char *bytes, size_t size)
{
	if (text && *text)
		CHECK(text >= bytes && text + strlen(text) < bytes + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct http_request request;
	size_t head = http_request_size((const char *)bytes, size);

	CHECK(head <= size);
	if (!head)
		return 0;
	CHECK(bytes[head - 1] == '\n');
	char *copy = mem_dup(bytes, head);
	int status = http_request_parse(&request, copy, head);

	CHECK(status == 0 || status == 400 || status == 405 || status == 505);
	if (status == 0) {
		CHECK(request.path[0] == '/' && request.query);
		check_text(request.path, copy, head);
		check_text(request.query, copy, head);
		check_text(request.accept, copy, head);
		check_text(request.authorization, copy, head);
		mem_free(http_request_argument(&request, "db"));
	}
	mem_free(copy);
	return 0;
}
