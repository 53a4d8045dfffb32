/* What the configuration's tests share: loading from text and from a folder of files made for the test. */
#ifndef CONFIG_TESTING_H
#define CONFIG_TESTING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pgweir/config.h"
#include "pgweir/mem.h"

/* Loads `text` as "t.ini", which must work. */
static inline struct config *load_warned(const char *text, struct config_problems *problems)
{
	struct config *config = config_load_text("t.ini", text, strlen(text), problems);

	if (!config)
		fail_msg("%s", problems->texts[0]);
	return config;
}

static inline struct config *load(const char *text)
{
	struct config_problems problems;
	struct config *config = load_warned(text, &problems);

	config_problems_fini(&problems);
	return config;
}

/* `text` must fail with exactly these problems, in this order; ends with NULL. */
static inline void expect_problems(const char *text, const char *const *expected)
{
	struct config_problems problems;
	struct config *config = config_load_text("t.ini", text, strlen(text), &problems);
	size_t count = 0;

	assert_null(config);
	for (; expected[count] && count < problems.count; count++)
		assert_string_equal(problems.texts[count], expected[count]);
	if (expected[count])
		fail_msg("missing: %s", expected[count]);
	if (count < problems.count)
		fail_msg("not expected: %s", problems.texts[count]);
	config_problems_fini(&problems);
}

#define EXPECT_PROBLEMS(text, ...) expect_problems((text), (const char *const[]){ __VA_ARGS__, NULL })

/* A folder that a test fills with write_file(); the working directory meanwhile. */
static inline int enter_folder(void **state)
{
	char *folder = mem_strdup("/tmp/config_test.XXXXXX");

	*state = folder;
	return !mkdtemp(folder) || chdir(folder);
}

static inline int leave_folder(void **state)
{
	char *command = mem_printf("rm -rf %s", (char *)*state);
	int failed = chdir("/") || system(command);

	mem_free(command);
	mem_free(*state);
	return failed;
}

static inline void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static inline void expect_file_problem(const char *path, const char *expected)
{
	struct config_problems problems;

	assert_null(config_load(path, &problems));
	assert_string_equal(problems.texts[0], expected);
	config_problems_fini(&problems);
}

#endif
