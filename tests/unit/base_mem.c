/* Memory: copies are whole, what held a secret is compared without haste. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"

static void new_memory_is_zeroed(void **state)
{
	static const char zeros[4096];

	(void)state;
	char *memory = mem_alloc(sizeof(zeros));
	uint32_t *array = NEW_ARRAY(uint32_t, 100);
	assert_memory_equal(memory, zeros, sizeof(zeros));
	assert_memory_equal(array, zeros, 400);
	mem_free(memory);
	mem_free(array);
}

static void aligned_memory_shares_no_cache_line(void **state)
{
	static const char zeros[100];

	(void)state;
	char *first = mem_alloc_aligned(1), *second = mem_alloc_aligned(100);
	assert_int_equal((uintptr_t)first % 64, 0);
	assert_int_equal((uintptr_t)second % 64, 0);
	assert_memory_equal(second, zeros, sizeof(zeros));
	mem_free(first);
	mem_free(second);
}

static void an_allocation_of_nothing_is_still_a_pointer(void **state)
{
	(void)state;
	void *none = mem_alloc(0), *empty = mem_dup(NULL, 0);
	assert_non_null(none);
	assert_non_null(empty);
	mem_free(none);
	mem_free(empty);
	mem_free(NULL);
}

static void copies_of_null_stay_null(void **state)
{
	(void)state;
	assert_null(mem_strdup(NULL));
	assert_null(mem_secret_dup(NULL));
	mem_secret_free(NULL);
}

static void strndup_copies_exactly_that_many_bytes(void **state)
{
	(void)state;
	char *part = mem_strndup("username", 4), *none = mem_strndup(NULL, 0);
	char *printed = mem_printf("%s/%d", part, 5432);
	assert_string_equal(part, "user");
	assert_string_equal(none, "");
	assert_string_equal(printed, "user/5432");
	mem_free(part);
	mem_free(none);
	mem_free(printed);
}

static void secrets_are_equal_only_byte_for_byte(void **state)
{
	(void)state;
	assert_true(mem_equal_secret("a\0b", "a\0b", 3));
	assert_false(mem_equal_secret("a\0b", "a\0c", 3));
	assert_false(mem_equal_secret("xbc", "abc", 3));
	assert_true(mem_equal_secret("x", "y", 0));
}

static void secret_texts_of_other_length_are_not_equal(void **state)
{
	(void)state;
	assert_true(mem_equal_secret_text("hunter2", "hunter2"));
	assert_true(mem_equal_secret_text("", ""));
	assert_false(mem_equal_secret_text("hunter2", "hunter"));
	assert_false(mem_equal_secret_text("hunter", "hunter2"));
	assert_false(mem_equal_secret_text("hunter2", "hunter3"));
}

static void wiping_leaves_nothing(void **state)
{
	char secret[16] = "correct horse";
	static const char zeros[16];

	(void)state;
	mem_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, zeros, sizeof(secret));
}

/* By any library: this one is the C library's own. Its allocator writes into the first words of what is free. */
static void what_a_thread_frees_is_wiped_once_it_says_so(void **state)
{
	enum { SIZE = 64, ALLOCATORS_OWN = 32 };
	static const char zeros[SIZE];

	(void)state;
	if (!mem_wipe_freed())
		skip();
	char *secret = strdup("sixty-four bytes, of which the last ones hold the correct horse");
	const char *volatile freed = secret;

	assert_int_equal(strlen(secret), SIZE - 1);
	free(secret);
	assert_memory_equal(freed + ALLOCATORS_OWN, zeros, SIZE - ALLOCATORS_OWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_memory_is_zeroed),
		cmocka_unit_test(aligned_memory_shares_no_cache_line),
		cmocka_unit_test(an_allocation_of_nothing_is_still_a_pointer),
		cmocka_unit_test(copies_of_null_stay_null),
		cmocka_unit_test(strndup_copies_exactly_that_many_bytes),
		cmocka_unit_test(secrets_are_equal_only_byte_for_byte),
		cmocka_unit_test(secret_texts_of_other_length_are_not_equal),
		cmocka_unit_test(wiping_leaves_nothing),
		cmocka_unit_test(what_a_thread_frees_is_wiped_once_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
