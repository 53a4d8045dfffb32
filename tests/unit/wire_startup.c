/* The first packet of a client, whole, in pieces, and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"

/* The bytes end where the memory ends, so that a sanitizer sees a read beyond them. */
static enum wire_startup_kind kind_of(const char *bytes, size_t size, size_t *packet_size)
{
	char *exact = mem_dup(bytes, size);
	enum wire_startup_kind kind = wire_startup_kind(exact, size, packet_size);

	mem_free(exact);
	return kind;
}

static void put_startup(struct buf *out, uint32_t length, uint32_t code)
{
	buf_append_u32(out, length);
	buf_append_u32(out, code);
}

static void each_first_packet_is_told_apart(void **state)
{
	static const struct {
		uint32_t code, length;
		enum wire_startup_kind kind;
	} rows[] = {
		{ WIRE_PROTOCOL(1234, 5678), 16, WIRE_STARTUP_CANCEL },
		{ WIRE_PROTOCOL(1234, 5679), 8, WIRE_STARTUP_SSL },
		{ WIRE_PROTOCOL(1234, 5680), 8, WIRE_STARTUP_GSSENC },
		{ WIRE_PROTOCOL(3, 0), 9, WIRE_STARTUP_SESSION },
		{ WIRE_PROTOCOL(3, 2), 9, WIRE_STARTUP_SESSION },
		{ WIRE_PROTOCOL(3, 9999), 9, WIRE_STARTUP_SESSION },
		{ WIRE_PROTOCOL(2, 0), 9, WIRE_STARTUP_UNSUPPORTED },
		{ WIRE_PROTOCOL(4, 0), 9, WIRE_STARTUP_UNSUPPORTED },
		{ WIRE_PROTOCOL(1234, 5681), 8, WIRE_STARTUP_UNSUPPORTED },
		/* A request for encryption has nothing behind it: what follows would be read in clear as if encrypted. */
		{ WIRE_PROTOCOL(1234, 5679), 12, WIRE_STARTUP_BAD_LENGTH },
		{ WIRE_PROTOCOL(1234, 5680), 9, WIRE_STARTUP_BAD_LENGTH },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };
		size_t packet_size = 0;

		put_startup(&out, rows[i].length, rows[i].code);
		memset(buf_reserve(&out, 16), 0, 16);
		out.size = rows[i].length;
		assert_int_equal(kind_of(out.bytes, out.size, &packet_size), rows[i].kind);
		if (rows[i].kind != WIRE_STARTUP_BAD_LENGTH)
			assert_int_equal(packet_size, rows[i].length);
		buf_fini(&out);
	}
}

static void a_packet_byte_by_byte_is_incomplete_until_its_last(void **state)
{
	struct buf out = { 0 };

	(void)state;
	put_startup(&out, 22, WIRE_PROTOCOL(3, 0));
	buf_append(&out, "user\0ann\0d\0e\0", 14);
	assert_int_equal(out.size, 22);
	for (size_t size = 0; size < out.size; size++) {
		size_t packet_size = 0;

		assert_int_equal(kind_of(out.bytes, size, &packet_size), WIRE_STARTUP_INCOMPLETE);
		assert_int_equal(packet_size, size < 4 ? 0 : 22);
	}
	size_t packet_size = 0;
	/* Bytes behind the packet are not its own. */
	buf_append_text(&out, "Q");
	assert_int_equal(kind_of(out.bytes, out.size, &packet_size), WIRE_STARTUP_SESSION);
	assert_int_equal(packet_size, 22);
	buf_fini(&out);
}

static void a_length_no_startup_packet_has_is_refused_at_once(void **state)
{
	static const uint32_t bad[] = { 0, 1, 4, 7, WIRE_STARTUP_MAX + 1, 0x47455420 /* "GET " */, UINT32_MAX };
	size_t packet_size = 0;
	char bytes[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		wire_put_u32(bytes, bad[i]);
		assert_int_equal(kind_of(bytes, 4, &packet_size), WIRE_STARTUP_BAD_LENGTH);
	}
	wire_put_u32(bytes, WIRE_STARTUP_MAX);
	assert_int_equal(kind_of(bytes, 4, &packet_size), WIRE_STARTUP_INCOMPLETE);
	assert_int_equal(packet_size, WIRE_STARTUP_MAX);
}

/* PostgreSQL's MAX_STARTUP_PACKET_LENGTH of 10000 does not count the length word itself. */
static void the_largest_packet_postgresql_takes_is_taken(void **state)
{
	size_t packet_size = 0;

	(void)state;
	assert_int_equal(kind_of("\0\0\x27\x14", 4, &packet_size), WIRE_STARTUP_INCOMPLETE);
	assert_int_equal(packet_size, 10004);
	assert_int_equal(kind_of("\0\0\x27\x15", 4, &packet_size), WIRE_STARTUP_BAD_LENGTH);
}

static void spell_pair(const char *name, const char *value, void *arg)
{
	buf_printf(arg, "%s=%s;", name, value);
}

static bool pairs(const char *body, size_t size, char **spelled)
{
	struct buf packet = { 0 }, out = { 0 };

	put_startup(&packet, (uint32_t)(8 + size), WIRE_PROTOCOL(3, 0));
	buf_append(&packet, body, size);
	char *exact = mem_dup(packet.bytes, packet.size);
	bool good = wire_startup_pairs(exact, packet.size, spell_pair, &out);
	mem_free(exact);
	buf_fini(&packet);
	*spelled = buf_take_text(&out);
	return good;
}

#define assert_pairs(literal, expected) \
	do { \
		char *spelled_; \
		assert_true(pairs(literal, sizeof(literal) - 1, &spelled_)); \
		assert_string_equal(spelled_, expected); \
		mem_free(spelled_); \
	} while (0)

static void pairs_are_given_in_their_order(void **state)
{
	(void)state;
	assert_pairs("\0", "");
	assert_pairs("user\0ann\0\0", "user=ann;");
	assert_pairs("user\0ann\0database\0\0a\0b\0\0", "user=ann;database=;a=b;");
}

static void malformed_pairs_are_refused(void **state)
{
	static const struct {
		const char *body;
		size_t size;
	} bad[] = {
		{ "", 0 },                      /* No final zero byte. */
		{ "user", 4 },                  /* A name without an end. */
		{ "user\0", 5 },                /* A name without a value. */
		{ "user\0ann", 8 },             /* A value without an end. */
		{ "user\0ann\0", 9 },           /* No final zero byte. */
		{ "user\0ann\0\0x", 11 },       /* Something behind it. */
		{ "\0\0", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *spelled;

		assert_false(pairs(bad[i].body, bad[i].size, &spelled));
		mem_free(spelled);
	}
}

static void a_packet_without_room_for_pairs_is_refused(void **state)
{
	struct buf out = { 0 };

	(void)state;
	for (size_t size = 0; size <= 8; size++)
		assert_false(wire_startup_pairs("\0\0\0\10\0\3\0\0", size, spell_pair, &out));
	assert_int_equal(out.size, 0);
}

static void a_cancel_request_reads_back_as_made(void **state)
{
	char made[WIRE_CANCEL_KEY_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(made); i++)
		made[i] = (char)(i * 7);
	for (size_t size = 4; size <= WIRE_CANCEL_KEY_MAX; size++) {
		struct buf out = { 0 };
		size_t packet_size, key_size = 0;
		uint32_t pid = 0;
		const char *key = NULL;

		wire_put_cancel(&out, 0x80000001, made, size);
		assert_int_equal(kind_of(out.bytes, out.size, &packet_size), WIRE_STARTUP_CANCEL);
		assert_int_equal(packet_size, 12 + size);
		assert_true(wire_cancel_parse(out.bytes, out.size, &pid, &key, &key_size));
		assert_int_equal(pid, 0x80000001);
		assert_int_equal(key_size, size);
		assert_memory_equal(key, made, size);
		buf_fini(&out);
	}
}

static void a_cancel_request_of_impossible_length_is_refused(void **state)
{
	static char packet[WIRE_CANCEL_KEY_MAX + 100];
	size_t key_size;
	uint32_t pid;
	const char *key;

	(void)state;
	for (size_t size = 0; size < 16; size++)
		assert_false(wire_cancel_parse(packet, size, &pid, &key, &key_size));
	assert_false(wire_cancel_parse(packet, 12 + WIRE_CANCEL_KEY_MAX + 1, &pid, &key, &key_size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_first_packet_is_told_apart),
		cmocka_unit_test(a_packet_byte_by_byte_is_incomplete_until_its_last),
		cmocka_unit_test(a_length_no_startup_packet_has_is_refused_at_once),
		cmocka_unit_test(the_largest_packet_postgresql_takes_is_taken),
		cmocka_unit_test(pairs_are_given_in_their_order),
		cmocka_unit_test(malformed_pairs_are_refused),
		cmocka_unit_test(a_packet_without_room_for_pairs_is_refused),
		cmocka_unit_test(a_cancel_request_reads_back_as_made),
		cmocka_unit_test(a_cancel_request_of_impossible_length_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
