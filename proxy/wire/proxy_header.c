/* The binary header of the PROXY protocol, version 2 (the text form of version 1 is not taken). */
#include <netinet/in.h>
#include <sys/socket.h>

#include "pgweir/wire.h"

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

enum { PROXY_FIXED_SIZE = 16, PROXY_LENGTH_MAX = 4096 };
enum { FAMILY_INET = 1, FAMILY_INET6 = 2, INET_SIZE = 12, INET6_SIZE = 36 };

/* A block too short for its family is refused: taken for LOCAL, it would let a client pass for the balancer. */
static enum wire_proxy_kind read_address(unsigned family, const char *block, size_t size, struct sockaddr_storage *client)
{
	memset(client, 0, sizeof(*client));
	if (family == FAMILY_INET) {
		struct sockaddr_in *v4 = (struct sockaddr_in *)client;

		if (size < INET_SIZE)
			return WIRE_PROXY_TOO_SHORT;
		v4->sin_family = AF_INET;
		memcpy(&v4->sin_addr, block, 4);
		memcpy(&v4->sin_port, block + 8, 2);
		return WIRE_PROXY_ADDRESS;
	}
	if (family == FAMILY_INET6) {
		struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)client;

		if (size < INET6_SIZE)
			return WIRE_PROXY_TOO_SHORT;
		v6->sin6_family = AF_INET6;
		memcpy(&v6->sin6_addr, block, 16);
		memcpy(&v6->sin6_port, block + 32, 2);
		return WIRE_PROXY_ADDRESS;
	}
	return WIRE_PROXY_LOCAL;
}

enum wire_proxy_kind wire_proxy_header(const char *bytes, size_t size, size_t *header_size, struct sockaddr_storage *client)
{
	size_t known = size < sizeof(signature) ? size : sizeof(signature);

	if (memcmp(bytes, signature, known) != 0)
		return WIRE_PROXY_MISSING;
	if (size < PROXY_FIXED_SIZE)
		return WIRE_PROXY_INCOMPLETE;
	unsigned version = (unsigned char)bytes[12] >> 4, command = (unsigned char)bytes[12] & 15;
	unsigned family = (unsigned char)bytes[13] >> 4;
	size_t length = wire_u16(bytes + 14);

	if (version != 2 || command > 1)
		return WIRE_PROXY_UNKNOWN;
	if (length > PROXY_LENGTH_MAX)
		return WIRE_PROXY_TOO_LONG;
	*header_size = PROXY_FIXED_SIZE + length;
	if (size < *header_size)
		return WIRE_PROXY_INCOMPLETE;
	if (command == 0)
		return WIRE_PROXY_LOCAL;
	return read_address(family, bytes + PROXY_FIXED_SIZE, length, client);
}
