/* Files and folders of secrets: modes, generations, and what is missing or half there. */
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
#include <unistd.h>

#include "pgweir/mem.h"
#include "provider.h"

static char folder[64];
static struct config_secret secret;
static struct reading reading;
static struct error error;

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/pgweir-mount-XXXXXX");
	assert_non_null(mkdtemp(folder));
	secret = (struct config_secret){ .name = (char *)"s", .path = folder };
	return 0;
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	lease_values_fini(&reading.values);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static char *path_of(const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static void add_link(const char *to, const char *name)
{
	assert_int_equal(symlink(to, path_of(name)), 0);
}

/* A past long enough for nobody to be writing any more. */
static void make_old(const char *name)
{
	const struct timespec times[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };

	assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

static bool read_it(void)
{
	lease_values_fini(&reading.values);
	reading = (struct reading){ 0 };
	error = (struct error){ 0 };
	return mount_read(&secret, &reading, &error);
}

static void assert_refused(const char *reason)
{
	assert_false(read_it());
	if (!strstr(error.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", error.text, reason);
}

static void files_of_a_folder_are_fields(void **state)
{
	(void)state;
	put("username", "app\n", 0600);
	put("password", "p\r\n", 0600);
	put("port", "5432", 0600);
	put("database", "db", 0600);
	assert_true(read_it());
	assert_string_equal(reading.values.current.username, "app");
	assert_string_equal(reading.values.current.password, "p");
	assert_int_equal(reading.values.current.port, 5432);
	assert_string_equal(reading.values.current.dbname, "db");
	assert_string_equal(reading.warning, "");
}

static void a_generation_is_read_through_one_link(void **state)
{
	(void)state;
	mkdir(path_of("..one"), 0700);
	put("..one/username", "app", 0600);
	put("..one/password", "p", 0600);
	add_link("..one", "..data");
	/* What the folder's own names lead to may be another generation by now. */
	put("username", "other", 0600);
	put("password", "other", 0600);
	assert_true(read_it());
	assert_string_equal(reading.values.current.username, "app");
	assert_string_equal(reading.values.current.password, "p");
	assert_false(reading.young);
}

static void a_file_just_written_is_young(void **state)
{
	(void)state;
	put("password", "p", 0600);
	assert_true(read_it());
	assert_true(reading.young);
	make_old("password");
	assert_true(read_it());
	assert_false(reading.young);
}

static void a_folder_without_a_whole_value_is_refused(void **state)
{
	(void)state;
	assert_refused("no file named password");
	put("username", "app", 0600);
	assert_refused("no file named password");
	put("password", "", 0600);
	assert_refused("password is empty");
	put("password", "p", 0600);
	put("username", "", 0600);
	assert_refused("username is empty");
	mkdir(path_of("host"), 0700);
	put("username", "app", 0600);
	assert_refused("not a regular file");
}

static void a_url_in_a_folder_fills_the_gaps(void **state)
{
	(void)state;
	put("uri", "postgresql://app:wrong@db:1/app", 0600);
	put("password", "right", 0600);
	assert_true(read_it());
	assert_string_equal(reading.values.current.password, "right");
	assert_string_equal(reading.values.current.host, "db");
}

static void json_key_names_a_file_of_a_folder(void **state)
{
	(void)state;
	secret.json_key = (char *)"login.json";
	put("login.json", "{\"password\":\"p\"}", 0600);
	assert_true(read_it());
	assert_string_equal(reading.values.current.password, "p");
	secret.json_key = (char *)"../x";
	assert_refused("not a file's name");
}

static void modes_are_looked_at(void **state)
{
	(void)state;
	put("file", "p", 0640);
	secret.path = path_of("file");
	assert_true(read_it());
	assert_string_equal(reading.warning, "");
	chmod(secret.path, 0644);
	assert_true(read_it());
	assert_non_null(strstr(reading.warning, "everybody may read"));
	chmod(secret.path, 0602);
	assert_refused("everybody may write");
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	secret.path = path_of("absent");
	assert_refused("No such file");
	/* Nobody writes: a read that waited would wait for ever. */
	assert_int_equal(mkfifo(secret.path, 0600), 0);
	assert_refused("not a regular file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* A proxy that follows a secret which pgweir rotates knows what a rotation that was left half done has set. */
static void the_record_beside_a_file_says_what_else_may_be_in_force(void **state)
{
	char path[100];

	(void)state;
	put("s", "now\n", 0600);
	put("s.pgweir", "{\"current\": {\"id\": \"b\", \"text\": \"now\", \"created\": 1000000000}, "
		"\"pending\": {\"id\": \"c\", \"text\": \"soon\"}, \"previous\": {\"id\": \"a\", \"text\": \"before\"}}", 0600);
	snprintf(path, sizeof(path), "%s/s", folder);
	secret.path = path;
	assert_true(read_it());
	assert_string_equal(reading.values.current.password, "now");
	assert_string_equal(reading.values.pending.password, "soon");
	assert_string_equal(reading.values.previous.password, "before");
	assert_true(reading.values.age_us > 0);
	assert_false(reading.young);            /* A text that the record knows is complete. */

	/* What the pending version says has become current, and the record says so later. */
	put("s", "soon", 0600);
	assert_true(read_it());
	assert_null(reading.values.pending.password);
	assert_string_equal(reading.values.previous.password, "now");
	assert_false(reading.young);

	put("s", "by hand", 0600);
	assert_true(read_it());
	assert_string_equal(reading.values.previous.password, "now");
	assert_true(reading.young);

	/* A record that cannot be read takes nothing away from the file. */
	put("s.pgweir", "{", 0600);
	assert_true(read_it());
	assert_string_equal(reading.values.current.password, "by hand");
	assert_null(reading.values.previous.password);
	assert_non_null(strstr(reading.warning, "no record"));
	secret.path = folder;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(files_of_a_folder_are_fields),
		TEST(a_generation_is_read_through_one_link),
		TEST(a_file_just_written_is_young),
		TEST(a_folder_without_a_whole_value_is_refused),
		TEST(a_url_in_a_folder_fills_the_gaps),
		TEST(json_key_names_a_file_of_a_folder),
		TEST(modes_are_looked_at),
		TEST(what_is_no_file_is_refused),
		cmocka_unit_test_setup_teardown(the_record_beside_a_file_says_what_else_may_be_in_force, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
