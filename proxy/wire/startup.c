#include "pgweir/wire.h"

/* The request codes lie in the version word, with a major version no protocol will ever have. */
static const struct {
	uint32_t code;
	enum wire_startup_kind kind;
} requests[] = {
	{ WIRE_PROTOCOL(1234, 5678), WIRE_STARTUP_CANCEL },
	{ WIRE_PROTOCOL(1234, 5679), WIRE_STARTUP_SSL },
	{ WIRE_PROTOCOL(1234, 5680), WIRE_STARTUP_GSSENC },
};

enum wire_startup_kind wire_startup_kind(const char *bytes, size_t size, size_t *packet_size)
{
	if (size < 4)
		return WIRE_STARTUP_INCOMPLETE;
	uint32_t length = wire_u32(bytes);

	if (length < 8 || length > WIRE_STARTUP_MAX)
		return WIRE_STARTUP_BAD_LENGTH;
	*packet_size = length;
	if (size < length)
		return WIRE_STARTUP_INCOMPLETE;
	uint32_t code = wire_u32(bytes + 4);

	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		if (requests[i].code == code)
			return length == 8 || requests[i].kind == WIRE_STARTUP_CANCEL ? requests[i].kind : WIRE_STARTUP_BAD_LENGTH;
	return code >> 16 == 3 ? WIRE_STARTUP_SESSION : WIRE_STARTUP_UNSUPPORTED;
}

bool wire_startup_pairs(const char *packet, size_t size, wire_pair_cb *pair, void *arg)
{
	if (size <= 8)
		return false;
	const char *at = packet + 8;
	const char *end = packet + size;

	/* Pairs of strings, then one zero byte that must be the last of the packet. */
	while (at < end && *at) {
		const char *name_end = memchr(at, '\0', (size_t)(end - at));

		if (!name_end)
			return false;
		const char *value = name_end + 1;
		const char *value_end = value < end ? memchr(value, '\0', (size_t)(end - value)) : NULL;

		if (!value_end)
			return false;
		pair(at, value, arg);
		at = value_end + 1;
	}
	return at == end - 1;
}

bool wire_cancel_parse(const char *packet, size_t size, uint32_t *pid, const char **key, size_t *key_size)
{
	if (size < 16 || size > 12 + WIRE_CANCEL_KEY_MAX)
		return false;
	*pid = wire_u32(packet + 8);
	*key = packet + 12;
	*key_size = size - 12;
	return true;
}
