/* Whatever the cache answers, the scanner would have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pgweir/check.h"
#include "pgweir/scan.h"
#include "text_cache.h"

static void the_same_text_has_the_same_effects(void **unused)
{
	static const char *const texts[] = {
		"SET x = 1", "SELECT pg_catalog.pg_advisory_lock(1), 'a text that is long enough'", "CREATE TEMP TABLE of_some_length (n int)",
		"SELECT 'CREATE TEMP TABLE of_some_length (n int)'", "UPDATE somewhere SET something = 'something else'",
	};
	struct text_cache *cache = text_cache_new();

	(void)unused;
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			assert_int_equal(text_cache_effects(cache, texts[i], strlen(texts[i]), 0), scan_text(texts[i], strlen(texts[i]), 0, NULL));
	text_cache_free(cache);
}

static void flags_are_part_of_the_question(void **unused)
{
	static const char text[] = "SELECT 'a backslash \\'' ; SET work_mem = 1; SELECT '";
	struct text_cache *cache = text_cache_new();

	(void)unused;
	for (int round = 0; round < 2; round++)
		for (unsigned flags = 0; flags <= SCAN_BACKSLASH_STRINGS; flags += SCAN_BACKSLASH_STRINGS)
			assert_int_equal(text_cache_effects(cache, text, strlen(text), flags), scan_text(text, strlen(text), flags, NULL));
	assert_int_not_equal(scan_text(text, strlen(text), 0, NULL), scan_text(text, strlen(text), SCAN_BACKSLASH_STRINGS, NULL));
	text_cache_free(cache);
}

/* Many more texts than slots, of all sizes, half of them with an effect. */
static void texts_take_each_others_place(void **unused)
{
	struct text_cache *cache = text_cache_new();
	char text[700];

	(void)unused;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 5000; i++) {
			int size = snprintf(text, sizeof(text), "%s '%d%*s'", i % 2 ? "SELECT" : "RESET ALL; SELECT", i, i % 600, "");

			assert_int_equal(text_cache_effects(cache, text, (size_t)size, 0) & SCAN_SETS, i % 2 ? 0 : SCAN_SETS);
		}
	}
	text_cache_free(cache);
}

/* Some are kept from the second time on, some are too long, and some want each other's slot. */
static void long_texts_are_known_again(void **unused)
{
	struct text_cache *cache = text_cache_new();
	char text[20000];

	(void)unused;
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 300; i++) {
			int size = snprintf(text, sizeof(text), "%s '%*s%d'", i % 2 ? "SELECT" : "RESET ALL; SELECT", 480 + i * 63, "", i);

			assert_int_equal(text_cache_effects(cache, text, (size_t)size, 0) & SCAN_SETS, i % 2 ? 0 : SCAN_SETS);
			assert_int_equal(text_cache_effects(cache, text, (size_t)size, 0) & SCAN_SETS, i % 2 ? 0 : SCAN_SETS);
		}
	}
	text_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_text_has_the_same_effects),
		cmocka_unit_test(flags_are_part_of_the_question),
		cmocka_unit_test(texts_take_each_others_place),
		cmocka_unit_test(long_texts_are_known_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
