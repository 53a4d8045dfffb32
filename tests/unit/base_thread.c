/* Threads with a loop: started when they are ready, stopped when they have tidied up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "pgweir/thread.h"

struct witness {
	pthread_t on;
	struct loop *loop;
	unsigned prepared, finished, delivered;
	bool signals_blocked;
	struct loop_letter letter;
};

static void prepare(struct loop *loop, void *arg)
{
	struct witness *witness = arg;
	sigset_t blocked;

	usleep(20000);
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	witness->signals_blocked = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGHUP);
	witness->on = pthread_self();
	witness->loop = loop;
	witness->prepared++;
}

static void finish(struct loop *loop, void *arg)
{
	struct witness *witness = arg;

	assert_ptr_equal(loop, witness->loop);
	assert_true(pthread_equal(pthread_self(), witness->on));
	usleep(20000);
	witness->finished++;
}

static void a_thread_is_prepared_when_start_returns(void **state)
{
	struct witness witness = { 0 };

	(void)state;
	struct thread *thread = thread_start("tester", prepare, finish, &witness);
	assert_int_equal(witness.prepared, 1);
	assert_int_equal(witness.finished, 0);
	assert_false(pthread_equal(pthread_self(), witness.on));
	assert_ptr_equal(thread_loop(thread), witness.loop);
	assert_string_equal(loop_name(witness.loop), "tester");
	thread_stop(&thread);
}

static void a_stopped_thread_has_finished_when_stop_returns(void **state)
{
	struct witness witness = { 0 };

	(void)state;
	struct thread *thread = thread_start("tester", prepare, finish, &witness);
	thread_stop(&thread);
	assert_null(thread);
	assert_int_equal(witness.finished, 1);
	thread_stop(&thread);
}

/* They are the control plane's to take. */
static void signals_are_blocked_in_a_thread_and_not_in_its_starter(void **state)
{
	struct witness witness = { 0 };
	sigset_t blocked;

	(void)state;
	struct thread *thread = thread_start("tester", prepare, NULL, &witness);
	thread_stop(&thread);
	assert_true(witness.signals_blocked);
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	assert_false(sigismember(&blocked, SIGTERM));
}

static void count(struct loop_letter *letter)
{
	CONTAINER_OF(letter, struct witness, letter)->delivered++;
}

static void a_letter_posted_before_stop_is_delivered(void **state)
{
	struct witness witness = { .letter.deliver = count };

	(void)state;
	struct thread *thread = thread_start("tester", NULL, NULL, NULL);
	loop_post(thread_loop(thread), &witness.letter);
	thread_stop(&thread);
	assert_int_equal(witness.delivered, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_is_prepared_when_start_returns),
		cmocka_unit_test(a_stopped_thread_has_finished_when_stop_returns),
		cmocka_unit_test(signals_are_blocked_in_a_thread_and_not_in_its_starter),
		cmocka_unit_test(a_letter_posted_before_stop_is_delivered),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
