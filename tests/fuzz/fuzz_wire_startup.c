/* A client's first packet: what is judged complete is complete, what is read lies inside, a cancel request comes out
 * as it went in. */
#include "pgweir/mem.h"
#include "pgweir/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

struct bounds {
	const char *at, *end;
};

static void check_pair(const char *name, const char *value, void *arg)
{
	struct bounds *bounds = arg;

	CHECK(name >= bounds->at && *name);
	CHECK(value == name + strlen(name) + 1);
	bounds->at = value + strlen(value) + 1;
	CHECK(bounds->at <= bounds->end);
}

static void check_prefixes(const char *packet, size_t packet_size)
{
	/* Around the fields; all lengths would make the fuzzer slow. */
	static const size_t cuts[] = { 0, 1, 3, 4, 7, 8, 9, 12 };
	size_t ignored;

	for (size_t i = 0; i < ARRAY_LEN(cuts) && cuts[i] < packet_size; i++)
		CHECK(wire_startup_kind(packet, cuts[i], &ignored) == WIRE_STARTUP_INCOMPLETE);
	CHECK(wire_startup_kind(packet, packet_size - 1, &ignored) == WIRE_STARTUP_INCOMPLETE);
}

static void check_cancel(const char *packet, size_t packet_size)
{
	struct buf out = { 0 };
	const char *key;
	size_t key_size;
	uint32_t pid;

	if (!wire_cancel_parse(packet, packet_size, &pid, &key, &key_size))
		return;
	wire_put_cancel(&out, pid, key, key_size);
	CHECK(out.size == packet_size && memcmp(out.bytes, packet, packet_size) == 0);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const char *packet = (const char *)bytes;
	size_t packet_size = 0;
	enum wire_startup_kind kind = wire_startup_kind(packet, size, &packet_size);
	struct bounds bounds = { packet + 8, packet + packet_size };

	if (kind == WIRE_STARTUP_INCOMPLETE || kind == WIRE_STARTUP_BAD_LENGTH)
		return 0;
	CHECK(packet_size >= 8 && packet_size <= size && packet_size <= WIRE_STARTUP_MAX);
	check_prefixes(packet, packet_size);
	if (kind == WIRE_STARTUP_CANCEL)
		check_cancel(packet, packet_size);
	if (kind == WIRE_STARTUP_SESSION && wire_startup_pairs(packet, packet_size, check_pair, &bounds))
		CHECK(bounds.at == bounds.end - 1);
	return 0;
}
