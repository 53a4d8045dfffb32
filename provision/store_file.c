/* Secrets in files, for those who have no service for them.
 *
 * The file at `path` holds the current text, and others read it. Beside it stands the record of versions and tags
 * (pgweir/secret_record.h). Both are replaced as a whole: written under another name, synced, renamed.
 *
 * Failure story: the two files change one after the other, and the process may end between. That is settled whenever the
 * record is read: the file at `path` is right. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/clock.h"
#include "pgweir/file.h"
#include "pgweir/mem.h"
#include "pgweir/secret_record.h"
#include "store.h"

enum { FILE_MAX = 256 * 1024 };

struct files {
	char *record, *deleted;         /* Paths. */
};

/* False with no text in `error`: there is no such file. */
static bool read_file(const char *path, struct buf *text, struct error *error)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	error->text[0] = '\0';
	if (fd < 0)
		return errno == ENOENT ? false : error_set(error, NULL, "%s: %s", path, strerror(errno));
	bool good = ((fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) || error_set(error, NULL, "%s is no file that pgweir could replace", path))
		&& (file_read(fd, FILE_MAX, text) || error_set(error, NULL, "%s: %s", path, strerror(errno)));

	close(fd);
	buf_append_char(text, '\0');
	return good;
}

static bool replace_file(const struct store *store, const char *path, const char *text, struct error *error)
{
	if (!file_replace(path, text, strlen(text)))
		return error_set(error, NULL, "cannot write %s: %s", path, strerror(errno));
	store_wrote(store);
	return true;
}

/* --- The record --- */

static bool save_record(const struct store *store, const struct secret_record *record, struct error *error)
{
	const struct files *files = store->own;
	char *text = secret_record_format(record);
	bool good = text ? replace_file(store, files->record, text, error) : error_set(error, NULL, "cannot be written as JSON");

	mem_secret_free(text);
	return good;
}

static bool load_record(const struct store *store, struct secret_record *record, bool *present, struct error *error)
{
	const struct files *files = store->own;
	struct buf text = { 0 };
	bool good = true;

	*record = (struct secret_record){ 0 };
	*present = false;
	if (read_file(files->record, &text, error))
		good = secret_record_parse(text.bytes, record)
			|| error_set(error, NULL, "%s is no record of pgweir's", files->record);
	else
		good = !error->text[0];
	buf_fini_secret(&text);
	if (good && read_file(store->secret->path, &text, error)) {
		*present = true;
		if (text.bytes[0] != '{')
			text.bytes[strcspn(text.bytes, "\r\n")] = '\0';
		if (text.bytes[0])
			(void)secret_record_settle(record, text.bytes);
	} else if (good) {
		good = !error->text[0];
	}
	buf_fini_secret(&text);
	return good;
}

/* What an operation does to the record; saved when it returns true. */
typedef bool change_cb(struct secret_record *record, const void *arg, struct error *error);

static bool change_record(const struct store *store, change_cb *change, const void *arg, struct error *error)
{
	struct secret_record record;
	bool present, good = load_record(store, &record, &present, error) && change(&record, arg, error)
		&& save_record(store, &record, error);

	secret_record_fini(&record);
	return good;
}

/* --- The class --- */

static bool file_open(struct store *store, struct error *error)
{
	struct files *files = NEW(struct files);
	struct stat status;

	store->own = files;
	files->record = secret_record_path(store->secret->path);
	files->deleted = mem_printf("%s.deleted", store->secret->path);
	if (stat(store->secret->path, &status) == 0 && !S_ISREG(status.st_mode))
		return error_set(error, NULL, "secret \"%s\": %s is not a file: pgweir cannot write to it", store->secret->name,
			store->secret->path);
	return true;
}

static void file_close(struct store *store)
{
	struct files *files = store->own;

	mem_free(files->record);
	mem_free(files->deleted);
	mem_free(files);
}

static bool file_describe(struct store *store, struct stored *stored, struct error *error)
{
	struct secret_record record;
	bool present, good = load_record(store, &record, &present, error);

	if (good) {
		bool empty = !record.versions[SECRET_CURRENT].id, known = present || record.provision;

		stored->state = record.deleted ? STORED_DELETED : !empty && present ? STORED_GOOD : known ? STORED_EMPTY : STORED_MISSING;
		stored->current = mem_strdup(record.versions[SECRET_CURRENT].id);
		stored->pending = mem_strdup(record.versions[SECRET_PENDING].id);
		stored->previous = mem_strdup(record.versions[SECRET_PREVIOUS].id);
		stored->provision = mem_strdup(record.provision);
		stored->role = mem_strdup(record.role);
	}
	secret_record_fini(&record);
	return good;
}

static bool file_get(struct store *store, enum secret_stage stage, struct stored_text *text, struct error *error)
{
	struct secret_record record;
	bool present, good = load_record(store, &record, &present, error);

	if (good) {
		text->text = mem_secret_dup(record.versions[stage].text);
		text->created_s = record.versions[stage].created_s;
	}
	secret_record_fini(&record);
	return good;
}

struct tags {
	const char *provision, *role;
};

static bool set_tags(struct secret_record *record, const void *arg, struct error *error)
{
	const struct tags *tags = arg;

	(void)error;
	mem_free(record->provision);
	mem_free(record->role);
	record->provision = mem_strdup(tags->provision);
	record->role = mem_strdup(tags->role);
	return true;
}

static bool file_tag(struct store *store, const char *provision, const char *role, struct error *error)
{
	const struct tags tags = { provision, role };

	return change_record(store, set_tags, &tags, error);
}

struct addition {
	const char *id, *text;
	enum secret_stage stage;
};

static bool add_version(struct secret_record *record, const void *arg, struct error *error)
{
	const struct addition *addition = arg;

	for (size_t i = 0; i < SECRET_STAGES; i++) {
		const struct secret_record_version *version = &record->versions[i];

		if (version->id && strcmp(version->id, addition->id) == 0 && !secret_record_says(version, addition->text))
			return error_set(error, "42710", "there is another version %s", addition->id);
	}
	struct secret_record_version next = { .id = mem_strdup(addition->id), .text = mem_secret_dup(addition->text),
		.created_s = clock_wall_us() / 1000000 };

	if (addition->stage == SECRET_CURRENT) {
		secret_record_shift(record, &next);
	} else {
		secret_record_version_fini(&record->versions[addition->stage]);
		record->versions[addition->stage] = next;
	}
	return true;
}

/* A file that is not there, of which the record knows what it is to say: the process ended between the two, or somebody has
 * removed it. It comes back as it was. */
static bool bring_back(struct store *store, bool *done, struct error *error)
{
	struct secret_record record;
	bool present, good = load_record(store, &record, &present, error);
	const char *text = record.versions[SECRET_CURRENT].text;

	*done = good && !present && text;
	good = good && (!*done || replace_file(store, store->secret->path, text, error));
	secret_record_fini(&record);
	return good;
}

/* The record first: were the file at `path` written first, a crash would leave a value that nobody has tagged. */
static bool file_put(struct store *store, const char *version, const char *text, enum secret_stage stage, struct error *error)
{
	const struct addition addition = { .id = version, .text = text, .stage = stage };
	bool done = false;

	if (stage == SECRET_CURRENT && (!bring_back(store, &done, error) || done))
		return done;
	return change_record(store, add_version, &addition, error)
		&& (stage != SECRET_CURRENT || replace_file(store, store->secret->path, text, error));
}

static bool file_create(struct store *store, const char *version, const char *text, const char *provision, const char *role,
	struct error *error)
{
	return file_tag(store, provision, role, error) && file_put(store, version, text, SECRET_CURRENT, error);
}

struct promotion {
	const struct store *store;
	const char *version, *from;
};

/* Here the file at `path` comes first, and settles what a crash leaves. */
static bool promote(struct secret_record *record, const void *arg, struct error *error)
{
	const struct promotion *promotion = arg;
	struct secret_record_version *pending = &record->versions[SECRET_PENDING], *current = &record->versions[SECRET_CURRENT];

	if (current->id && strcmp(current->id, promotion->version) == 0)
		return true;
	if (!pending->id || strcmp(pending->id, promotion->version) != 0 || !current->id
	    || strcmp(current->id, promotion->from) != 0)
		return error_set(error, "55000", "another has changed it meanwhile");
	if (!replace_file(promotion->store, promotion->store->secret->path, pending->text, error))
		return false;
	secret_record_shift(record, pending);
	return true;
}

static bool file_promote(struct store *store, const char *version, const char *from, struct error *error)
{
	const struct promotion promotion = { .store = store, .version = version, .from = from };

	return change_record(store, promote, &promotion, error);
}

static bool set_deleted(struct secret_record *record, const void *arg, struct error *error)
{
	(void)error;
	record->deleted = *(const bool *)arg;
	return true;
}

static bool file_mark(struct store *store, bool deleted, struct error *error)
{
	return change_record(store, set_deleted, &deleted, error);
}

/* The mark comes last: what bears it is taken to be gone. */
static bool file_delete(struct store *store, char **until, struct error *error)
{
	const struct files *files = store->own;

	if (rename(store->secret->path, files->deleted) != 0 && errno != ENOENT)
		return error_set(error, NULL, "%s: %s", store->secret->path, strerror(errno));
	store_wrote(store);
	if (!file_mark(store, true, error))
		return false;
	*until = mem_printf("until somebody removes %s and %s", files->deleted, files->record);
	return true;
}

static bool file_restore(struct store *store, struct error *error)
{
	const struct files *files = store->own;

	if (rename(files->deleted, store->secret->path) != 0 && errno != ENOENT)
		return error_set(error, NULL, "%s: %s", files->deleted, strerror(errno));
	store_wrote(store);
	return file_mark(store, false, error);
}

const struct store_class store_file_class = {
	.provider = "file",
	.open = file_open,
	.close = file_close,
	.describe = file_describe,
	.get = file_get,
	.create = file_create,
	.put = file_put,
	.promote = file_promote,
	.tag = file_tag,
	.delete = file_delete,
	.restore = file_restore,
};
