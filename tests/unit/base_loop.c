/* The loop: letters, kicks, timers and descriptors, from one thread and from several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pgweir/clock.h"
#include "pgweir/loop.h"
#include "pgweir/mem.h"

enum { SENDERS = 4, LETTERS = 2000 };

static struct loop *loop;

static int start(void **state)
{
	(void)state;
	loop = loop_new("test");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	loop_free(&loop);
	assert_null(loop);
	loop_free(&loop);
	return 0;
}

struct numbered {
	struct loop_letter letter;
	unsigned sender, number;
};

static struct numbered letters[SENDERS][LETTERS];
static unsigned next_number[SENDERS], delivered;

static void take_numbered(struct loop_letter *letter)
{
	struct numbered *numbered = CONTAINER_OF(letter, struct numbered, letter);

	assert_int_equal(numbered->number, next_number[numbered->sender]);
	next_number[numbered->sender]++;
	/* From here on the letter is the receiver's; the sender must not look at it again. */
	memset(numbered, 0xff, sizeof(*numbered));
	if (++delivered == SENDERS * LETTERS)
		loop_stop(loop);
}

static void *send_letters(void *arg)
{
	struct numbered *mine = arg;

	for (unsigned i = 0; i < LETTERS; i++)
		loop_post(loop, &mine[i].letter);
	return NULL;
}

static void letters_of_one_sender_arrive_in_order(void **state)
{
	pthread_t threads[SENDERS];

	(void)state;
	for (unsigned i = 0; i < SENDERS; i++) {
		for (unsigned j = 0; j < LETTERS; j++)
			letters[i][j] = (struct numbered){ { .deliver = take_numbered }, i, j };
		pthread_create(&threads[i], NULL, send_letters, letters[i]);
	}
	loop_run(loop);
	for (unsigned i = 0; i < SENDERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(next_number[i], LETTERS);
	}
}

static struct loop_letter reply_letter;
static uint64_t turn_seen;

static void take_reply(struct loop_letter *letter)
{
	(void)letter;
	assert_true(loop_turn(loop) > turn_seen);
	loop_stop(loop);
}

static void reply(struct loop_letter *letter)
{
	(void)letter;
	turn_seen = loop_turn(loop);
	reply_letter.deliver = take_reply;
	loop_post(loop, &reply_letter);
}

static void a_letter_posted_while_one_is_delivered_comes_in_a_later_turn(void **state)
{
	struct loop_letter letter = { .deliver = reply };

	(void)state;
	loop_post(loop, &letter);
	loop_run(loop);
}

static void stop_loop(struct loop_letter *letter)
{
	(void)letter;
	loop_stop(loop);
}

static void a_letter_may_be_posted_before_the_loop_runs(void **state)
{
	struct loop_letter letter = { .deliver = stop_loop };

	(void)state;
	loop_post(loop, &letter);
	loop_run(loop);
	assert_string_equal(loop_name(loop), "test");
	assert_int_equal(loop_turn(loop), 1);
}

static unsigned dropped;

static void count_dropped(struct loop_letter *letter)
{
	(void)letter;
	dropped++;
}

static void letters_of_a_freed_loop_are_dropped_when_the_last_one_lets_go(void **state)
{
	struct loop_letter first = { .deliver = stop_loop, .drop = count_dropped }, second = first, third = first;
	struct loop *held = loop_ref(loop);

	(void)state;
	dropped = 0;
	third.drop = NULL;
	loop_post(loop, &first);
	loop_free(&loop);
	loop_post(held, &second);
	loop_post(held, &third);
	assert_int_equal(dropped, 0);
	loop_unref(held);
	assert_int_equal(dropped, 2);
}

/* --- Descriptors --- */

struct side {
	struct loop_io io;
	int fds[2];
	unsigned calls, kicks_wanted, what;
	uint64_t last_turn;
};

static void open_side(struct side *side, loop_io_cb *callback)
{
	*side = (struct side){ 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, side->fds), 0);
	loop_io_init(&side->io, loop, side->fds[0], callback, side);
}

static void close_side(struct side *side)
{
	loop_io_fini(&side->io);
	close(side->fds[0]);
	if (side->fds[1] >= 0)
		close(side->fds[1]);
}

static void note_and_stop(unsigned what, void *arg)
{
	struct side *side = arg;

	side->calls++;
	side->what |= what;
	loop_stop(loop);
}

static void a_readable_descriptor_calls_back_while_reading_is_wanted(void **state)
{
	struct side side;

	(void)state;
	open_side(&side, note_and_stop);
	assert_int_equal(write(side.fds[1], "x", 1), 1);
	loop_io_read(&side.io, true);
	loop_io_read(&side.io, true);
	loop_run(loop);
	assert_int_equal(side.what, LOOP_READ);
	/* Still readable, still registered: once more. */
	loop_run(loop);
	assert_int_equal(side.calls, 2);
	close_side(&side);
}

struct late_letter {
	struct loop_letter letter;
	const struct side *side;
	unsigned calls_before;          /* Of the side. */
};

static void count_calls(struct loop_letter *letter)
{
	struct late_letter *late = CONTAINER_OF(letter, struct late_letter, letter);

	late->calls_before = late->side->calls;
}

/* Who hears that new settings are in force, and then sends something, has it done with those. For the kernel the descriptor, which was
 * ready in the last turn too, is ready sooner than the mailbox. */
static void a_letter_comes_ahead_of_what_became_readable_after_it(void **state)
{
	struct side side;
	struct late_letter late = { .letter = { .deliver = count_calls }, .side = &side };

	(void)state;
	open_side(&side, note_and_stop);
	assert_int_equal(write(side.fds[1], "x", 1), 1);
	loop_io_read(&side.io, true);
	loop_run_once(loop, true);
	assert_int_equal(side.calls, 1);
	loop_post(loop, &late.letter);
	assert_int_equal(write(side.fds[1], "y", 1), 1);
	loop_run_once(loop, true);
	assert_int_equal(side.calls, 2);
	assert_int_equal(late.calls_before, 1);
	close_side(&side);
}

static void timer_stops_loop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void run_for(uint64_t ms)
{
	struct loop_timer timer;

	loop_timer_init(&timer, loop, timer_stops_loop, NULL);
	loop_timer_start(&timer, ms);
	loop_run(loop);
	loop_timer_stop(&timer);
}

static void an_unwanted_descriptor_stays_silent(void **state)
{
	struct side side;

	(void)state;
	open_side(&side, note_and_stop);
	assert_int_equal(write(side.fds[1], "x", 1), 1);
	loop_io_read(&side.io, true);
	loop_io_read(&side.io, false);
	run_for(20);
	assert_int_equal(side.calls, 0);
	loop_io_write(&side.io, true);
	loop_run(loop);
	assert_int_equal(side.what, LOOP_WRITE);
	close_side(&side);
}

static void a_peer_that_shut_down_is_reported_as_closed(void **state)
{
	struct side side;

	(void)state;
	open_side(&side, note_and_stop);
	loop_io_watch_closed(&side.io);
	loop_io_read(&side.io, true);
	close(side.fds[1]);
	side.fds[1] = -1;
	loop_run(loop);
	assert_true(side.what & LOOP_CLOSED);
	close_side(&side);
}

/* A client that waits for a server: what it sends stays with the kernel, but its going away is news. */
static void closed_only_hears_the_peer_go_and_nothing_else(void **state)
{
	struct side side;

	(void)state;
	open_side(&side, note_and_stop);
	loop_io_watch_closed(&side.io);
	loop_io_read(&side.io, true);
	assert_int_equal(write(side.fds[1], "x", 1), 1);
	loop_io_closed_only(&side.io);
	loop_io_closed_only(&side.io);
	run_for(20);
	assert_int_equal(side.calls, 0);
	close(side.fds[1]);
	side.fds[1] = -1;
	loop_run(loop);
	assert_int_equal(side.what, LOOP_CLOSED);
	close_side(&side);
}

/* Whoever waits for a server and is reset must not be found ready again and again, and never called back. */
static void closed_only_hears_a_reset(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct linger at_once = { .l_onoff = 1 };
	socklen_t size = sizeof(address);
	struct side side = { 0 };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	side.fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(side.fds[1], (struct sockaddr *)&address, size), 0);
	side.fds[0] = accept(listener, NULL, NULL);
	loop_io_init(&side.io, loop, side.fds[0], note_and_stop, &side);
	loop_io_watch_closed(&side.io);
	loop_io_closed_only(&side.io);
	assert_int_equal(setsockopt(side.fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(side.fds[1]);
	side.fds[1] = -1;
	loop_run(loop);
	assert_int_equal(side.what, LOOP_CLOSED);
	close_side(&side);
	close(listener);
}

static void reading_resumes_after_closed_only(void **state)
{
	struct side side;

	(void)state;
	open_side(&side, note_and_stop);
	loop_io_watch_closed(&side.io);
	loop_io_closed_only(&side.io);
	assert_int_equal(write(side.fds[1], "x", 1), 1);
	loop_io_read(&side.io, true);
	loop_run(loop);
	assert_int_equal(side.what, LOOP_READ);
	loop_io_closed_only(&side.io);
	loop_io_read(&side.io, false);
	close(side.fds[1]);
	side.fds[1] = -1;
	side.calls = 0;
	run_for(20);
	assert_int_equal(side.calls, 0);
	close_side(&side);
}

static void a_kick_calls_back_though_nothing_is_readable(void **state)
{
	struct side side;

	(void)state;
	open_side(&side, note_and_stop);
	loop_io_read(&side.io, true);
	loop_io_kick(&side.io);
	loop_io_kick(&side.io);
	assert_int_equal(side.calls, 0);
	loop_run(loop);
	assert_int_equal(side.what, LOOP_READ);
	run_for(20);
	assert_int_equal(side.calls, 1);
	close_side(&side);
}

static void kick_again(unsigned what, void *arg)
{
	struct side *side = arg;

	assert_int_equal(what, LOOP_READ);
	assert_true(loop_turn(loop) > side->last_turn);
	side->last_turn = loop_turn(loop);
	if (++side->calls < side->kicks_wanted)
		loop_io_kick(&side->io);
	else
		loop_stop(loop);
}

/* A client that keeps a TLS record's worth of bytes pending must not hold up the others. */
static void a_kick_from_within_a_callback_waits_for_the_next_turn(void **state)
{
	struct side side, other;

	(void)state;
	open_side(&side, kick_again);
	open_side(&other, note_and_stop);
	side.kicks_wanted = 1000;
	loop_io_read(&side.io, true);
	loop_io_read(&other.io, true);
	assert_int_equal(write(other.fds[1], "x", 1), 1);
	loop_io_kick(&side.io);
	loop_run(loop);
	assert_int_equal(other.calls, 1);
	assert_in_range(side.calls, 0, 3);
	loop_io_read(&other.io, false);
	loop_run(loop);
	assert_int_equal(side.calls, 1000);
	close_side(&other);
	close_side(&side);
}

static void a_kick_dies_with_its_descriptor(void **state)
{
	struct side *side = NEW(struct side);

	(void)state;
	open_side(side, note_and_stop);
	loop_io_kick(&side->io);        /* Never registered for reading. */
	close_side(side);
	mem_free(side);
	run_for(20);
}

static void a_kick_dies_when_reading_is_no_longer_wanted(void **state)
{
	struct side side;

	(void)state;
	open_side(&side, note_and_stop);
	loop_io_read(&side.io, true);
	loop_io_kick(&side.io);
	loop_io_read(&side.io, false);
	run_for(20);
	assert_int_equal(side.calls, 0);
	close_side(&side);
}

static struct side *victim;

static void kill_victim(unsigned what, void *arg)
{
	(void)what;
	(void)arg;
	close_side(victim);
	memset(victim, 0xff, sizeof(*victim));
	loop_stop(loop);
}

static void a_callback_may_end_a_descriptor_that_is_ready_in_the_same_turn(void **state)
{
	struct side killer, dead;

	(void)state;
	open_side(&killer, kill_victim);
	open_side(&dead, kill_victim);
	victim = &dead;
	loop_io_read(&dead.io, true);
	loop_io_kick(&killer.io);
	loop_io_kick(&dead.io);
	assert_int_equal(write(dead.fds[1], "x", 1), 1);
	loop_run(loop);
	run_for(20);
	close_side(&killer);
}

/* --- Timers --- */

static unsigned rings;

static void ring(void *arg)
{
	(void)arg;
	rings++;
}

static void a_timer_fires_once_and_not_before_its_time(void **state)
{
	struct loop_timer timer;
	uint64_t before = clock_now_us();

	(void)state;
	rings = 0;
	loop_timer_init(&timer, loop, timer_stops_loop, NULL);
	loop_timer_start(&timer, 30);
	loop_run(loop);
	assert_true(clock_now_us() - before >= 29000);
	loop_timer_init(&timer, loop, ring, NULL);
	loop_timer_start(&timer, 1);
	run_for(40);
	assert_int_equal(rings, 1);
}

static void a_stopped_timer_does_not_fire(void **state)
{
	struct loop_timer timer;

	(void)state;
	rings = 0;
	loop_timer_init(&timer, loop, ring, NULL);
	loop_timer_stop(&timer);
	loop_timer_start(&timer, 1);
	loop_timer_stop(&timer);
	run_for(20);
	assert_int_equal(rings, 0);
}

static void starting_a_running_timer_puts_it_off(void **state)
{
	struct loop_timer timer;

	(void)state;
	rings = 0;
	loop_timer_init(&timer, loop, ring, NULL);
	loop_timer_start(&timer, 1);
	loop_timer_start(&timer, 60000);
	run_for(30);
	assert_int_equal(rings, 0);
	loop_timer_stop(&timer);
}

static uint64_t last_due_us;

static void ring_in_order(void *arg)
{
	const struct loop_timer *timer = arg;

	assert_true(timer->due_us >= last_due_us);
	last_due_us = timer->due_us;
	rings++;
}

/* Enough of them for every shape of the heap, and some stopped in the middle of it. */
static void timers_fire_in_the_order_in_which_they_are_due(void **state)
{
	enum { TIMERS = 200 };
	static struct loop_timer timers[TIMERS];

	(void)state;
	rings = 0;
	last_due_us = 0;
	for (unsigned i = 0; i < TIMERS; i++) {
		loop_timer_init(&timers[i], loop, ring_in_order, &timers[i]);
		loop_timer_start(&timers[i], 60000);
	}
	for (unsigned i = 0; i < TIMERS; i++)
		loop_timer_start(&timers[i], 1 + 2 * (i * 37 % TIMERS));
	for (unsigned i = 0; i < TIMERS; i += 4)
		loop_timer_stop(&timers[i]);
	run_for(2 * TIMERS + 50);
	assert_int_equal(rings, TIMERS - TIMERS / 4);
}

static void a_timer_may_outlive_its_loop(void **state)
{
	struct loop_timer timer;

	(void)state;
	loop_timer_init(&timer, loop, ring, NULL);
	loop_timer_start(&timer, 60000);
	loop_free(&loop);
	loop_timer_stop(&timer);
}

/* --- libevent's base --- */

static void rung_by_libevent(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ring(arg);
}

/* Descriptors, timers and letters go on as before when somebody brings libevent in, and his events are served. */
static void libevents_events_and_the_loops_own_are_served_by_one_run(void **state)
{
	struct timeval soon = { .tv_usec = 1000 };
	struct side side;

	(void)state;
	rings = 0;
	open_side(&side, note_and_stop);
	struct event *theirs = evtimer_new(loop_base(loop), rung_by_libevent, NULL);

	event_add(theirs, &soon);
	run_for(30);
	assert_int_equal(rings, 1);
	assert_int_equal(write(side.fds[1], "x", 1), 1);
	loop_io_read(&side.io, true);
	loop_run(loop);
	assert_int_equal(side.what, LOOP_READ);
	event_free(theirs);
	close_side(&side);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(letters_of_one_sender_arrive_in_order, start, stop),
		cmocka_unit_test_setup_teardown(a_letter_posted_while_one_is_delivered_comes_in_a_later_turn, start, stop),
		cmocka_unit_test_setup_teardown(a_letter_may_be_posted_before_the_loop_runs, start, stop),
		cmocka_unit_test_setup_teardown(letters_of_a_freed_loop_are_dropped_when_the_last_one_lets_go, start, stop),
		cmocka_unit_test_setup_teardown(a_readable_descriptor_calls_back_while_reading_is_wanted, start, stop),
		cmocka_unit_test_setup_teardown(a_letter_comes_ahead_of_what_became_readable_after_it, start, stop),
		cmocka_unit_test_setup_teardown(an_unwanted_descriptor_stays_silent, start, stop),
		cmocka_unit_test_setup_teardown(a_peer_that_shut_down_is_reported_as_closed, start, stop),
		cmocka_unit_test_setup_teardown(closed_only_hears_the_peer_go_and_nothing_else, start, stop),
		cmocka_unit_test_setup_teardown(closed_only_hears_a_reset, start, stop),
		cmocka_unit_test_setup_teardown(reading_resumes_after_closed_only, start, stop),
		cmocka_unit_test_setup_teardown(a_kick_calls_back_though_nothing_is_readable, start, stop),
		cmocka_unit_test_setup_teardown(a_kick_from_within_a_callback_waits_for_the_next_turn, start, stop),
		cmocka_unit_test_setup_teardown(a_kick_dies_with_its_descriptor, start, stop),
		cmocka_unit_test_setup_teardown(a_kick_dies_when_reading_is_no_longer_wanted, start, stop),
		cmocka_unit_test_setup_teardown(a_callback_may_end_a_descriptor_that_is_ready_in_the_same_turn, start, stop),
		cmocka_unit_test_setup_teardown(a_timer_fires_once_and_not_before_its_time, start, stop),
		cmocka_unit_test_setup_teardown(a_stopped_timer_does_not_fire, start, stop),
		cmocka_unit_test_setup_teardown(starting_a_running_timer_puts_it_off, start, stop),
		cmocka_unit_test_setup_teardown(timers_fire_in_the_order_in_which_they_are_due, start, stop),
		cmocka_unit_test_setup_teardown(a_timer_may_outlive_its_loop, start, stop),
		cmocka_unit_test_setup_teardown(libevents_events_and_the_loops_own_are_served_by_one_run, start, stop),
	};

	/* A loop that waits for what never comes is a failure too. */
	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
