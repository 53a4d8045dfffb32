/* What is written on the console, taken apart: people type it, and drivers generate it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "words.h"

static size_t parse(struct words *words, const char *sql)
{
	struct error error;
	size_t used = 0;

	assert_true(words_parse(words, sql, &used, &error));
	return used;
}

static void words_are_split_at_blanks_and_symbols(void **state)
{
	struct words words;

	(void)state;
	parse(&words, " set\tkey=10s ");
	assert_int_equal(words.count, 4);
	assert_string_equal(words.all[0].text, "set");
	assert_string_equal(words.all[1].text, "key");
	assert_int_equal(words.all[2].kind, WORD_SYMBOL);
	assert_string_equal(words.all[3].text, "10s");
	words_fini(&words);
}

static void a_semicolon_ends_a_statement_and_the_rest_is_left(void **state)
{
	const char *sql = "pause; resume";
	struct words words;

	(void)state;
	size_t used = parse(&words, sql);

	assert_string_equal(sql + used, " resume");
	assert_int_equal(words.count, 1);
	words_fini(&words);
}

static void nothing_but_blanks_and_comments_is_an_empty_statement(void **state)
{
	const char *const empty[] = { "", "  \n", "-- ping", "/* a /* nested */ one */", ";" };
	struct words words;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
		assert_int_equal(parse(&words, empty[i]), strlen(empty[i]));
		assert_int_equal(words.count, 0);
		words_fini(&words);
	}
}

static void comments_separate_words(void **state)
{
	struct words words;

	(void)state;
	parse(&words, "show/* which? */pools--all\n");
	assert_int_equal(words.count, 2);
	assert_string_equal(words.all[1].text, "pools");
	words_fini(&words);
}

static void quotes_keep_case_blanks_and_semicolons(void **state)
{
	struct words words;

	(void)state;
	parse(&words, "\"My \"\"db\"\";\" 'it''s'");
	assert_int_equal(words.count, 2);
	assert_int_equal(words.all[0].kind, WORD_QUOTED);
	assert_string_equal(words.all[0].text, "My \"db\";");
	assert_int_equal(words.all[1].kind, WORD_STRING);
	assert_string_equal(words.all[1].text, "it's");
	words_fini(&words);
}

static void what_does_not_end_is_an_error(void **state)
{
	const char *const open[] = { "'abc", "\"abc", "/* abc", "'abc''", "/* /* */" };
	struct words words;
	struct error error;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(open); i++) {
		assert_false(words_parse(&words, open[i], &used, &error));
		assert_string_equal(error.sqlstate, "42601");
	}
}

static void more_words_than_there_is_room_for_are_noticed(void **state)
{
	struct words words;

	(void)state;
	parse(&words, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16");
	assert_false(words.cut);
	words_fini(&words);
	parse(&words, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17");
	assert_true(words.cut);
	assert_int_equal(words.count, WORDS_MAX);
	words_fini(&words);
}

static void quoted_words_are_never_keywords(void **state)
{
	struct words words;

	(void)state;
	parse(&words, "Show \"show\" 'show'");
	assert_true(word_is(&words.all[0], "SHOW", 4));
	assert_false(word_is(&words.all[0], "SHO", 3));
	assert_false(word_is(&words.all[1], "SHOW", 4));
	assert_false(word_is(&words.all[2], "SHOW", 4));
	words_fini(&words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_split_at_blanks_and_symbols),
		cmocka_unit_test(a_semicolon_ends_a_statement_and_the_rest_is_left),
		cmocka_unit_test(nothing_but_blanks_and_comments_is_an_empty_statement),
		cmocka_unit_test(comments_separate_words),
		cmocka_unit_test(quotes_keep_case_blanks_and_semicolons),
		cmocka_unit_test(what_does_not_end_is_an_error),
		cmocka_unit_test(more_words_than_there_is_room_for_are_noticed),
		cmocka_unit_test(quoted_words_are_never_keywords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
