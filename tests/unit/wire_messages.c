/* Every message pgweir makes, byte for byte as "Message Formats" of the PostgreSQL documentation has it, and the
 * reading of single fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"

/* `literal` is a string literal, whose own NUL does not count. */
#define assert_made(out, literal) \
	do { \
		assert_int_equal((out)->size, sizeof(literal) - 1); \
		assert_memory_equal((out)->bytes, literal, sizeof(literal) - 1); \
		buf_fini(out); \
	} while (0)

static void numbers_read_back_as_they_were_put(void **state)
{
	char bytes[4];

	(void)state;
	for (uint64_t value = 0; value <= UINT32_MAX; value = value * 3 + 1) {
		wire_put_u32(bytes, (uint32_t)value);
		assert_int_equal(wire_u32(bytes), value);
		assert_int_equal(wire_u16(bytes), value >> 16);
	}
	assert_int_equal(wire_u32("\xff\xfe\xfd\xfc"), 0xfffefdfc);
}

static void a_message_counts_its_type_byte_on_top_of_its_length(void **state)
{
	(void)state;
	assert_int_equal(wire_message_size("Z\0\0\0\5I"), 6);
	/* A hostile length must not wrap around. */
	assert_int_equal(wire_message_size("Q\xff\xff\xff\xff"), (size_t)UINT32_MAX + 1);
}

static void a_length_is_right_behind_other_messages(void **state)
{
	struct buf out = { 0 };

	(void)state;
	buf_append_text(&out, "before");
	size_t begun = wire_begin(&out, 'd');
	for (unsigned i = 0; i < 1000; i++)
		buf_append_char(&out, 'x');
	wire_end(&out, begun);
	assert_int_equal(out.size, 6 + 5 + 1000);
	assert_int_equal(wire_message_size(out.bytes + 6), 1005);
	buf_fini(&out);
}

static void simple_messages_are_made_as_documented(void **state)
{
	struct buf out = { 0 };

	(void)state;
	wire_put_query(&out, "");
	assert_made(&out, "Q\0\0\0\5\0");
	wire_put_query(&out, "BEGIN");
	assert_made(&out, "Q\0\0\0\12BEGIN\0");
	wire_put_parameter_status(&out, "a", "bc");
	assert_made(&out, "S\0\0\0\11a\0bc\0");
	wire_put_ready_for_query(&out, 'T');
	assert_made(&out, "Z\0\0\0\5T");
}

static void login_messages_are_made_as_documented(void **state)
{
	struct buf out = { 0 };

	(void)state;
	wire_put_authentication(&out, 0, NULL, 0);
	assert_made(&out, "R\0\0\0\10\0\0\0\0");
	wire_put_authentication(&out, 10, "SCRAM-SHA-256\0", 15);
	assert_made(&out, "R\0\0\0\27\0\0\0\12SCRAM-SHA-256\0\0");
	wire_put_backend_key(&out, 0x01020304, "\xaa\xbb\xcc\xdd", 4);
	assert_made(&out, "K\0\0\0\14\1\2\3\4\xaa\xbb\xcc\xdd");
}

static void a_negotiation_names_the_minor_version_and_the_unknown_options(void **state)
{
	static const char *const unknown[] = { "_pq_.a", "_pq_.bc" };
	struct buf out = { 0 };

	(void)state;
	wire_put_negotiate(&out, 2, NULL, 0);
	assert_made(&out, "v\0\0\0\14\0\3\0\2\0\0\0\0");
	wire_put_negotiate(&out, 0, unknown, 2);
	assert_made(&out, "v\0\0\0\33\0\3\0\0\0\0\0\2_pq_.a\0_pq_.bc\0");
}

static void an_error_leaves_out_what_it_was_not_given(void **state)
{
	struct buf out = { 0 };

	(void)state;
	wire_put_error(&out, &(struct wire_error){ .severity = "FATAL", .sqlstate = "28000", .message = "no" });
	assert_made(&out, "E\0\0\0\36SFATAL\0VFATAL\0C28000\0Mno\0\0");
}

static void an_error_reads_back_field_by_field(void **state)
{
	struct buf out = { 0 };

	(void)state;
	wire_put_error(&out, &(struct wire_error){ "ERROR", "53300", "too many", "of all", "use fewer" });
	const char *body = out.bytes + WIRE_HEADER_SIZE;
	size_t size = out.size - WIRE_HEADER_SIZE;
	assert_int_equal(out.bytes[0], 'E');
	assert_int_equal(wire_message_size(out.bytes), out.size);
	assert_string_equal(wire_error_field(body, size, 'S'), "ERROR");
	assert_string_equal(wire_error_field(body, size, 'V'), "ERROR");
	assert_string_equal(wire_error_field(body, size, 'C'), "53300");
	assert_string_equal(wire_error_field(body, size, 'M'), "too many");
	assert_string_equal(wire_error_field(body, size, 'D'), "of all");
	assert_string_equal(wire_error_field(body, size, 'H'), "use fewer");
	assert_null(wire_error_field(body, size, 'X'));
	buf_fini(&out);
}

static void a_notice_and_a_warning_are_not_errors(void **state)
{
	struct buf out = { 0 };

	(void)state;
	wire_put_error(&out, &(struct wire_error){ .severity = "NOTICE", .sqlstate = "00000", .message = "m" });
	assert_int_equal(out.bytes[0], 'N');
	out.size = 0;
	wire_put_error(&out, &(struct wire_error){ .severity = "WARNING", .sqlstate = "01000", .message = "m" });
	assert_int_equal(out.bytes[0], 'N');
	out.size = 0;
	wire_put_error(&out, &(struct wire_error){ .severity = "PANIC", .sqlstate = "XX000", .message = "m" });
	assert_int_equal(out.bytes[0], 'E');
	buf_fini(&out);
}

/* A server that dies while it writes; the copy ends where the bytes end, so that a sanitizer sees a read beyond. */
static void a_body_cut_short_yields_only_whole_fields(void **state)
{
	static const char whole[] = "SFATAL\0C57P01\0Mbye\0";

	(void)state;
	for (size_t size = 0; size <= sizeof(whole); size++) {
		char *exact = mem_dup(whole, size);
		const char *code = wire_error_field(exact, size, 'C'), *text = wire_error_field(exact, size, 'M');
		assert_true(!!code == (size >= 14));
		assert_true(!!text == (size >= 19));
		mem_free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_read_back_as_they_were_put),
		cmocka_unit_test(a_message_counts_its_type_byte_on_top_of_its_length),
		cmocka_unit_test(a_length_is_right_behind_other_messages),
		cmocka_unit_test(simple_messages_are_made_as_documented),
		cmocka_unit_test(login_messages_are_made_as_documented),
		cmocka_unit_test(a_negotiation_names_the_minor_version_and_the_unknown_options),
		cmocka_unit_test(an_error_leaves_out_what_it_was_not_given),
		cmocka_unit_test(an_error_reads_back_field_by_field),
		cmocka_unit_test(a_notice_and_a_warning_are_not_errors),
		cmocka_unit_test(a_body_cut_short_yields_only_whole_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
