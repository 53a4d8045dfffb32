/* The log's two forms, what they make of hostile values, and what becomes of lines that cannot be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/buf.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

static char path[] = "/tmp/pgweir-log-XXXXXX";
static char text[1 << 20];

static int start(void **state)
{
	(void)state;
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(log_open(path), 0);
	log_set_level(LOG_LEVEL_INFO);
	log_set_format(LOG_FORMAT_TEXT);
	clock_fake(1234567);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	clock_fake(0);
	return log_open(NULL);
}

static const char *read_all(int fd)
{
	size_t size = 0;
	ssize_t got;

	while ((got = read(fd, text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)got;
	text[size] = '\0';
	return text;
}

static const char *written(void)
{
	int fd = open(path, O_RDONLY);
	const char *all = read_all(fd);

	close(fd);
	return all;
}

/* `format` with one %d for the process id. */
static void assert_written(const char *before_pid, const char *after_pid)
{
	char *expected = mem_printf("%s%d%s", before_pid, (int)getpid(), after_pid);

	assert_string_equal(written(), expected);
	mem_free(expected);
}

static void a_text_line_has_time_level_event_and_values(void **state)
{
	(void)state;
	log_info("server connection opened", LOG_TEXT("database", "app"), LOG_INT("pid", 17), LOG_INT("low", INT64_MIN));
	assert_written("1970-01-01 00:00:01.234 UTC [",
		"] LOG server connection opened database=app pid=17 low=-9223372036854775808\n");
}

static void a_json_line_is_one_object(void **state)
{
	(void)state;
	log_set_format(LOG_FORMAT_JSON);
	log_error("server connection opened", LOG_TEXT("database", "app"), LOG_INT("pid", -17));
	assert_written("{\"time\":\"1970-01-01T00:00:01.234Z\",\"level\":\"error\",\"pid\":",
		",\"event\":\"server connection opened\",\"database\":\"app\",\"pid\":-17}\n");
}

static void an_event_needs_no_values(void **state)
{
	(void)state;
	log_warning("drained");
	assert_written("1970-01-01 00:00:01.234 UTC [", "] WARNING drained\n");
}

static void a_null_text_is_left_out_and_an_empty_one_is_not(void **state)
{
	(void)state;
	log_info("closed", LOG_TEXT("user", NULL), LOG_TEXT("name", ""), LOG_INT("n", 0));
	assert_written("1970-01-01 00:00:01.234 UTC [", "] LOG closed name=\"\" n=0\n");
}

static void a_null_text_is_left_out_of_json_too(void **state)
{
	(void)state;
	log_set_format(LOG_FORMAT_JSON);
	log_info("closed", LOG_TEXT("user", NULL), LOG_INT("n", 0));
	assert_written("{\"time\":\"1970-01-01T00:00:01.234Z\",\"level\":\"info\",\"pid\":", ",\"event\":\"closed\",\"n\":0}\n");
}

/* What a client may put into a user name. */
static const char hostile[] = "a b\"c\\d\ne\x1b[0m\x7f=";

static void no_value_can_forge_a_text_line(void **state)
{
	(void)state;
	log_info("refused", LOG_TEXT("user", hostile));
	assert_written("1970-01-01 00:00:01.234 UTC [",
		"] LOG refused user=\"a b\\\"c\\\\d\\u000ae\\u001b[0m\\u007f=\"\n");
}

static void no_value_can_forge_a_json_line(void **state)
{
	(void)state;
	log_set_format(LOG_FORMAT_JSON);
	log_info("refused", LOG_TEXT("user", hostile));
	assert_written("{\"time\":\"1970-01-01T00:00:01.234Z\",\"level\":\"info\",\"pid\":",
		",\"event\":\"refused\",\"user\":\"a b\\\"c\\\\d\\u000ae\\u001b[0m\\u007f=\"}\n");
}

/* A reader of JSON refuses the whole line for one byte that is not UTF-8; names in LATIN1 are such bytes. */
static void bytes_that_are_not_utf8_are_replaced(void **state)
{
	static const char *const broken[] = {
		"\xe9", "\x80", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8", "\xe2\x82",
	};

	(void)state;
	log_set_format(LOG_FORMAT_JSON);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		assert_int_equal(truncate(path, 0), 0);
		log_info("refused", LOG_TEXT("user", broken[i]));
		assert_non_null(strstr(written(), ",\"user\":\"\\ufffd"));
		for (const char *at = text; *at; at++)
			assert_true((unsigned char)*at < 0x80);
	}
}

static void names_in_utf8_stay_readable(void **state)
{
	(void)state;
	log_info("refused", LOG_TEXT("user", "J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80"));
	assert_non_null(strstr(written(), "user=\"J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x98\x80\"\n"));
}

/* Terminals take U+009B for the start of a control sequence. */
static void control_characters_beyond_ascii_are_escaped(void **state)
{
	(void)state;
	log_info("refused", LOG_TEXT("user", "x\xc2\x9b" "31m"));
	assert_non_null(strstr(written(), "user=\"x\\u009b31m\"\n"));
}

static void lines_below_the_threshold_are_not_written(void **state)
{
	(void)state;
	log_debug("unseen");
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("unseen");
	log_error("seen");
	assert_null(strstr(written(), "unseen"));
	assert_non_null(strstr(text, "ERROR seen"));
}

/* As systemd connects it: the journal's own socket has the device and inode that JOURNAL_STREAM names. */
static void lines_to_the_journal_begin_with_their_priority(void **state)
{
	struct stat found;
	int fd = open(path, O_WRONLY | O_APPEND), former = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(fstat(fd, &found), 0);
	char *stream = mem_printf("%llu:%llu", (unsigned long long)found.st_dev, (unsigned long long)found.st_ino);

	setenv("JOURNAL_STREAM", stream, 1);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(log_open(NULL), 0);
	log_info("one");
	log_warning("two", LOG_INT("n", 2));
	log_set_format(LOG_FORMAT_JSON);
	log_error("three");
	assert_int_equal(log_open("/nonexistent/log"), ENOENT);
	log_set_format(LOG_FORMAT_TEXT);
	log_info("still there");
	setenv("JOURNAL_STREAM", "1:1", 1);
	assert_int_equal(log_open(NULL), 0);
	log_info("elsewhere");
	unsetenv("JOURNAL_STREAM");
	assert_int_equal(dup2(former, STDERR_FILENO), STDERR_FILENO);
	close(former);
	close(fd);
	mem_free(stream);
	char *expected = mem_printf("<6>LOG one\n<4>WARNING two n=2\n"
		"<3>{\"time\":\"1970-01-01T00:00:01.234Z\",\"level\":\"error\",\"pid\":%d,\"event\":\"three\"}\n"
		"<6>LOG still there\n1970-01-01 00:00:01.234 UTC [%d] LOG elsewhere\n", (int)getpid(), (int)getpid());

	assert_string_equal(written(), expected);
	mem_free(expected);
}

static void an_unwritable_path_is_an_errno_and_changes_nothing(void **state)
{
	(void)state;
	assert_int_not_equal(log_open("/nonexistent/pgweir.log"), 0);
	log_info("still here");
	assert_non_null(strstr(written(), "still here"));
}

static void opening_again_follows_a_rotated_file(void **state)
{
	char moved[sizeof(path) + 2];

	(void)state;
	snprintf(moved, sizeof(moved), "%s.1", path);
	log_info("before");
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(log_open(path), 0);
	log_info("after");
	assert_null(strstr(written(), "before"));
	assert_non_null(strstr(text, "after"));
	unlink(moved);
}

/* Standard error is a pipe in here; `ends` are its two ends. */
static int borrow_stderr(int ends[2], int flags)
{
	int saved = dup(STDERR_FILENO);

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	while (write(ends[1], "................", 16) > 0)
		continue;
	assert_int_equal(fcntl(ends[1], F_SETFL, flags), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	assert_int_equal(log_open(NULL), 0);
	return saved;
}

static void give_stderr_back(int saved, int ends[2])
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
}

static void lose_three_and_write_one(int flags)
{
	int ends[2], saved = borrow_stderr(ends, flags);

	for (int i = 0; i < 3; i++)
		log_info("lost");
	read_all(ends[0]);
	log_info("one");
	log_info("two");
	read_all(ends[0]);
	give_stderr_back(saved, ends);
	assert_null(strstr(text, "LOG lost"));
	assert_non_null(strstr(text, "WARNING log lines were lost lines=3\n"));
	assert_non_null(strstr(text, "LOG one\n"));
	char *notice = strstr(text, "were lost");
	assert_null(strstr(notice + 1, "were lost"));
}

static void lost_lines_are_counted_and_told_once(void **state)
{
	(void)state;
	lose_three_and_write_one(O_NONBLOCK);
}

static void a_blocking_pipe_that_is_full_costs_lines_not_time(void **state)
{
	(void)state;
	lose_three_and_write_one(0);
}

static void a_line_after_a_torn_one_starts_afresh(void **state)
{
	struct rlimit before, tight;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	tight = before;
	tight.rlim_cur = 40;
	setrlimit(RLIMIT_FSIZE, &tight);
	log_info("cut off in the middle");
	log_info("not written at all");
	setrlimit(RLIMIT_FSIZE, &before);
	log_info("whole");
	assert_non_null(strstr(written(), "WARNING log lines were lost lines=2\n"));
	assert_int_equal(text[40], '\n');
	assert_non_null(strstr(text, "LOG whole\n"));
}

/* Nobody looks for the reason in a file that takes nothing more. */
static void a_log_that_cannot_be_written_is_told_on_standard_error_once(void **state)
{
	int ends[2], saved = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	assert_int_equal(log_open("/dev/full"), 0);
	log_info("not written");
	log_info("not written either");
	read_all(ends[0]);
	give_stderr_back(saved, ends);
	assert_int_equal(log_open(path), 0);
	char *said = strstr(text, "ERROR cannot write to the log reason=\"No space left on device\"\n");

	assert_non_null(said);
	assert_null(strstr(strchr(said, '\n'), "cannot write"));
	log_info("whole");
	assert_non_null(strstr(written(), "WARNING log lines were lost lines=2\n"));
}

static void *shout(void *arg)
{
	for (int i = 0; i < 500; i++)
		log_info("shout", LOG_TEXT("who", arg), LOG_INT("i", i));
	return NULL;
}

static void threads_do_not_tear_each_others_lines(void **state)
{
	static char names[4][40] = { "first", "second", "third", "fourth" };
	pthread_t threads[4];
	unsigned lines = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, shout, names[i]);
	/* A new destination meanwhile: nobody may write to a closed descriptor. */
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(log_open(path), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	written();
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++)
		assert_memory_equal(line, "1970-01-01 00:00:01.234 UTC [", 29);
	assert_int_equal(lines, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_text_line_has_time_level_event_and_values, start, stop),
		cmocka_unit_test_setup_teardown(a_json_line_is_one_object, start, stop),
		cmocka_unit_test_setup_teardown(an_event_needs_no_values, start, stop),
		cmocka_unit_test_setup_teardown(a_null_text_is_left_out_and_an_empty_one_is_not, start, stop),
		cmocka_unit_test_setup_teardown(a_null_text_is_left_out_of_json_too, start, stop),
		cmocka_unit_test_setup_teardown(no_value_can_forge_a_text_line, start, stop),
		cmocka_unit_test_setup_teardown(no_value_can_forge_a_json_line, start, stop),
		cmocka_unit_test_setup_teardown(bytes_that_are_not_utf8_are_replaced, start, stop),
		cmocka_unit_test_setup_teardown(names_in_utf8_stay_readable, start, stop),
		cmocka_unit_test_setup_teardown(control_characters_beyond_ascii_are_escaped, start, stop),
		cmocka_unit_test_setup_teardown(lines_below_the_threshold_are_not_written, start, stop),
		cmocka_unit_test_setup_teardown(lines_to_the_journal_begin_with_their_priority, start, stop),
		cmocka_unit_test_setup_teardown(an_unwritable_path_is_an_errno_and_changes_nothing, start, stop),
		cmocka_unit_test_setup_teardown(opening_again_follows_a_rotated_file, start, stop),
		cmocka_unit_test_setup_teardown(lost_lines_are_counted_and_told_once, start, stop),
		cmocka_unit_test_setup_teardown(a_log_that_cannot_be_written_is_told_on_standard_error_once, start, stop),
		cmocka_unit_test_setup_teardown(a_blocking_pipe_that_is_full_costs_lines_not_time, start, stop),
		cmocka_unit_test_setup_teardown(a_line_after_a_torn_one_starts_afresh, start, stop),
		cmocka_unit_test_setup_teardown(threads_do_not_tear_each_others_lines, start, stop),
	};

	alarm(240);
	int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
