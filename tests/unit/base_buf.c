/* Growable bytes: what was put in comes out, in network order where the protocol wants it, however often it grew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/mem.h"

/* Stands in for libcrypto's, and counts the secrets it sees wiped. */
void OPENSSL_cleanse(void *memory, size_t size);
static unsigned secrets_wiped;

void OPENSSL_cleanse(void *memory, size_t size)
{
	secrets_wiped += size >= 7 && memcmp(memory, "hunter2", 7) == 0;
	memset(memory, 0, size);
}

static void a_zeroed_buf_is_an_empty_one(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	buf_append(&buf, NULL, 0);
	assert_null(buf.bytes);
	assert_int_equal(buf.size, 0);
	buf_drop_front(&buf, 0);
	buf_fini(&buf);
	buf_fini_secret(&buf);
}

static void bytes_survive_every_growth(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		buf_append_char(&buf, (char)(i % 251));
		assert_true(buf.capacity >= buf.size);
	}
	assert_int_equal(buf.size, 10000);
	for (unsigned i = 0; i < 10000; i++)
		assert_int_equal((unsigned char)buf.bytes[i], i % 251);
	buf_fini(&buf);
	assert_null(buf.bytes);
	assert_int_equal(buf.capacity, 0);
}

static void reserve_gives_room_without_changing_the_size(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	buf_append_text(&buf, "abc");
	char *room = buf_reserve(&buf, 5000);
	memset(room, 'x', 5000);
	assert_int_equal(buf.size, 3);
	assert_true(buf.capacity >= 5003);
	assert_memory_equal(buf.bytes, "abcx", 4);
	buf_fini(&buf);
}

static void text_is_appended_with_or_without_its_nul(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	buf_append_text(&buf, "one");
	buf_append_cstring(&buf, "two");
	buf_append_cstring(&buf, "");
	assert_int_equal(buf.size, 8);
	assert_memory_equal(buf.bytes, "onetwo\0\0", 8);
	buf_fini(&buf);
}

static void numbers_go_in_network_byte_order(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	buf_append_u16(&buf, 0x0102);
	buf_append_u32(&buf, 0xfffefdfc);
	assert_int_equal(buf.size, 6);
	assert_memory_equal(buf.bytes, "\x01\x02\xff\xfe\xfd\xfc", 6);
	buf_fini(&buf);
}

static void printf_appends_without_counting_a_nul(void **state)
{
	struct buf buf = { 0 };
	char wide[300];

	(void)state;
	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	buf_printf(&buf, "%d-", 7);
	buf_printf(&buf, "%s", wide);
	buf_printf(&buf, "%s", "");
	assert_int_equal(buf.size, 2 + sizeof(wide) - 1);
	assert_memory_equal(buf.bytes, "7-wwww", 6);
	buf_fini(&buf);
}

static void drop_front_keeps_the_rest_in_order(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	buf_append_text(&buf, "abcdef");
	buf_drop_front(&buf, 2);
	assert_int_equal(buf.size, 4);
	assert_memory_equal(buf.bytes, "cdef", 4);
	buf_drop_front(&buf, 4);
	assert_int_equal(buf.size, 0);
	buf_fini(&buf);
}

static void taken_text_belongs_to_the_caller(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	char *nothing = buf_take_text(&buf);
	assert_string_equal(nothing, "");
	buf_append_text(&buf, "mine");
	char *text = buf_take_text(&buf);
	assert_string_equal(text, "mine");
	assert_null(buf.bytes);
	assert_int_equal(buf.size, 0);
	mem_free(nothing);
	mem_free(text);
}

/* Memory that a growing buf leaves is free for anyone to read. */
static void a_growing_buf_leaves_no_secret_behind(void **state)
{
	struct buf buf = { 0 };
	unsigned moves = 0;

	(void)state;
	secrets_wiped = 0;
	buf_append_text(&buf, "hunter2");
	for (unsigned i = 0; i < 5000; i++) {
		size_t capacity = buf.capacity;

		buf_append_char(&buf, '.');
		moves += buf.capacity != capacity;
	}
	assert_true(moves > 3);
	assert_int_equal(secrets_wiped, moves);
	buf_fini_secret(&buf);
	assert_int_equal(secrets_wiped, moves + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_buf_is_an_empty_one),
		cmocka_unit_test(bytes_survive_every_growth),
		cmocka_unit_test(reserve_gives_room_without_changing_the_size),
		cmocka_unit_test(text_is_appended_with_or_without_its_nul),
		cmocka_unit_test(numbers_go_in_network_byte_order),
		cmocka_unit_test(printf_appends_without_counting_a_nul),
		cmocka_unit_test(drop_front_keeps_the_rest_in_order),
		cmocka_unit_test(a_growing_buf_leaves_no_secret_behind),
		cmocka_unit_test(taken_text_belongs_to_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
