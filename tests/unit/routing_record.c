/* What of a cluster outlives the process. */
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

#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "record.h"

static char folder[64], path[128];

static struct config_host hosts[] = { { "db1", 5432, 1 }, { "/run/pg", 5433, 1 } };
static const struct config_cluster cluster = { .name = "a/b", .hosts = hosts, .host_count = 2 };
static const struct record sample = { UINT64_C(7345678901234567890), 12 };

static int set_up(void **unused)
{
	(void)unused;
	log_set_level(LOG_LEVEL_ERROR);
	snprintf(folder, sizeof(folder), "/tmp/pgweir-record-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/cluster-a%%2Fb", folder);
	return 0;
}

static int tear_down(void **unused)
{
	(void)unused;
	unlink(path);
	return rmdir(folder);
}

static void write_sample(void)
{
	record_write(folder, &cluster, &sample);
	record_stop();
}

static size_t load(char *text, size_t size)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	size_t got = fread(text, 1, size - 1, file);

	fclose(file);
	text[got] = '\0';
	return got;
}

static void store(const char *text, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, size, file), size);
	fclose(file);
}

static void what_is_written_is_read(void **unused)
{
	struct record record;
	struct stat status;

	(void)unused;
	assert_false(record_read(folder, &cluster, &record));
	write_sample();
	assert_true(record_read(folder, &cluster, &record));
	assert_true(record.system_identifier == sample.system_identifier);
	assert_int_equal(record.newest_timeline, sample.newest_timeline);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void the_last_of_several_stays(void **unused)
{
	struct record record, newer = { sample.system_identifier, 13 };

	(void)unused;
	record_write(folder, &cluster, &sample);
	record_write(folder, &cluster, &newer);
	record_stop();
	assert_true(record_read(folder, &cluster, &record));
	assert_int_equal(record.newest_timeline, 13);
}

/* Each byte matters, and so does the end. */
static void a_damaged_one_counts_as_missing(void **unused)
{
	struct record record;
	char text[512];

	(void)unused;
	write_sample();
	size_t size = load(text, sizeof(text));

	for (size_t i = 0; i < size; i++) {
		text[i] ^= 1;
		store(text, size);
		assert_false(record_read(folder, &cluster, &record));
		text[i] ^= 1;
		store(text, i);
		assert_false(record_read(folder, &cluster, &record));
	}
	store(text, size);
	assert_true(record_read(folder, &cluster, &record));
}

static void one_host_in_common_makes_it_the_same_cluster(void **unused)
{
	struct config_host other[] = { { "db2", 5432, 1 }, { "/run/pg", 5433, 1 } };
	struct config_cluster now = { .name = "a/b", .hosts = other, .host_count = 2 };
	struct record record;

	(void)unused;
	write_sample();
	assert_true(record_read(folder, &now, &record));
	other[1].port = 5434;
	assert_false(record_read(folder, &now, &record));
	other[1].port = 543;
	assert_false(record_read(folder, &now, &record));
}

static void a_folder_that_is_not_there_is_a_failure_that_is_counted(void **unused)
{
	unsigned before = record_failures();

	(void)unused;
	log_set_level(LOG_LEVEL_ERROR);
	record_write("/nonexistent/folder", &cluster, &sample);
	record_stop();
	assert_int_equal(record_failures(), before + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read),
		TEST(the_last_of_several_stays),
		TEST(a_damaged_one_counts_as_missing),
		TEST(one_host_in_common_makes_it_the_same_cluster),
		TEST(a_folder_that_is_not_there_is_a_failure_that_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
