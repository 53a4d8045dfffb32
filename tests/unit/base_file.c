/* Files that are read and replaced as a whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/file.h"
#include "pgweir/mem.h"

static char folder[] = "/tmp/pgweir-file-XXXXXX";

static int enter_folder(void **state)
{
	(void)state;
	return !mkdtemp(folder) || chdir(folder);
}

static int leave_folder(void **state)
{
	(void)state;
	unlink("a");
	return chdir("/") || rmdir(folder);
}

static bool read_whole(const char *path, size_t most, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = file_read(fd, most, text);

	close(fd);
	return good;
}

/* But for "." and "..". */
static unsigned count_files(void)
{
	DIR *here = opendir(".");
	unsigned count = 0;

	assert_non_null(here);
	while (readdir(here))
		count++;
	closedir(here);
	return count - 2;
}

static mode_t mode_of(const char *path)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 07777;
}

static void all_of_it_is_read_behind_what_is_there(void **state)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 300000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *bytes = mem_alloc(sizes[i] + 1);
		struct buf text = { 0 };

		memset(bytes, 'x', sizes[i]);
		assert_true(file_replace("a", bytes, sizes[i]));
		buf_append_text(&text, "before");
		assert_true(read_whole("a", sizes[i], &text));
		assert_int_equal(text.size, strlen("before") + sizes[i]);
		assert_memory_equal(text.bytes, "before", strlen("before"));
		if (sizes[i])
			assert_memory_equal(text.bytes + strlen("before"), bytes, sizes[i]);
		buf_fini(&text);
		mem_free(bytes);
	}
}

static void more_than_is_allowed_is_an_error(void **state)
{
	struct buf text = { 0 };

	(void)state;
	assert_true(file_replace("a", "12345", 5));
	assert_false(read_whole("a", 4, &text));
	assert_int_equal(errno, EFBIG);
	buf_fini(&text);
	assert_true(read_whole("a", 5, &text));
	buf_fini(&text);
}

/* A pipe has no size to begin with. */
static void what_has_no_size_is_read_to_its_end(void **state)
{
	struct buf text = { 0 };
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "some", 4), 4);
	close(ends[1]);
	assert_true(file_read(ends[0], 100, &text));
	close(ends[0]);
	assert_int_equal(text.size, 4);
	buf_fini(&text);
}

static void a_folder_is_an_error(void **state)
{
	struct buf text = { 0 };

	(void)state;
	assert_false(read_whole(".", 100, &text));
	assert_int_equal(errno, EISDIR);
	buf_fini(&text);
}

static void what_takes_its_place_may_be_read_by_the_same(void **state)
{
	(void)state;
	unlink("a");
	assert_true(file_replace("a", "1", 1));
	assert_int_equal(mode_of("a"), 0600);
	assert_int_equal(chmod("a", 0640), 0);
	assert_true(file_replace("a", "22", 2));
	assert_int_equal(mode_of("a"), 0640);
	assert_int_equal(chmod("a", 0666), 0);
	assert_true(file_replace("a", "333", 3));
	assert_int_equal(mode_of("a"), 0660);
	assert_int_equal(count_files(), 1);
}

static void a_failure_leaves_what_was_there(void **state)
{
	(void)state;
	assert_false(file_replace("nowhere/a", "1", 1));
	assert_int_equal(errno, ENOENT);
	unlink("a");
	assert_int_equal(mkdir("a", 0700), 0);
	assert_false(file_replace("a", "1", 1));
	assert_int_equal(errno, EISDIR);
	assert_int_equal(count_files(), 1);
	assert_int_equal(rmdir("a"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_is_read_behind_what_is_there),
		cmocka_unit_test(more_than_is_allowed_is_an_error),
		cmocka_unit_test(what_has_no_size_is_read_to_its_end),
		cmocka_unit_test(a_folder_is_an_error),
		cmocka_unit_test(what_takes_its_place_may_be_read_by_the_same),
		cmocka_unit_test(a_failure_leaves_what_was_there),
	};

	return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
