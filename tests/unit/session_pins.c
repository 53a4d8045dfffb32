/* Which texts leave nothing behind on a server connection. Whatever is not known to be harmless is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgweir/mem.h"
#include "session_internal.h"

/* In memory of its own size, as the end of a message may lie at the end of a buffer. */
static bool harmless(const char *text, size_t size)
{
	char *exact = mem_dup(text, size);
	bool answer = session_text_is_harmless(exact, size);

	mem_free(exact);
	return answer;
}

static void expect(bool expected, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (harmless(texts[i], strlen(texts[i]) + 1) != expected)
			fail_msg("\"%s\" should be %s", texts[i], expected ? "harmless" : "harmful");
}

static void what_ends_with_its_transaction_is_harmless(void **unused)
{
	static const char *const texts[] = {
		"set local work_mem = '1MB'",
		"SET LOCAL work_mem TO 1",
		"  \t\nSeT\n LocaL  x=1",
		"set transaction isolation level serializable",
		"SET TRANSACTION READ ONLY;",
		"set local x = 1; \n",
		"declare c cursor for select 1",
		"DECLARE c BINARY SCROLL CURSOR FOR select 1;",
	};

	(void)unused;
	expect(true, texts, ARRAY_LEN(texts));
}

static void what_outlives_its_transaction_is_not_harmless(void **unused)
{
	static const char *const texts[] = {
		"set work_mem = '1MB'",
		"set session work_mem = '1MB'",
		"set session characteristics as transaction read only",
		"set time zone 'UTC'",
		"set role somebody",
		"set local_preload_libraries = 'x'",
		"set transaction_isolation = 'serializable'",
		"declare c cursor with hold for select 1",
		"declare c cursor WITH\nHoLd for select 1",
		"declare c cursor for select 'hold'",
	};

	(void)unused;
	expect(false, texts, ARRAY_LEN(texts));
}

static void a_second_statement_may_do_anything(void **unused)
{
	static const char *const texts[] = {
		"set local x = 1; set y = 2",
		"declare c cursor for select 1; set y = 2",
		"set transaction read only;set y = 2;",
		"select 1; set local x = 1",
		"begin; set local x = 1",
		"set local x = 'a;b'",
	};

	(void)unused;
	expect(false, texts, ARRAY_LEN(texts));
}

static void texts_that_only_look_alike_are_not_harmless(void **unused)
{
	static const char *const texts[] = {
		"", " ", "set", "set ", "set local", "setlocal x = 1", "set/**/local x = 1", "/* a */ set local x = 1",
		"declare", "declarec cursor for select 1", "select set_config('a', 'b', false)", "reset x",
	};

	(void)unused;
	expect(false, texts, ARRAY_LEN(texts));
}

/* Only the start of a long message is looked at: then the rest is not known. */
static void a_text_without_its_end_is_not_harmless(void **unused)
{
	static const char text[] = "set local x = 1";

	(void)unused;
	for (size_t size = 0; size < sizeof(text); size++)
		assert_false(harmless(text, size));
	assert_true(harmless(text, sizeof(text)));
	assert_true(harmless("set local x = 1\0; set y = 2", 28));
}

static void every_pin_has_a_name_of_its_own(void **unused)
{
	(void)unused;
	for (int i = 0; i < PIN_COUNT; i++) {
		assert_non_null(session_pin_name((enum session_pin)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(session_pin_name((enum session_pin)i), session_pin_name((enum session_pin)j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_ends_with_its_transaction_is_harmless),
		cmocka_unit_test(what_outlives_its_transaction_is_not_harmless),
		cmocka_unit_test(a_second_statement_may_do_anything),
		cmocka_unit_test(texts_that_only_look_alike_are_not_harmless),
		cmocka_unit_test(a_text_without_its_end_is_not_harmless),
		cmocka_unit_test(every_pin_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
