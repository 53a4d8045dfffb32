/* The ring of recent events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pgweir/log_recent.h"

struct seen {
	size_t count;
	struct log_recent all[LOG_RECENT_MAX];
	char details[LOG_RECENT_MAX][80];
};

static void note(const struct log_recent *recent, void *arg)
{
	struct seen *seen = arg;

	assert_true(seen->count < LOG_RECENT_MAX);
	snprintf(seen->details[seen->count], sizeof(seen->details[0]), "%s", recent->detail);
	seen->all[seen->count++] = *recent;
}

static struct seen look(void)
{
	struct seen seen = { 0 };

	log_recent_foreach(note, &seen);
	return seen;
}

static int setup(void **state)
{
	(void)state;
	log_recent_clear();
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

static void warnings_and_notable_events_are_kept_below_the_threshold_too(void **state)
{
	(void)state;
	log_notable("something happened", LOG_TEXT("what", "it"), LOG_INT("n", 3));
	log_info("of no interest");
	log_write(LOG_LEVEL_ERROR, "something broke", (const struct log_field[]){ { 0 } });
	struct seen seen = look();

	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.all[0].event, "something broke");
	assert_string_equal(seen.details[0], "");
	assert_string_equal(seen.all[1].event, "something happened");
	assert_string_equal(seen.details[1], "what=it n=3");
}

static void what_differs_in_the_address_only_counts_as_one(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		log_notable("came", LOG_TEXT("user", "a"), LOG_INT("address", i));
	log_notable("came", LOG_TEXT("user", "b"), LOG_INT("address", 9));
	log_notable("came", LOG_TEXT("user", "a"), LOG_INT("address", 7));
	struct seen seen = look();

	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.all[0].count, 6);
	assert_string_equal(seen.details[0], "user=a address=7");
	assert_int_equal(seen.all[1].count, 1);
	assert_true(seen.all[0].first_us <= seen.all[0].last_us);
}

static void the_oldest_make_room_for_the_newest(void **state)
{
	(void)state;
	for (int i = 0; i < LOG_RECENT_MAX + 10; i++)
		log_notable("number", LOG_INT("n", i));
	struct seen seen = look();

	assert_int_equal(seen.count, LOG_RECENT_MAX);
	assert_string_equal(seen.details[0], "n=209");
	assert_string_equal(seen.details[LOG_RECENT_MAX - 1], "n=10");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(warnings_and_notable_events_are_kept_below_the_threshold_too, setup),
		cmocka_unit_test_setup(what_differs_in_the_address_only_counts_as_one, setup),
		cmocka_unit_test_setup(the_oldest_make_room_for_the_newest, setup),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	log_recent_clear();
	return failed;
}
