/* The PROXY protocol's header: never longer than what is there, and undecided until it is whole. */
#include <sys/socket.h>

#include "pgweir/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *header = (const char *)bytes;
	struct sockaddr_storage client = { .ss_family = AF_UNSPEC };
	size_t header_size = 0;
	enum wire_proxy_kind kind = wire_proxy_header(header, size, &header_size, &client);

	if (kind != WIRE_PROXY_LOCAL && kind != WIRE_PROXY_ADDRESS)
		return 0;
	CHECK(header_size >= 16 && header_size <= size);
	if (kind == WIRE_PROXY_ADDRESS)
		CHECK(client.ss_family == AF_INET || client.ss_family == AF_INET6);
	for (size_t cut = 0; cut < header_size; cut++)
		CHECK(wire_proxy_header(header, cut, &header_size, &client) == WIRE_PROXY_INCOMPLETE);
	return 0;
}
