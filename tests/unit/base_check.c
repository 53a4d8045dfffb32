/* Bugs of our own end the process and say where, in release builds too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pgweir/buf.h"
#include "pgweir/mem.h"

static char said[4096];

/* Runs `act` in a child; true if that was its end. What it wrote to standard error is in `said`. */
static bool ends_the_process(void (*act)(void))
{
	int ends[2], status;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid_t child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);       /* cmocka takes it for a failed assertion of its own. */
		dup2(ends[1], STDERR_FILENO);
		act();
		_exit(0);
	}
	close(ends[1]);
	size_t size = 0;
	for (ssize_t got; (got = read(ends[0], said + size, sizeof(said) - 1 - size)) > 0;)
		size += (size_t)got;
	said[size] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void fail_a_check(void)
{
	CHECK(sizeof(char) == 2);
}

static void pass_a_check(void)
{
	CHECK(sizeof(char) == 1);
}

static void a_failed_check_says_what_it_expected_and_where(void **state)
{
	(void)state;
	assert_true(ends_the_process(fail_a_check));
	assert_non_null(strstr(said, "pgweir: bug: "));
	assert_non_null(strstr(said, "base_check.c:"));
	assert_non_null(strstr(said, "fail_a_check: expected sizeof(char) == 2"));
}

static void a_check_that_holds_says_nothing(void **state)
{
	(void)state;
	assert_false(ends_the_process(pass_a_check));
	assert_string_equal(said, "");
}

static void allocate_too_much(void)
{
	volatile size_t count = SIZE_MAX / 2;

	mem_free(NEW_ARRAY(uint64_t, count));
}

static void an_array_whose_size_overflows_is_never_allocated(void **state)
{
	(void)state;
	assert_true(ends_the_process(allocate_too_much));
}

static void reserve_too_much(void)
{
	struct buf buf = { 0 };

	buf_append_char(&buf, 'x');
	buf_reserve(&buf, SIZE_MAX / 2 + 2);
}

static void a_buf_does_not_wrap_around(void **state)
{
	(void)state;
	assert_true(ends_the_process(reserve_too_much));
	assert_non_null(strstr(said, "pgweir: bug: "));
}

static void drop_more_than_there_is(void)
{
	struct buf buf = { 0 };

	buf_append_char(&buf, 'x');
	buf_drop_front(&buf, 2);
}

static void dropping_more_than_there_is_is_a_bug(void **state)
{
	(void)state;
	assert_true(ends_the_process(drop_more_than_there_is));
	assert_non_null(strstr(said, "expected size <= buf->size"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_check_says_what_it_expected_and_where),
		cmocka_unit_test(a_check_that_holds_says_nothing),
		cmocka_unit_test(an_array_whose_size_overflows_is_never_allocated),
		cmocka_unit_test(a_buf_does_not_wrap_around),
		cmocka_unit_test(dropping_more_than_there_is_is_a_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
