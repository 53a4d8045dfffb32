/* Provider `file`: a file, or a folder with a file for each field, as Kubernetes, CSI drivers and others mount secrets.
 *
 * Failure story: whoever writes may be at it right now.
 *  - A Kubernetes volume changes all at once: its files are links through `..data`, and a new generation comes by renaming
 *    that. It is resolved once and everything is read below it; if it points elsewhere afterwards, all is read again.
 *  - Other files are written in place. What is empty or half of a shape is an error, and the last good value stays; what
 *    was written this very moment is said to be young, and the caller waits until it reads the same twice.
 *  - A file that pgweir rotates itself has a record beside it, with the pending and the previous version.
 *  - A file that everybody may write to is refused: it could be anybody's. One that everybody may read is warned of. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pgweir/clock.h"
#include "pgweir/file.h"
#include "pgweir/mem.h"
#include "pgweir/secret_record.h"
#include "provider.h"
#include "shape.h"

enum { GENERATIONS_TRIED = 3, YOUNG_S = 1 };

static bool check_file(const struct stat *status, const char *name, struct reading *reading, struct error *error)
{
	if (!S_ISREG(status->st_mode))
		return error_set(error, NULL, "%s is not a regular file", name);
	if (status->st_mode & S_IWOTH)
		return error_set(error, NULL, "everybody may write to %s: refused (chmod o-w)", name);
	if (status->st_size > SHAPE_TEXT_MAX)
		return error_set(error, NULL, "%s is longer than %d bytes", name, SHAPE_TEXT_MAX);
	if (status->st_mode & S_IROTH)
		snprintf(reading->warning, sizeof(reading->warning), "everybody may read %s (chmod o-r)", name);
	return true;
}

static bool is_young(const struct stat *status)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	time_t age_s = now.tv_sec - status->st_mtim.tv_sec;

	return age_s <= YOUNG_S;
}

static bool read_all(int fd, const char *name, struct buf *text, struct error *error)
{
	if (file_read(fd, SHAPE_TEXT_MAX, text))
		return true;
	if (errno == EFBIG)
		return error_set(error, NULL, "%s is longer than %d bytes", name, SHAPE_TEXT_MAX);
	return error_set(error, NULL, "%s: %s", name, strerror(errno));
}

/* False with ENOENT in `errno` and no error: there is no such file. */
static bool read_file(int folder, const char *name, struct buf *text, struct reading *reading, struct error *error)
{
	struct stat status;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		int failed = errno;

		error_set(error, NULL, "%s: %s", name, strerror(failed));
		errno = failed;
		return false;
	}
	bool good = fstat(fd, &status) == 0 ? check_file(&status, name, reading, error)
		: error_set(error, NULL, "%s: %s", name, strerror(errno));

	good = good && read_all(fd, name, text, error);
	if (good && is_young(&status))
		reading->young = true;
	close(fd);
	errno = 0;
	return good;
}

/* --- A folder --- */

typedef bool take_cb(struct lease_value *value, const char *name, const char *text, size_t size, struct error *error);

static bool take_url(struct lease_value *value, const char *name, const char *text, size_t size, struct error *error)
{
	/* Of use only where the parts are not there by themselves. */
	return shape_take_url(value, text, size, error) || value->password || error_prepend(error, "%s", name);
}

static bool take_file(int folder, const char *name, take_cb *take, struct reading *reading, struct error *error)
{
	struct buf text = { 0 };
	bool good = read_file(folder, name, &text, reading, error);

	if (good)
		good = take(&reading->values.current, name, text.bytes, shape_trimmed(text.bytes, text.size), error);
	else
		good = errno == ENOENT;
	buf_fini_secret(&text);
	return good;
}

static bool take_files(int folder, struct reading *reading, struct error *error)
{
	for (size_t i = 0; i < shape_field_count; i++)
		if (!take_file(folder, shape_fields[i], shape_take_field, reading, error))
			return false;
	for (size_t i = 0; i < shape_url_field_count; i++)
		if (!take_file(folder, shape_url_fields[i], take_url, reading, error))
			return false;
	return reading->values.current.password || error_set(error, NULL, "has no file named password");
}

static bool read_picked_file(int folder, const char *name, struct reading *reading, struct error *error)
{
	struct buf text = { 0 };
	bool good = !strchr(name, '/') && read_file(folder, name, &text, reading, error);

	if (strchr(name, '/'))
		error_set(error, NULL, "json_key is not a file's name");
	good = good && shape_parse(text.bytes, text.size, NULL, &reading->values.current, error);
	buf_fini_secret(&text);
	return good;
}

/* A folder as it stands: of `..data` where it points at the moment, or the folder itself where there is no such link. */
struct generation {
	int fd;                         /* -1: cannot be opened; `errno` says why. */
	bool linked;                    /* It was complete when it was linked. */
	struct stat status;
};

static void open_generation(const char *path, struct generation *generation)
{
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int linked = folder < 0 ? -1 : openat(folder, "..data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*generation = (struct generation){ .fd = linked >= 0 ? linked : folder, .linked = linked >= 0 };
	if (linked >= 0)
		close(folder);
	if (generation->fd >= 0 && fstat(generation->fd, &generation->status) != 0)
		generation->status = (struct stat){ 0 };
}

static bool is_current(const char *path, const struct generation *read)
{
	struct generation now;

	open_generation(path, &now);
	if (now.fd >= 0)
		close(now.fd);
	return now.fd >= 0 && now.status.st_ino == read->status.st_ino && now.status.st_dev == read->status.st_dev;
}

static bool read_generation(const struct generation *generation, const char *json_key, struct reading *reading,
	struct error *error)
{
	lease_value_fini(&reading->values.current);
	*reading = (struct reading){ 0 };
	bool good = json_key ? read_picked_file(generation->fd, json_key, reading, error)
		: take_files(generation->fd, reading, error);

	reading->young = reading->young && !generation->linked;
	return good;
}

static bool read_folder(const struct config_secret *secret, struct reading *reading, struct error *error)
{
	bool good = false;

	for (int i = 0; i < GENERATIONS_TRIED; i++) {
		struct generation generation;

		open_generation(secret->path, &generation);
		if (generation.fd < 0)
			return error_set(error, NULL, "%s", strerror(errno));
		good = read_generation(&generation, secret->json_key, reading, error);
		close(generation.fd);
		if (is_current(secret->path, &generation))
			return good;
	}
	return good && error_set(error, NULL, "changes faster than it can be read");
}

/* --- A file --- */

static void take_version(const struct secret_record_version *version, struct lease_value *value)
{
	struct error ignored;

	if (version->text && !shape_parse(version->text, strlen(version->text), NULL, value, &ignored))
		lease_value_fini(value);
}

/* The other versions of a file that pgweir changes itself. A text that they know is complete, as it came by a rename. */
static void take_record(const struct secret_record *record, bool known, struct reading *reading)
{
	int64_t age_us = clock_wall_us() - record->versions[SECRET_CURRENT].created_s * INT64_C(1000000);

	take_version(&record->versions[SECRET_PENDING], &reading->values.pending);
	take_version(&record->versions[SECRET_PREVIOUS], &reading->values.previous);
	reading->values.age_us = age_us > 0 ? (uint64_t)age_us : 1;
	reading->young = reading->young && !known;
}

/* What cannot be read of them is no fault of the value. */
static void read_record(const struct config_secret *secret, const char *current, struct reading *reading)
{
	char *path = secret_record_path(secret->path);
	struct buf text = { 0 };
	struct secret_record record = { 0 };
	struct reading beside = { 0 };
	struct error error;

	if (read_file(AT_FDCWD, path, &text, &beside, &error)) {
		buf_append_char(&text, '\0');
		if (secret_record_parse(text.bytes, &record))
			take_record(&record, secret_record_settle(&record, current), reading);
		else
			snprintf(reading->warning, sizeof(reading->warning), "%.200s is no record of pgweir's", path);
	} else if (errno != ENOENT) {
		snprintf(reading->warning, sizeof(reading->warning), "%.200s", error.text);
	}
	secret_record_fini(&record);
	buf_fini_secret(&text);
	mem_free(path);
}

static bool read_single(const struct config_secret *secret, struct reading *reading, struct error *error)
{
	struct buf text = { 0 };
	const char *name = strrchr(secret->path, '/');
	bool good = read_file(AT_FDCWD, secret->path, &text, reading, error)
		&& (shape_parse(text.bytes, text.size, secret->json_key, &reading->values.current, error)
			|| error_prepend(error, "%s", name ? name + 1 : secret->path));

	if (good && !secret->json_key) {
		text.size = shape_trimmed(text.bytes, text.size);
		buf_append_char(&text, '\0');
		read_record(secret, text.bytes, reading);
	}
	buf_fini_secret(&text);
	return good;
}

bool mount_read(const struct config_secret *secret, struct reading *reading, struct error *error)
{
	struct stat status;

	if (stat(secret->path, &status) != 0)
		return error_set(error, NULL, "%s: %s", secret->path, strerror(errno));
	if (!S_ISDIR(status.st_mode))
		return read_single(secret, reading, error);
	bool good = read_folder(secret, reading, error);

	return good || error_prepend(error, "%s", secret->path);
}
