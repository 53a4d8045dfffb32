/* Commands that print credentials: taken apart without a shell, bounded in time and size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "pgweir/mem.h"
#include "process.h"

enum { LONG_MS = 60 * 1000, SHORT_MS = 50 };

struct outcome {
	struct loop *loop;
	char *output, *problem;
};

static void ended(const struct buf *output, const struct error *error, void *arg)
{
	struct outcome *outcome = arg;

	outcome->output = mem_strndup(output->bytes ? output->bytes : "", output->size);
	outcome->problem = error ? mem_strdup(error->text) : NULL;
	loop_stop(outcome->loop);
}

/* `printed` NULL: it fails, and `problem` is why. */
static void assert_outcome(const char *command, uint64_t timeout_ms, const char *printed, const char *problem)
{
	struct outcome outcome = { .loop = loop_new("test") };

	(void)!process_start(outcome.loop, command, timeout_ms, ended, &outcome);
	assert_null(outcome.output);
	loop_run(outcome.loop);
	if (problem)
		assert_string_equal(outcome.problem, problem);
	else
		assert_null(outcome.problem);
	if (printed)
		assert_string_equal(outcome.output, printed);
	mem_free(outcome.output);
	mem_free(outcome.problem);
	loop_free(&outcome.loop);
}

static void words_are_taken_apart_as_a_shell_does(void **state)
{
	(void)state;
	assert_outcome("printf '%s|%s|%s' \"a b\" 'c\"d' e\\ f", LONG_MS, "a b|c\"d|e f", NULL);
	assert_outcome("printf %s $HOME;`id`", LONG_MS, "$HOME;`id`", NULL);
}

static void failures_are_told_apart(void **state)
{
	(void)state;
	assert_outcome("false", LONG_MS, NULL, "it failed");
	assert_outcome("sh -c 'kill -9 $$'", LONG_MS, NULL, "it was killed");
	assert_outcome("/nonexistent/command", LONG_MS, NULL, "No such file or directory");
	assert_outcome("  ", LONG_MS, NULL, "Invalid argument");
	assert_outcome("yes", LONG_MS, NULL, "it printed too much");
}

/* With all that it has started: the sleep would hold the pipe for a minute. */
static void one_that_hangs_is_killed(void **state)
{
	(void)state;
	assert_outcome("sh -c 'sleep 60 & wait'", SHORT_MS, NULL, "it took too long");
}

/* Its pipe is held by another one, which may go on. */
static void the_end_of_the_process_counts(void **state)
{
	(void)state;
	assert_outcome("sh -c 'sleep 2 2>&1 & echo done'", LONG_MS, "done\n", NULL);
}

static void a_cancelled_one_is_never_heard_of(void **state)
{
	(void)state;
	struct outcome outcome = { .loop = loop_new("test") };
	struct process *process = process_start(outcome.loop, "echo x", LONG_MS, ended, &outcome);

	process_cancel(&process);
	assert_null(process);
	loop_run_once(outcome.loop, false);
	assert_null(outcome.output);
	loop_free(&outcome.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_taken_apart_as_a_shell_does),
		cmocka_unit_test(failures_are_told_apart),
		cmocka_unit_test(one_that_hangs_is_killed),
		cmocka_unit_test(the_end_of_the_process_counts),
		cmocka_unit_test(a_cancelled_one_is_never_heard_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
