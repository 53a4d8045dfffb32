/* Where lines come from: files, and the files that they include. */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/file.h"
#include "pgweir/mem.h"

enum {
	DEPTH_MAX = 8,
	FILE_SIZE_MAX = 16 * 1024 * 1024,
	FILES_MAX = 1000,
};

static void read_file(struct source *source, struct reader *outer, const char *path, const struct place *place,
	struct section *section);

/* --- Includes --- */

static bool is_open(const struct reader *reader, const char *path)
{
	for (; reader; reader = reader->outer)
		if (strcmp(reader->path, path) == 0)
			return true;
	return false;
}

static void include_one(struct reader *reader, const char *path)
{
	struct source *source = reader->source;

	if (is_open(reader, path))
		problems_error(source->problems, &reader->place, "%%include: %s would include itself", path);
	else if (reader->depth >= DEPTH_MAX)
		problems_error(source->problems, &reader->place, "%%include: more than %d files deep", DEPTH_MAX);
	else if (source->file_count >= FILES_MAX)
		problems_error(source->problems, &reader->place, "%%include: more than %d files", FILES_MAX);
	else
		read_file(source, reader, path, &reader->place, reader->section);
}

/* A folder that is not there matches nothing; one that cannot be read might hold what was meant. */
static int stop_unless_absent(const char *path, int failed)
{
	(void)path;
	return failed != ENOENT && failed != ENOTDIR;
}

static void include_pattern(struct reader *reader, const char *pattern)
{
	glob_t found = { 0 };
	bool is_glob = strpbrk(pattern, "*?[") != NULL;

	if (!is_glob) {
		include_one(reader, pattern);
		return;
	}
	int failed = glob(pattern, 0, stop_unless_absent, &found);

	/* A pattern may match nothing: a folder for drop-ins is often empty. */
	if (failed && failed != GLOB_NOMATCH)
		problems_error(reader->source->problems, &reader->place, "%%include: cannot look for %s", pattern);
	for (size_t i = 0; !failed && i < found.gl_pathc; i++)
		include_one(reader, found.gl_pathv[i]);
	globfree(&found);
}

void reader_include(struct reader *reader, char *text)
{
	struct buf expanded = { 0 };
	struct error error;
	enum value_form form = VALUE_EMPTY;
	bool literal;

	reader_finish_value(reader);
	reader->line_place = LINE_OUTSIDE;
	text += strspn(text, " \t");
	if (!reader->source->includes_allowed) {
		problems_error(reader->source->problems, &reader->place, "%%include is not allowed here");
		return;
	}
	bool ok = value_cut_comment(text, &form, &error);

	for (size_t size = strlen(text); size && (text[size - 1] == ' ' || text[size - 1] == '\t'); size--)
		text[size - 1] = '\0';
	value_unquote(text);
	ok = ok && value_expand(text, &expanded, &literal, &error);
	if (ok && !expanded.size)
		ok = error_set(&error, NULL, "a file must follow");
	char *path = buf_take_text(&expanded);

	if (!ok) {
		problems_error(reader->source->problems, &reader->place, "%%include: %s", error.text);
	} else if (*path == '/') {
		include_pattern(reader, path);
	} else {
		const char *slash = strrchr(reader->path, '/');
		char *joined = mem_printf("%.*s%s", slash ? (int)(slash - reader->path) + 1 : 0, reader->path, path);

		include_pattern(reader, joined);
		mem_free(joined);
	}
	mem_free(path);
}

/* --- Files --- */

static const char *keep_name(struct source *source, const char *path)
{
	source->files = mem_realloc(source->files, (source->file_count + 1) * sizeof(char *));
	source->files[source->file_count] = mem_strdup(path);
	return source->files[source->file_count++];
}

static void read_file(struct source *source, struct reader *outer, const char *path, const struct place *place,
	struct section *section)
{
	struct stat status = { 0 };
	struct buf text = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && fstat(fd, &status) == 0 && file_read(fd, FILE_SIZE_MAX, &text);
	int failed = errno;

	if (fd >= 0)
		close(fd);
	/* With a byte to spare. */
	size_t size = text.size;

	buf_append_char(&text, '\0');
	if (good)
		reader_bytes(source, outer, keep_name(source, path), text.bytes, size, status.st_mode, section);
	else if (outer)
		problems_error(source->problems, place, "%%include: cannot read %s: %s", path, strerror(failed));
	else
		problems_error(source->problems, place, "cannot be read: %s", strerror(failed));
	buf_fini_secret(&text);
}

void source_read_file(struct source *source, const char *path)
{
	struct place place = { .file = path };

	source->includes_allowed = true;
	read_file(source, NULL, path, &place, NULL);
}

void source_read_text(struct source *source, const char *path, const char *text, size_t size)
{
	char *bytes = mem_alloc(size + 1);

	if (size)
		memcpy(bytes, text, size);
	reader_bytes(source, NULL, keep_name(source, path), bytes, size, 0, NULL);
	mem_wipe(bytes, size);
	mem_free(bytes);
}
