/* Coarse timers under a time that moves only when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "pgweir/wheel.h"

enum { START_MS = 1000, TURN_MS = WHEEL_SLOT_MS * WHEEL_SLOTS };

static struct wheel wheel;
static unsigned fired;

static int start(void **state)
{
	(void)state;
	wheel_init(&wheel, START_MS);
	fired = 0;
	return 0;
}

static void count(struct wheel_entry *entry)
{
	assert_false(wheel_entry_armed(entry));
	fired++;
}

/* Advances as a loop would, slot by slot, and returns when the entry fired. */
static uint64_t fires_at(struct wheel_entry *entry, uint64_t from_ms, uint64_t until_ms)
{
	for (uint64_t now = from_ms; now <= until_ms; now++) {
		wheel_advance(&wheel, now);
		if (!wheel_entry_armed(entry))
			return now;
	}
	return UINT64_MAX;
}

static void an_entry_fires_once_within_a_slot_of_its_deadline(void **state)
{
	struct wheel_entry entry;

	(void)state;
	wheel_entry_init(&entry, count);
	for (uint64_t deadline = START_MS; deadline < START_MS + 3 * WHEEL_SLOT_MS; deadline++) {
		fired = 0;
		wheel_init(&wheel, START_MS);
		wheel_set(&wheel, &entry, deadline);
		uint64_t at = fires_at(&entry, START_MS, START_MS + 10 * WHEEL_SLOT_MS);
		assert_in_range(at, deadline, deadline + WHEEL_SLOT_MS);
		wheel_advance(&wheel, START_MS + 3 * TURN_MS);
		assert_int_equal(fired, 1);
	}
}

static void a_deadline_turns_away_does_not_fire_early(void **state)
{
	struct wheel_entry entry;
	const uint64_t deadline = START_MS + 3 * TURN_MS + 123;

	(void)state;
	wheel_entry_init(&entry, count);
	wheel_set(&wheel, &entry, deadline);
	uint64_t at = fires_at(&entry, START_MS, deadline + 1000);
	assert_in_range(at, deadline, deadline + WHEEL_SLOT_MS);
	assert_int_equal(fired, 1);
}

static void a_long_sleep_fires_everything_that_came_due(void **state)
{
	struct wheel_entry entries[200];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		wheel_entry_init(&entries[i], count);
		wheel_set(&wheel, &entries[i], START_MS + i * 997);
	}
	/* The process was stopped for ten turns of the wheel. */
	wheel_advance(&wheel, START_MS + 10 * TURN_MS);
	assert_int_equal(fired, 200);
}

static void a_deadline_in_the_past_fires_at_the_next_slot(void **state)
{
	struct wheel_entry entry;

	(void)state;
	wheel_entry_init(&entry, count);
	wheel_set(&wheel, &entry, 0);
	wheel_advance(&wheel, START_MS);
	assert_int_equal(fired, 0);
	wheel_advance(&wheel, START_MS + WHEEL_SLOT_MS);
	assert_int_equal(fired, 1);
}

static void the_end_of_time_never_comes(void **state)
{
	struct wheel_entry entry;

	(void)state;
	wheel_entry_init(&entry, count);
	wheel_set(&wheel, &entry, UINT64_MAX);
	wheel_advance(&wheel, START_MS + 5 * TURN_MS);
	assert_int_equal(fired, 0);
	assert_true(wheel_entry_armed(&entry));
	wheel_cancel(&entry);
}

static void setting_an_armed_entry_moves_it(void **state)
{
	struct wheel_entry entry;

	(void)state;
	wheel_entry_init(&entry, count);
	wheel_set(&wheel, &entry, START_MS + 100);
	wheel_set(&wheel, &entry, START_MS + 5000);
	wheel_advance(&wheel, START_MS + 4900);
	assert_int_equal(fired, 0);
	wheel_set(&wheel, &entry, START_MS + 5000 - 40);
	wheel_advance(&wheel, START_MS + 5050);
	assert_int_equal(fired, 1);
}

static void a_cancelled_entry_does_not_fire(void **state)
{
	struct wheel_entry entry;

	(void)state;
	wheel_entry_init(&entry, count);
	wheel_cancel(&entry);
	wheel_set(&wheel, &entry, START_MS + 100);
	assert_true(wheel_entry_armed(&entry));
	wheel_cancel(&entry);
	assert_false(wheel_entry_armed(&entry));
	wheel_advance(&wheel, START_MS + 1000);
	assert_int_equal(fired, 0);
}

static void rearm(struct wheel_entry *entry)
{
	fired++;
	wheel_set(&wheel, entry, entry->deadline_ms + 100);
}

static void a_callback_may_set_its_entry_again(void **state)
{
	struct wheel_entry entry;

	(void)state;
	wheel_entry_init(&entry, rearm);
	wheel_set(&wheel, &entry, START_MS + 100);
	for (uint64_t now = START_MS; now <= START_MS + 1050; now += 10)
		wheel_advance(&wheel, now);
	assert_int_equal(fired, 10);
	wheel_cancel(&entry);
}

static void rearm_in_the_past(struct wheel_entry *entry)
{
	fired++;
	wheel_set(&wheel, entry, 0);
}

static void setting_again_in_the_past_does_not_spin(void **state)
{
	struct wheel_entry entry;

	(void)state;
	wheel_entry_init(&entry, rearm_in_the_past);
	wheel_set(&wheel, &entry, 0);
	wheel_advance(&wheel, START_MS + WHEEL_SLOT_MS);
	assert_int_equal(fired, 1);
	wheel_cancel(&entry);
}

static struct wheel_entry pair[2];

static void cancel_the_other(struct wheel_entry *entry)
{
	fired++;
	wheel_cancel(entry == &pair[0] ? &pair[1] : &pair[0]);
}

static void a_callback_may_cancel_one_due_in_the_same_slot(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		wheel_entry_init(&pair[i], cancel_the_other);
		wheel_set(&wheel, &pair[i], START_MS + 10);
	}
	wheel_advance(&wheel, START_MS + 1000);
	assert_int_equal(fired, 1);
}

static void put_off_the_other(struct wheel_entry *entry)
{
	fired++;
	if (entry == &pair[0])
		wheel_set(&wheel, &pair[1], START_MS + 5000);
}

static void a_callback_may_put_off_one_due_in_the_same_slot(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		wheel_entry_init(&pair[i], put_off_the_other);
		wheel_set(&wheel, &pair[i], START_MS + 10);
	}
	wheel_advance(&wheel, START_MS + 1000);
	assert_int_equal(fired, 1);
	assert_true(wheel_entry_armed(&pair[1]));
	wheel_advance(&wheel, START_MS + 5050);
	assert_int_equal(fired, 2);
}

static void time_going_back_fires_nothing(void **state)
{
	struct wheel_entry entry;

	(void)state;
	wheel_entry_init(&entry, count);
	wheel_set(&wheel, &entry, START_MS + 100);
	wheel_advance(&wheel, 0);
	assert_int_equal(fired, 0);
	wheel_advance(&wheel, START_MS + 150);
	assert_int_equal(fired, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_entry_fires_once_within_a_slot_of_its_deadline, start),
		cmocka_unit_test_setup(a_deadline_turns_away_does_not_fire_early, start),
		cmocka_unit_test_setup(a_long_sleep_fires_everything_that_came_due, start),
		cmocka_unit_test_setup(a_deadline_in_the_past_fires_at_the_next_slot, start),
		cmocka_unit_test_setup(the_end_of_time_never_comes, start),
		cmocka_unit_test_setup(setting_an_armed_entry_moves_it, start),
		cmocka_unit_test_setup(a_cancelled_entry_does_not_fire, start),
		cmocka_unit_test_setup(a_callback_may_set_its_entry_again, start),
		cmocka_unit_test_setup(setting_again_in_the_past_does_not_spin, start),
		cmocka_unit_test_setup(a_callback_may_cancel_one_due_in_the_same_slot, start),
		cmocka_unit_test_setup(a_callback_may_put_off_one_due_in_the_same_slot, start),
		cmocka_unit_test_setup(time_going_back_fires_nothing, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
