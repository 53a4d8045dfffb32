/* PgBouncer's files: sections, `key = value`, comments on lines of their own, `%include`, and names in double quotes. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "import.h"
#include "pgweir/mem.h"

enum { DEPTH_MAX = 10, FILE_SIZE_MAX = 16 * 1024 * 1024 };

/* --- Pairs --- */

static struct import_pair *pair_add(struct import_pairs *pairs, char *key, char *value)
{
	pairs->all = mem_realloc(pairs->all, (pairs->count + 1) * sizeof(*pairs->all));
	pairs->all[pairs->count] = (struct import_pair){ .key = key, .value = value };
	return &pairs->all[pairs->count++];
}

void import_pairs_fini(struct import_pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		mem_free(pairs->all[i].key);
		mem_secret_free(pairs->all[i].value);
	}
	mem_free(pairs->all);
	*pairs = (struct import_pairs){ 0 };
}

const char *import_value(const struct import_pairs *pairs, const char *key)
{
	for (size_t i = pairs->count; i-- > 0; )
		if (strcmp(pairs->all[i].key, key) == 0)
			return pairs->all[i].value;
	return NULL;
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* A text in quotes, in which a quote stands twice; `*at` is left behind it. NULL: it is not closed. */
static char *take_quoted(const char **at)
{
	struct buf text = { 0 };
	char quote = *(*at)++;

	for (;; (*at)++) {
		if (!**at) {
			buf_fini_secret(&text);
			return NULL;
		}
		if (**at == quote && *++*at != quote)
			return buf_take_text(&text);
		buf_append_char(&text, **at);
	}
}

static char *take_value(const char **at)
{
	if (**at == '\'')
		return take_quoted(at);
	size_t size = strcspn(*at, " \t\r\n");
	char *value = mem_strndup(*at, size);

	*at += size;
	return value;
}

bool import_read_pairs(struct import_pairs *pairs, const char *text, struct error *error)
{
	for (const char *at = skip_blanks(text); *at; at = skip_blanks(at)) {
		size_t size = strcspn(at, "= \t\r\n");
		const char *key = at;

		at = skip_blanks(at + size);
		if (!size || *at != '=')
			return error_set(error, NULL, "\"%.*s\" is not followed by =", (int)(size > 40 ? 40 : size), key);
		at = skip_blanks(at + 1);
		char *value = take_value(&at);

		if (!value)
			return error_set(error, NULL, "the quote of %.*s is not closed", (int)(size > 40 ? 40 : size), key);
		pair_add(pairs, mem_strndup(key, size), value);
	}
	return true;
}

/* --- Lines --- */

struct reading {
	struct import_source *source;
	int place;                      /* enum import_place, or -1 before the first section. */
	int depth;
	struct error *error;
};

static bool read_file(struct reading *reading, const char *path);

static bool read_header(struct reading *reading, char *line)
{
	char *close = strchr(line, ']');

	if (!close || *skip_blanks(close + 1))
		return error_set(reading->error, NULL, "a section's header ends with ]");
	*close = '\0';
	for (reading->place = 0; reading->place < IMPORT_PLACES; reading->place++)
		if (strcasecmp(line + 1, import_rules[reading->place].section) == 0)
			return true;
	return error_set(reading->error, NULL, "PgBouncer has no section [%.40s]", line + 1);
}

static bool read_key(struct reading *reading, const char *line, const char *file, unsigned number)
{
	const char *at = line;
	char *key = *at == '"' ? take_quoted(&at) : NULL;

	if (!key && *line != '"') {
		size_t size = strcspn(at, "=");

		at += size;
		while (size && isspace((unsigned char)line[size - 1]))
			size--;
		key = mem_strndup(line, size);
	}
	at = skip_blanks(at);
	if (!key || !*key || *at != '=' || reading->place < 0) {
		mem_free(key);
		return error_set(reading->error, NULL, "%s", reading->place < 0 ? "stands before the first section"
			: "neither a [section] nor a key = value");
	}
	struct import_pair *added = pair_add(&reading->source->places[reading->place], key, mem_strdup(skip_blanks(at + 1)));

	added->file = file;
	added->line = number;
	return true;
}

static bool read_include(struct reading *reading, const char *name)
{
	if (reading->depth >= DEPTH_MAX)
		return error_set(reading->error, NULL, "files include one another more than %d deep", DEPTH_MAX);
	char *path = import_path(reading->source, name);

	reading->depth++;
	bool good = read_file(reading, path);

	reading->depth--;
	mem_free(path);
	return good;
}

static bool read_line(struct reading *reading, char *line, const char *file, unsigned number)
{
	size_t size = strlen(line);

	while (size && isspace((unsigned char)line[size - 1]))
		line[--size] = '\0';
	line += strspn(line, " \t");
	if (!*line || *line == ';' || *line == '#')
		return true;
	if (strncmp(line, "%include", 8) == 0 && isspace((unsigned char)line[8]))
		return read_include(reading, skip_blanks(line + 8));
	return *line == '[' ? read_header(reading, line) : read_key(reading, line, file, number);
}

/* --- Files --- */

static char *read_bytes(const char *path, struct error *error)
{
	struct buf bytes = { 0 };
	FILE *file = fopen(path, "re");
	size_t got = 0;

	if (!file) {
		error_set(error, NULL, "cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	do {
		got = fread(buf_reserve(&bytes, 65536), 1, 65536, file);
		bytes.size += got;
	} while (got && bytes.size < FILE_SIZE_MAX);
	bool good = !ferror(file) && !got && !memchr(bytes.bytes, '\0', bytes.size);

	fclose(file);
	if (good)
		return buf_take_text(&bytes);
	buf_fini_secret(&bytes);
	error_set(error, NULL, "%s cannot be read as text", path);
	return NULL;
}

static const char *remember_file(struct import_source *source, const char *path)
{
	source->files = mem_realloc(source->files, (source->file_count + 1) * sizeof(*source->files));
	source->files[source->file_count] = mem_strdup(path);
	return source->files[source->file_count++];
}

static bool read_file(struct reading *reading, const char *path)
{
	char *text = read_bytes(path, reading->error);
	const char *file = remember_file(reading->source, path);
	char *rest = text, *line;
	bool good = text != NULL;

	for (unsigned number = 1; good && (line = strsep(&rest, "\n")); number++) {
		size_t files = reading->source->file_count;

		good = read_line(reading, line, file, number);
		/* Where an included file has the fault, it has been named. */
		if (!good && files == reading->source->file_count)
			error_prepend(reading->error, "%s:%u", file, number);
	}
	mem_secret_free(text);
	return good;
}

bool import_read(struct import_source *source, const char *path, struct error *error)
{
	struct reading reading = { .source = source, .place = -1, .error = error };
	char *whole = realpath(path, NULL);
	char *slash = whole ? strrchr(whole, '/') : NULL;

	source->folder = slash ? mem_strndup(whole, (size_t)(slash - whole)) : mem_strdup(".");
	mem_free(whole);
	return read_file(&reading, path);
}

void import_source_fini(struct import_source *source)
{
	for (int place = 0; place < IMPORT_PLACES; place++)
		import_pairs_fini(&source->places[place]);
	for (size_t i = 0; i < source->file_count; i++)
		mem_free(source->files[i]);
	mem_free(source->files);
	mem_free(source->folder);
	*source = (struct import_source){ 0 };
}

char *import_path(const struct import_source *source, const char *path)
{
	if (*path == '/' || !*path)
		return mem_strdup(path);
	char *beside = mem_printf("%s/%s", source->folder, path);
	char *here = access(beside, F_OK) == 0 ? NULL : realpath(path, NULL);

	if (!here)
		return beside;
	mem_free(beside);
	return here;
}
