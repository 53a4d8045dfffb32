#include "pgweir/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/mem.h"

enum { READ_AT_ONCE = 65536, KEPT_MODE = 0660, NEW_MODE = 0600 };

bool file_read(int fd, size_t most, struct buf *text)
{
	struct stat status;
	size_t before = text->size;

	/* Room for all of it at once, where it says how much that is. */
	if (fstat(fd, &status) == 0 && status.st_size > 0 && (uint64_t)status.st_size <= most)
		buf_reserve(text, (size_t)status.st_size + 1);
	for (;;) {
		size_t room = text->capacity - text->size;
		char *at = buf_reserve(text, room ? 1 : READ_AT_ONCE);
		ssize_t got = read(fd, at, text->capacity - text->size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got == 0;
		text->size += (size_t)got;
		if (text->size - before > most) {
			errno = EFBIG;
			return false;
		}
	}
}

static bool write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno != EINTR)
			return false;
		bytes += written > 0 ? written : 0;
		size -= written > 0 ? (size_t)written : 0;
	}
	return true;
}

static void sync_folder_of(const char *path)
{
	char *folder = mem_strdup(path), *slash = strrchr(folder, '/');

	if (slash)
		slash[slash == folder] = '\0';
	int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		/* Not every filesystem can. */
		(void)!fsync(fd);
		close(fd);
	}
	mem_free(folder);
}

static void keep_access(int fd, const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return;
	/* Only root may give files away; then the owner was us in the first place. */
	(void)!fchown(fd, status.st_uid, status.st_gid);
	(void)!fchmod(fd, status.st_mode & KEPT_MODE);
}

static bool write_beside(const char *path, const char *beside, const char *bytes, size_t size)
{
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, NEW_MODE);

	if (fd < 0)
		return false;
	keep_access(fd, path);
	bool good = write_all(fd, bytes, size) && fsync(fd) == 0;
	int failed = errno;

	if (close(fd) != 0 && good)
		return false;
	errno = failed;
	return good;
}

bool file_replace(const char *path, const char *bytes, size_t size)
{
	char *beside = mem_printf("%s.%ld.new", path, (long)getpid());
	bool good = write_beside(path, beside, bytes, size) && rename(beside, path) == 0;
	int failed = errno;

	if (good)
		sync_folder_of(path);
	else
		unlink(beside);
	mem_free(beside);
	errno = failed;
	return good;
}
