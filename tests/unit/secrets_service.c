/* The service: what it publishes when, with time that moves only when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pgweir/clock.h"
#include "pgweir/config.h"
#include "pgweir/mem.h"
#include "pgweir/secrets.h"
#include "pgweir/tokens.h"

enum { TURNS = 20, WAITS = 50, SECOND_US = 1000 * 1000 };

static char folder[64], path[80];
static struct loop *loop;
static unsigned changes, answers;
static uint64_t now_us;

static void changed(void *arg)
{
	(void)arg;
	changes++;
}

static void configure(const char *provider)
{
	struct config_problems problems = { 0 };
	char *text = mem_printf("[secret s]\nprovider = %s\n", provider);
	struct config *config = config_load_text("/tmp/pgweir.ini", text, strlen(text), &problems);

	if (!config)
		fail_msg("%s", problems.texts[0]);
	secrets_configure(config);
	config_unref(&config);
	config_problems_fini(&problems);
	mem_free(text);
}

/* By a clock that is ahead of ours, so that it is young however long the test takes. */
static void put(const char *text)
{
	const struct timespec times[2] = { { .tv_sec = time(NULL) + 3600 }, { .tv_sec = time(NULL) + 3600 } };
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, 0600);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void configure_file(void)
{
	char *lines = mem_printf("file\npath = %s\nrefresh_interval = 1s", path);

	configure(lines);
	mem_free(lines);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/pgweir-secrets-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/value", folder);
	loop = loop_new("test");
	changes = answers = 0;
	clock_fake(now_us = SECOND_US);
	secrets_start(loop, changed, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	secrets_stop();
	loop_free(&loop);
	clock_fake(0);
	unlink(path);
	rmdir(folder);
	return 0;
}

static void turn(void)
{
	for (int i = 0; i < TURNS; i++)
		loop_run_once(loop, false);
}

static void assert_password(const char *expected)
{
	struct lease *lease = lease_find("s");

	assert_non_null(lease);
	if (expected)
		assert_string_equal(lease->value.password, expected);
	else
		assert_null(lease->value.password);
	lease_unref(&lease);
}

static void sections_are_read_before_anybody_logs_in(void **state)
{
	(void)state;
	configure("static\nvalue = one");
	assert_password("one");
	assert_int_equal(changes, 1);
	setenv("PGWEIR_TEST_SECRET", "two", 1);
	configure("env\nvariable = PGWEIR_TEST_SECRET");
	assert_password("two");
	unsetenv("PGWEIR_TEST_SECRET");
	assert_int_equal(secrets_refresh("s", NULL), SECRETS_FAILED);
	assert_password("two");
}

/* There is nothing to keep, and nothing that clients could know. */
static void a_secret_of_tokens_has_no_value(void **state)
{
	(void)state;
	configure("static\nvalue = one");
	configure("rds-iam");
	struct lease *lease = lease_find("s");

	assert_true(lease->on_demand);
	assert_null(lease->value.password);
	lease_unref(&lease);
	assert_int_equal(secrets_refresh("s", NULL), SECRETS_REFRESHED);
	assert_int_equal(secrets_refresh("t", NULL), SECRETS_UNKNOWN);
}

/* Somebody may be in the middle of writing it. */
static void a_file_just_written_counts_once_it_reads_the_same_again(void **state)
{
	(void)state;
	put("one");
	configure_file();
	assert_password("one");                 /* There was nothing better. */
	put("tw");
	assert_int_equal(secrets_refresh("s", NULL), SECRETS_REFRESHED);
	assert_int_equal(secrets_refresh("s", NULL), SECRETS_REFRESHED);
	assert_password("one");                 /* Twice the same, but at the same time. */
	put("two");
	clock_fake(now_us += SECOND_US);
	assert_int_equal(secrets_refresh("s", NULL), SECRETS_REFRESHED);
	assert_password("one");
	clock_fake(now_us += SECOND_US);
	assert_int_equal(secrets_refresh("s", NULL), SECRETS_REFRESHED);
	assert_password("two");
	assert_int_equal(changes, 2);
}

/* As on a filesystem that tells nobody, or where the folder came later. */
static void files_are_looked_at_now_and_then(void **state)
{
	(void)state;
	assert_int_equal(rmdir(folder), 0);
	configure_file();
	assert_password(NULL);
	assert_int_equal(mkdir(folder, 0700), 0);
	put("one");
	assert_password(NULL);
	for (int i = 0; i < WAITS && changes == 0; i++)
		loop_run_once(loop, true);
	assert_password("one");
}

static void answered(void *arg)
{
	(void)arg;
	answers++;
}

static void a_reread_answers_when_the_lease_is_up_to_date(void **state)
{
	(void)state;
	configure_file();
	put("one");
	struct reread *reread = reread_start("s", loop, answered, NULL);
	struct reread *cancelled = reread_start("s", loop, answered, NULL);

	reread_cancel(&cancelled);
	assert_int_equal(answers, 0);
	/* The file has been read this very second. */
	for (int i = 0; i < WAITS && answers == 0; i++)
		loop_run_once(loop, true);
	assert_int_equal(answers, 1);
	assert_password("one");
	(void)reread;
}

static void rereads_are_answered_without_the_service_too(void **state)
{
	(void)state;
	secrets_stop();
	struct reread *reread = reread_start("s", loop, answered, NULL);

	turn();
	assert_int_equal(answers, 1);
	(void)reread;
}

static void got_token(const char *token, const struct error *error, void *arg)
{
	char **first = arg;

	assert_non_null(token);
	assert_null(error);
	if (!*first)
		*first = mem_strdup(token);
	assert_string_equal(token, *first);
	answers++;
}

static uint64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_US + (uint64_t)now.tv_nsec / 1000;
}

/* AWS advises to stay below 200 a second. No timer comes early, so that no more than this can have been answered. */
static void logins_with_one_token_are_spread_out(void **state)
{
	enum { LOGINS = 80, BURST = 30, PER_S = 150 };
	uint64_t began_us = monotonic_us();
	char *token = NULL;

	(void)state;
	setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	configure("rds-iam\nregion = eu-west-1");
	for (int i = 0; i < LOGINS; i++) {
		struct token_ask *ask = token_start("s", "db1", 5432, "app", false, loop, got_token, &token);

		(void)ask;
	}
	for (int i = 0; answers < LOGINS && i < WAITS * LOGINS; i++) {
		loop_run_once(loop, true);
		assert_true(answers <= BURST + 2 + (monotonic_us() - began_us) * PER_S / SECOND_US);
	}
	assert_int_equal(answers, LOGINS);
	assert_non_null(strstr(token, "db1:5432/?"));
	mem_free(token);
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
}

static void a_section_that_is_gone_takes_its_lease_with_it(void **state)
{
	struct config_problems problems = { 0 };

	(void)state;
	configure("static\nvalue = one");
	struct config *config = config_load_text("/tmp/pgweir.ini", "", 0, &problems);

	assert_non_null(config);
	secrets_configure(config);
	assert_null(lease_find("s"));
	config_unref(&config);
	config_problems_fini(&problems);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sections_are_read_before_anybody_logs_in),
		TEST(a_secret_of_tokens_has_no_value),
		TEST(a_file_just_written_counts_once_it_reads_the_same_again),
		TEST(files_are_looked_at_now_and_then),
		TEST(a_reread_answers_when_the_lease_is_up_to_date),
		TEST(rereads_are_answered_without_the_service_too),
		TEST(logins_with_one_token_are_spread_out),
		TEST(a_section_that_is_gone_takes_its_lease_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
