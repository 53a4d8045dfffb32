/* Rows of an answer, byte by byte as the protocol has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "pgweir/wire.h"
#include "result.h"

static const struct column columns[] = { { "name", COLUMN_TEXT }, { "value", COLUMN_INT8 } };
static const struct table table = { columns, ARRAY_LEN(columns) };

static void put(struct result *result, const char *name, int64_t value)
{
	result_begin(result);
	result_text(result, name);
	result_int(result, value);
	result_end(result);
}

static void a_row_has_a_length_before_each_value(void **state)
{
	static const char expected[] = "D\0\0\0\x12\0\2\0\0\0\1a\0\0\0\3" "-42";
	struct result result;

	(void)state;
	result_init(&result, &table, 0);
	put(&result, "a", -42);
	/* Type byte, and the length word counts itself. */
	assert_int_equal(result.rows.size, 1 + 0x12);
	assert_memory_equal(result.rows.bytes, expected, sizeof(expected) - 1);
	result_fini(&result);
}

static void numbers_in_binary_are_eight_bytes(void **state)
{
	static const char value[] = "\0\0\0\x8\xff\xff\xff\xff\xff\xff\xff\xfe";
	struct result result;

	(void)state;
	result_init(&result, &table, UINT64_MAX);
	put(&result, "a", -2);
	assert_memory_equal(result.rows.bytes + 12, value, sizeof(value) - 1);
	result_fini(&result);
}

static void null_has_a_length_of_minus_one(void **state)
{
	struct result result;

	(void)state;
	result_init(&result, &table, 0);
	result_begin(&result);
	result_text(&result, NULL);
	result_null(&result);
	result_end(&result);
	assert_memory_equal(result.rows.bytes + 7, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	assert_int_equal(result.rows.size, 15);
	result_fini(&result);
}

static void formatted_text_is_as_long_as_it_says(void **state)
{
	struct result result;

	(void)state;
	result_init(&result, &table, 0);
	result_begin(&result);
	result_printf(&result, "%s:%d", "host", 5432);
	result_int(&result, 0);
	result_end(&result);
	assert_int_equal(wire_u32(result.rows.bytes + 7), 9);
	assert_memory_equal(result.rows.bytes + 11, "host:5432", 9);
	result_fini(&result);
}

static void rows_are_handed_out_a_few_at_a_time(void **state)
{
	struct result result;
	struct buf out = { 0 };
	int rounds = 0;

	(void)state;
	result_init(&result, &table, 0);
	for (int i = 0; i < 5; i++)
		put(&result, "a", i);
	for (size_t at = 0; at < result.rows.size; rounds++)
		at = result_put_rows(&result, at, 2, &out);
	assert_int_equal(rounds, 3);
	assert_int_equal(out.size, result.rows.size);
	assert_memory_equal(out.bytes, result.rows.bytes, out.size);
	out.size = 0;
	result_put_rows(&result, 0, 0, &out);
	assert_int_equal(out.size, result.rows.size);
	buf_fini(&out);
	result_fini(&result);
}

static void a_description_names_columns_types_and_formats(void **state)
{
	static const char expected[] = "T\0\0\0\x33\0\2"
		"name\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
		"value\0\0\0\0\0\0\0\0\0\0\x14\0\x8\xff\xff\xff\xff\0\1";
	struct buf out = { 0 };

	(void)state;
	result_put_description(&table, 2, &out);
	assert_int_equal(out.size, sizeof(expected) - 1);
	assert_int_equal(out.size, wire_message_size(out.bytes));
	assert_memory_equal(out.bytes + 5, expected + 5, out.size - 5);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_has_a_length_before_each_value),
		cmocka_unit_test(numbers_in_binary_are_eight_bytes),
		cmocka_unit_test(null_has_a_length_of_minus_one),
		cmocka_unit_test(formatted_text_is_as_long_as_it_says),
		cmocka_unit_test(rows_are_handed_out_a_few_at_a_time),
		cmocka_unit_test(a_description_names_columns_types_and_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
