/* The map against a plain table of what should be in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "pgweir/map.h"

enum { MANY = 5000 };

static int values[MANY];

static void put_number(struct map *map, int number)
{
	char key[16];

	snprintf(key, sizeof(key), "key-%d", number);
	assert_null(map_put_text(map, key, &values[number]));
}

static void *get_number(struct map *map, int number)
{
	char key[16];

	snprintf(key, sizeof(key), "key-%d", number);
	return map_get_text(map, key);
}

static void *take_number(struct map *map, int number)
{
	char key[16];

	snprintf(key, sizeof(key), "key-%d", number);
	return map_take_text(map, key);
}

static void a_zeroed_map_answers_as_an_empty_one(void **state)
{
	struct map map = { 0 };

	(void)state;
	assert_null(map_get_text(&map, "a"));
	assert_null(map_take_text(&map, "a"));
	map_foreach(&map, NULL, NULL);
	map_fini(&map);
}

static void every_key_is_found_after_each_growth(void **state)
{
	struct map map = { 0 };

	(void)state;
	for (int i = 0; i < MANY; i++) {
		put_number(&map, i);
		/* The first, the middle and the newest: each doubling moves them all. */
		assert_ptr_equal(get_number(&map, 0), &values[0]);
		assert_ptr_equal(get_number(&map, i / 2), &values[i / 2]);
		assert_ptr_equal(get_number(&map, i), &values[i]);
	}
	assert_int_equal(map.size, MANY);
	assert_int_equal(map.slot_count & (map.slot_count - 1), 0);
	assert_true(map.slot_count >= MANY);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(get_number(&map, i), &values[i]);
	map_fini(&map);
	assert_int_equal(map.size, 0);
}

static void taking_a_key_leaves_all_others(void **state)
{
	struct map map = { 0 };

	(void)state;
	for (int i = 0; i < MANY; i++)
		put_number(&map, i);
	for (int i = 0; i < MANY; i += 2)
		assert_ptr_equal(take_number(&map, i), &values[i]);
	assert_int_equal(map.size, MANY / 2);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(get_number(&map, i), i % 2 ? &values[i] : NULL);
	assert_null(take_number(&map, 0));
	put_number(&map, 0);
	assert_ptr_equal(get_number(&map, 0), &values[0]);
	map_fini(&map);
}

static void putting_again_returns_the_old_value(void **state)
{
	struct map map = { 0 };

	(void)state;
	assert_null(map_put_text(&map, "k", &values[1]));
	assert_ptr_equal(map_put_text(&map, "k", &values[2]), &values[1]);
	assert_ptr_equal(map_get_text(&map, "k"), &values[2]);
	assert_int_equal(map.size, 1);
	map_fini(&map);
}

static void keys_are_bytes_and_are_copied(void **state)
{
	struct map map = { 0 };
	char key[3] = { 'a', '\0', 'b' };

	(void)state;
	map_put(&map, key, sizeof(key), &values[1]);
	map_put(&map, key, 1, &values[2]);
	map_put(&map, "", 0, &values[3]);
	memset(key, 'x', sizeof(key));
	assert_ptr_equal(map_get(&map, "a\0b", 3), &values[1]);
	assert_ptr_equal(map_get(&map, "a", 1), &values[2]);
	assert_ptr_equal(map_get(&map, "", 0), &values[3]);
	assert_null(map_get(&map, "a\0c", 3));
	map_fini(&map);
}

struct tally {
	unsigned seen, stop_after;
	char marks[MANY];
};

static bool mark(const void *key, size_t size, void *value, void *arg)
{
	struct tally *tally = arg;

	(void)key;
	assert_true(size > 4);
	tally->marks[(int *)value - values]++;
	return ++tally->seen != tally->stop_after;
}

static void a_visit_sees_each_entry_once_until_it_says_stop(void **state)
{
	static struct tally all, some = { .stop_after = 3 };
	struct map map = { 0 };

	(void)state;
	for (int i = 0; i < MANY; i++)
		put_number(&map, i);
	map_foreach(&map, mark, &all);
	assert_int_equal(all.seen, MANY);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(all.marks[i], 1);
	map_foreach(&map, mark, &some);
	assert_int_equal(some.seen, 3);
	map_fini(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_map_answers_as_an_empty_one),
		cmocka_unit_test(every_key_is_found_after_each_growth),
		cmocka_unit_test(taking_a_key_leaves_all_others),
		cmocka_unit_test(putting_again_returns_the_old_value),
		cmocka_unit_test(keys_are_bytes_and_are_copied),
		cmocka_unit_test(a_visit_sees_each_entry_once_until_it_says_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
