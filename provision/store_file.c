/* Secrets in files, for those who have no service for them.
 *
 * The file at `path` holds the current text, and others read it. Beside it, in `path`.pgweir, stand the versions and the
 * tags. Both are replaced as a whole: written under another name, synced, renamed.
 *
 * Failure story: the two files change one after the other, and the process may end between. The file at `path` is right: if
 * it says what the pending version says, that one is current; if it says what no version says, somebody has written it by
 * hand, and that is the current version. Both are settled when the record is read. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pgweir/buf.h"
#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "store.h"

enum { FILE_MAX = 256 * 1024, STAGES = 3 };

static const char *const stage_words[STAGES] = { [STORE_CURRENT] = "current", [STORE_PENDING] = "pending",
	[STORE_PREVIOUS] = "previous" };

struct version {
	char *id, *text;                /* NULL: there is none. */
	int64_t created_s;
};

struct record {
	struct version versions[STAGES];
	char *provision, *role;
	bool present;                   /* The file at `path` is there. */
	bool deleted;
};

struct files {
	char *record, *deleted;         /* Paths. */
};

static void version_fini(struct version *version)
{
	mem_free(version->id);
	mem_secret_free(version->text);
	*version = (struct version){ 0 };
}

static void record_fini(struct record *record)
{
	for (size_t i = 0; i < STAGES; i++)
		version_fini(&record->versions[i]);
	mem_free(record->provision);
	mem_free(record->role);
	*record = (struct record){ 0 };
}

/* --- Files as a whole --- */

/* False with no text in `error`: there is no such file. */
static bool read_file(const char *path, struct buf *text, struct error *error)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	error->text[0] = '\0';
	if (fd < 0)
		return errno == ENOENT ? false : error_set(error, NULL, "%s: %s", path, strerror(errno));
	bool good = (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= FILE_MAX)
		|| error_set(error, NULL, "%s is no file that pgweir could replace", path);

	while (good && text->size <= FILE_MAX) {
		ssize_t got = read(fd, buf_reserve(text, FILE_MAX + 1 - text->size), FILE_MAX + 1 - text->size);

		if (got < 0)
			good = errno == EINTR || error_set(error, NULL, "%s: %s", path, strerror(errno));
		if (got == 0)
			break;
		text->size += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	buf_append_char(text, '\0');
	return good;
}

static bool write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t put = write(fd, text, size);

		if (put < 0 && errno != EINTR)
			return false;
		text += put > 0 ? put : 0;
		size -= put > 0 ? (size_t)put : 0;
	}
	return true;
}

static void sync_folder(const char *path)
{
	char *folder = mem_strdup(path), *slash = strrchr(folder, '/');
	int fd;

	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		/* Not every filesystem can. */
		(void)!fsync(fd);
		close(fd);
	}
	mem_free(folder);
}

/* Who may read what is there already may read what takes its place. */
static void keep_access(int fd, const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return;
	/* Only root may give files away; then the owner was us in the first place. */
	(void)!fchown(fd, status.st_uid, status.st_gid);
	(void)!fchmod(fd, status.st_mode & 0660);
}

static bool replace_file(const char *path, const char *text, struct error *error)
{
	char *new_path = mem_printf("%s.%ld.new", path, (long)getpid());
	int fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool good = fd >= 0;

	if (good) {
		keep_access(fd, path);
		good = write_all(fd, text, strlen(text)) && fsync(fd) == 0;
		good = close(fd) == 0 && good && rename(new_path, path) == 0;
	}
	if (!good) {
		error_set(error, NULL, "cannot write %s: %s", path, strerror(errno));
		unlink(new_path);
	} else {
		sync_folder(path);
	}
	mem_free(new_path);
	return good;
}

/* --- The record --- */

static char *member(const json_t *object, const char *name)
{
	return mem_secret_dup(json_string_value(json_object_get(object, name)));
}

static bool parse_record(const char *text, struct record *record)
{
	json_t *root = json_loads(text, 0, NULL);

	if (!root)
		return false;
	record->provision = member(root, "provision");
	record->role = member(root, "role");
	record->deleted = json_is_true(json_object_get(root, "deleted"));
	for (size_t i = 0; i < STAGES; i++) {
		const json_t *version = json_object_get(root, stage_words[i]);

		record->versions[i] = (struct version){ .id = member(version, "id"), .text = member(version, "text"),
			.created_s = json_integer_value(json_object_get(version, "created")) };
	}
	json_decref(root);
	return true;
}

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_string(text));
}

static bool save_record(const struct store *store, const struct record *record, struct error *error)
{
	const struct files *files = store->own;
	json_t *root = json_object();

	set_text(root, "provision", record->provision);
	set_text(root, "role", record->role);
	if (record->deleted)
		json_object_set_new(root, "deleted", json_true());
	for (size_t i = 0; i < STAGES; i++) {
		const struct version *version = &record->versions[i];
		json_t *object = json_object();

		set_text(object, "id", version->id);
		set_text(object, "text", version->text);
		json_object_set_new(object, "created", json_integer(version->created_s));
		if (version->id)
			json_object_set(root, stage_words[i], object);
		json_decref(object);
	}
	char *text = json_dumps(root, JSON_INDENT(2));
	bool good = text ? replace_file(files->record, text, error) : error_set(error, NULL, "cannot be written as JSON");

	json_free_t release;

	json_get_alloc_funcs(NULL, &release);
	if (text)
		release(text);
	json_decref(root);
	return good;
}

static int64_t now_s(void)
{
	return clock_wall_us() / 1000000;
}

static char *id_of_text(const char *text)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct buf id = { 0 };

	SHA256((const unsigned char *)text, strlen(text), digest);
	buf_append_text(&id, "by-hand-");
	for (size_t i = 0; i < 16; i++)
		buf_printf(&id, "%02x", digest[i]);
	return buf_take_text(&id);
}

/* The former current version becomes the previous one. */
static void shift(struct record *record, struct version *next)
{
	version_fini(&record->versions[STORE_PREVIOUS]);
	record->versions[STORE_PREVIOUS] = record->versions[STORE_CURRENT];
	record->versions[STORE_CURRENT] = *next;
	*next = (struct version){ 0 };
}

static bool same(const struct version *version, const char *text)
{
	return version->text && mem_equal_secret_text(version->text, text);
}

/* The file at `path` is right. */
static void settle(struct record *record, const char *text)
{
	struct version by_hand = { 0 };

	record->present = true;
	if (same(&record->versions[STORE_CURRENT], text))
		return;
	if (same(&record->versions[STORE_PENDING], text)) {
		shift(record, &record->versions[STORE_PENDING]);
		return;
	}
	by_hand = (struct version){ .id = id_of_text(text), .text = mem_secret_dup(text), .created_s = now_s() };
	shift(record, &by_hand);
	version_fini(&by_hand);
}

static bool load_record(const struct store *store, struct record *record, struct error *error)
{
	const struct files *files = store->own;
	struct buf text = { 0 };
	bool good = true;

	*record = (struct record){ 0 };
	if (read_file(files->record, &text, error))
		good = parse_record(text.bytes, record) || error_set(error, NULL, "%s is no record of pgweir's", files->record);
	else
		good = !error->text[0];
	buf_fini_secret(&text);
	if (good && read_file(store->secret->path, &text, error)) {
		size_t size = strcspn(text.bytes, "\r\n");

		if (text.bytes[0] != '{')
			text.bytes[size] = '\0';
		if (text.bytes[0])
			settle(record, text.bytes);
		record->present = true;
	} else if (good) {
		good = !error->text[0];
	}
	buf_fini_secret(&text);
	return good;
}

/* --- The class --- */

static bool file_open(struct store *store, struct error *error)
{
	struct files *files = NEW(struct files);
	struct stat status;

	store->own = files;
	files->record = mem_printf("%s.pgweir", store->secret->path);
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
	struct record record;
	bool good = load_record(store, &record, error);

	if (good) {
		bool empty = !record.versions[STORE_CURRENT].id, known = record.present || record.provision;

		stored->state = record.deleted ? STORED_DELETED : !empty && record.present ? STORED_GOOD
			: known ? STORED_EMPTY : STORED_MISSING;
		stored->current = mem_strdup(record.versions[STORE_CURRENT].id);
		stored->pending = mem_strdup(record.versions[STORE_PENDING].id);
		stored->previous = mem_strdup(record.versions[STORE_PREVIOUS].id);
		stored->provision = mem_strdup(record.provision);
		stored->role = mem_strdup(record.role);
	}
	record_fini(&record);
	return good;
}

static bool file_get(struct store *store, enum store_stage stage, struct stored_text *text, struct error *error)
{
	struct record record;
	bool good = load_record(store, &record, error);

	if (good) {
		text->text = mem_secret_dup(record.versions[stage].text);
		text->created_s = record.versions[stage].created_s;
	}
	record_fini(&record);
	return good;
}

static bool file_tag(struct store *store, const char *provision, const char *role, struct error *error)
{
	struct record record;
	bool good = load_record(store, &record, error);

	if (good) {
		mem_free(record.provision);
		mem_free(record.role);
		record.provision = mem_strdup(provision);
		record.role = mem_strdup(role);
		good = save_record(store, &record, error);
	}
	record_fini(&record);
	return good;
}

/* The record first: were the file at `path` written first, a crash would leave a value that nobody has tagged. */
static bool file_put(struct store *store, const char *version, const char *text, enum store_stage stage, struct error *error)
{
	struct version next = { .id = mem_strdup(version), .text = mem_secret_dup(text), .created_s = now_s() };
	struct record record;
	bool good = load_record(store, &record, error);

	for (size_t i = 0; i < STAGES && good; i++)
		if (record.versions[i].id && strcmp(record.versions[i].id, version) == 0 && !same(&record.versions[i], text))
			good = error_set(error, "42710", "there is another version %s", version);
	if (good && stage == STORE_CURRENT) {
		shift(&record, &next);
	} else if (good) {
		version_fini(&record.versions[stage]);
		record.versions[stage] = next;
		next = (struct version){ 0 };
	}
	good = good && save_record(store, &record, error);
	if (good && stage == STORE_CURRENT)
		good = replace_file(store->secret->path, text, error);
	version_fini(&next);
	record_fini(&record);
	return good;
}

static bool file_create(struct store *store, const char *version, const char *text, const char *provision, const char *role,
	struct error *error)
{
	return file_tag(store, provision, role, error) && file_put(store, version, text, STORE_CURRENT, error);
}

static bool file_promote(struct store *store, const char *version, const char *from, struct error *error)
{
	struct record record;
	bool good = load_record(store, &record, error);
	const struct version *pending = &record.versions[STORE_PENDING], *current = &record.versions[STORE_CURRENT];

	if (good && current->id && strcmp(current->id, version) == 0) {
		good = save_record(store, &record, error);
	} else if (good) {
		good = pending->id && strcmp(pending->id, version) == 0 && current->id && strcmp(current->id, from) == 0;
		if (!good)
			error_set(error, "55000", "another has changed it meanwhile");
		good = good && replace_file(store->secret->path, pending->text, error);
		if (good)
			shift(&record, &record.versions[STORE_PENDING]);
		good = good && save_record(store, &record, error);
	}
	record_fini(&record);
	return good;
}

static bool file_mark(struct store *store, bool deleted, struct error *error)
{
	struct record record;
	bool good = load_record(store, &record, error);

	record.deleted = deleted;
	good = good && save_record(store, &record, error);
	record_fini(&record);
	return good;
}

static bool file_delete(struct store *store, char **until, struct error *error)
{
	const struct files *files = store->own;

	if (!file_mark(store, true, error))
		return false;
	if (rename(store->secret->path, files->deleted) != 0 && errno != ENOENT)
		return error_set(error, NULL, "%s: %s", store->secret->path, strerror(errno));
	*until = mem_printf("until somebody removes %s and %s", files->deleted, files->record);
	return true;
}

static bool file_restore(struct store *store, struct error *error)
{
	const struct files *files = store->own;

	if (rename(files->deleted, store->secret->path) != 0 && errno != ENOENT)
		return error_set(error, NULL, "%s: %s", files->deleted, strerror(errno));
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
