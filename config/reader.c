/* Files to sections. inih does the parsing; this reader hands it the lines one by one, so that it knows where it is, and
 * looks at each before: inih, as distributions build it, cuts lines, section names and key names that are too long, cuts
 * values at a `;` inside quotes, takes an indented key for a part of the value above, and reports one bad line. Here all
 * of these are errors of their own, and inih only ever sees lines that it treats as meant. */
#include "reader.h"

#include <ini.h>
#include <string.h>
#include <sys/stat.h>

#include "pgweir/config_absent.h"
#include "pgweir/nearest.h"
#include "pgweir/mem.h"

enum {
	KEY_SIZE_MAX = 49,             /* inih's MAX_NAME less the NUL. */
};

/* --- Keys and values, as inih delivers them --- */

/* A file that bears a secret is nobody else's. */
static void check_mode(struct reader *reader)
{
	struct place file = { .file = reader->path, .order = reader->key_place.order };

	if (reader->mode_reported || !reader->mode)
		return;
	reader->mode_reported = true;
	if (reader->mode & S_IWOTH)
		problems_error(reader->source->problems, &file, "holds a secret (line %u) and everybody may write to it: chmod o-rwx",
			reader->key_place.line);
	else if (reader->mode & S_IROTH)
		problems_warn(reader->source->problems, &file, "holds a secret (line %u) and everybody may read it: chmod o-rwx",
			reader->key_place.line);
}

/* Room enough that a value is not moved while it grows: the memory it left behind would not be wiped. */
static void reserve_value(struct buf *value)
{
	buf_reserve(value, 4096);
}

void reader_finish_value(struct reader *reader)
{
	struct buf expanded = { 0 };
	struct error error;
	bool literal;

	if (!reader->setting)
		return;
	reserve_value(&expanded);
	buf_append_char(&reader->value, '\0');
	bool ok = value_expand(reader->value.bytes, &expanded, &literal, &error);

	if (!ok)
		problems_error(reader->source->problems, &reader->key_place, "%s: %s", reader->key, error.text);
	if (ok && literal && reader->setting->secret)
		check_mode(reader);
	section_add(reader->section, reader->setting, reader->key, ok ? buf_take_text(&expanded) : NULL, &reader->key_place);
	buf_fini_secret(&expanded);
	buf_fini_secret(&reader->value);
	mem_free(reader->key);
	reader->key = NULL;
	reader->setting = NULL;
}

static void report_unknown_key(struct reader *reader, const char *name)
{
	enum section_kind kind = reader->section->kind;
	const char *nearest = setting_nearest(kind, name);
	const struct config_absent *absent = config_absent_find(section_types[kind].word, name);
	struct problems *problems = reader->source->problems;

	if (kind == SECTION_PEERS)
		problems_error(problems, &reader->place, "\"%s\" is not the number of a peer (1 to %d)", name, CONFIG_PEER_ID_MAX);
	else if (absent)
		problems_error(problems, &reader->place, "[%s] has no key \"%s\" as PgBouncer has: %s", section_types[kind].word, name,
			absent->why);
	else if (nearest)
		problems_error(problems, &reader->place, "[%s] has no key \"%s\"; did you mean \"%s\"?", section_types[kind].word,
			name, nearest);
	else
		problems_error(problems, &reader->place, "[%s] has no key \"%s\"", section_types[kind].word, name);
}

/* True if the value that follows is worth gathering. */
static bool begin_value(struct reader *reader, const char *name)
{
	struct problems *problems = reader->source->problems;

	if (!reader->section) {
		if (!reader->in_bad_section)
			problems_error(problems, &reader->place, "\"%s\" stands before the first section", name);
		return false;
	}
	const struct setting *setting = setting_find(reader->section->kind, name);
	const struct entry *former = section_entry(reader->section, name);

	if (!setting) {
		report_unknown_key(reader, name);
		return false;
	}
	if (former) {
		problems_error(problems, &reader->place, "%s is set a second time; the first is at %s:%u", name,
			former->place.file, former->place.line);
		return false;
	}
	reader->setting = setting;
	reader->key = mem_strdup(name);
	reader->key_place = reader->place;
	reserve_value(&reader->value);
	return true;
}

/* Lines of a value are joined by a blank, quoted ones by nothing. */
static void add_piece(struct reader *reader, const char *text)
{
	char *piece = mem_secret_dup(text);

	if (reader->form == VALUE_QUOTED)
		value_unquote(piece);
	if (reader->value.size && *piece && reader->form != VALUE_QUOTED)
		buf_append_char(&reader->value, ' ');
	buf_append_text(&reader->value, piece);
	mem_secret_free(piece);
}

static int on_pair(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *reader = arg;

	(void)section;
	if (!reader->continues) {
		reader_finish_value(reader);
		if (!begin_value(reader, name))
			reader->line_place = LINE_IN_BAD_VALUE;
	}
	if (reader->setting)
		add_piece(reader, value);
	return 1;
}

/* --- Section headers --- */

static bool kind_by_word(const char *word, enum section_kind *kind)
{
	for (*kind = 0; *kind < SECTION_KINDS; (*kind)++)
		if (strcmp(section_types[*kind].word, word) == 0)
			return true;
	return false;
}

static void report_unknown_section(struct reader *reader, const char *word)
{
	struct nearest nearest = { .wanted = word };
	enum section_kind kind;

	for (kind = 0; kind < SECTION_KINDS; kind++)
		nearest_offer(&nearest, section_types[kind].word);
	if (strcmp(word, "pgbouncer") == 0) {
		problems_error(reader->source->problems, &reader->place,
			"there is no section [pgbouncer]; \"pgweir import-pgbouncer\" translates files of PgBouncer's");
		return;
	}
	if (!nearest.best) {
		problems_error(reader->source->problems, &reader->place, "there is no section [%s]", word);
		return;
	}
	kind_by_word(nearest.best, &kind);
	problems_error(reader->source->problems, &reader->place, "there is no section [%s]; did you mean [%s%s]?", word,
		nearest.best, section_types[kind].named ? " NAME" : "");
}

static struct section *open_section(struct reader *reader, enum section_kind kind, const char *name)
{
	struct problems *problems = reader->source->problems;
	const struct section_type *type = &section_types[kind];
	struct section *former = source_find(reader->source, kind, name);

	if (type->named && !*name) {
		problems_error(problems, &reader->place, "[%s] needs a name: [%s NAME]", type->word, type->word);
		return NULL;
	}
	if (!type->named && *name) {
		problems_error(problems, &reader->place, "[%s] takes no name", type->word);
		return NULL;
	}
	if (former && type->named) {
		problems_error(problems, &reader->place, "[%s %s] appears a second time; the first is at %s:%u", type->word, name,
			former->place.file, former->place.line);
		return NULL;
	}
	return former ? former : source_add(reader->source, kind, name, &reader->place);
}

/* `line` starts at the bracket. Names may be quoted, for those with a `]` or blanks at the ends. */
static void read_header(struct reader *reader, char *line)
{
	struct error error;
	enum section_kind kind;
	enum value_form form = VALUE_EMPTY;
	char *word = line + 1 + strspn(line + 1, " \t");
	char *name = word + strcspn(word, " \t]");
	char *close = name + strspn(name, " \t");
	bool quoted = *close == '"' || *close == '\'';

	reader_finish_value(reader);
	reader->section = NULL;
	reader->in_bad_section = true;
	reader->line_place = LINE_OUTSIDE;
	close = quoted ? strrchr(close, ']') : strchr(close, ']');
	if (!close || !value_cut_comment(close + 1, &form, &error) || close[1 + strspn(close + 1, " \t")]) {
		problems_error(reader->source->problems, &reader->place, "a section's header has the form [kind] or [kind NAME]");
		return;
	}
	while (close > name && (close[-1] == ' ' || close[-1] == '\t'))
		close--;
	*close = '\0';
	if (*name) {
		*name++ = '\0';
		name += strspn(name, " \t");
	}
	value_unquote(name);
	if (!kind_by_word(word, &kind)) {
		report_unknown_section(reader, word);
		return;
	}
	reader->section = open_section(reader, kind, name);
}

/* --- Lines --- */

/* The length of the key in front of `=` or `:`, 0 where there is neither. */
static size_t key_size(const char *line, size_t *value_at)
{
	size_t size = strcspn(line, "=:;");

	if (!line[size] || line[size] == ';')
		return 0;
	*value_at = size + 1;
	while (size && (line[size - 1] == ' ' || line[size - 1] == '\t'))
		size--;
	return size;
}

/* A part of a value that is indented like one but reads like a key or a header was most likely meant as that. */
static bool check_continuation(struct reader *reader, char *line, struct error *error)
{
	size_t value_at, size = key_size(line, &value_at);
	enum section_kind kind;

	if (size && size <= KEY_SIZE_MAX && reader->section) {
		char *key = mem_strndup(line, size);
		bool known = setting_find(reader->section->kind, key) != NULL;

		if (known)
			error_set(error, NULL, "\"%s =\" is indented, which makes it a part of the value above; remove the blanks before it, "
				"or quote the whole value", key);
		mem_free(key);
		if (known)
			return false;
	}
	if (*line == '[') {
		char *word = mem_strndup(line + 1, strcspn(line + 1, " \t]"));
		bool known = kind_by_word(word, &kind) && strchr(line, ']');

		mem_free(word);
		if (known)
			return error_set(error, NULL, "the header is indented, which makes it a part of the value above");
	}
	return value_cut_comment(line, &reader->form, error);
}

static bool check_key_line(struct reader *reader, char *line, struct error *error)
{
	size_t value_at, size = key_size(line, &value_at);

	if (!size)
		return error_set(error, NULL, "neither a [section] nor a key = value");
	if (size > KEY_SIZE_MAX)
		return error_set(error, NULL, "there is no key with so long a name");
	reader->form = VALUE_EMPTY;
	return value_cut_comment(line + value_at, &reader->form, error);
}

static bool check_characters(const char *line, size_t size, struct error *error)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)line[i] < ' ' && line[i] != '\t')
			return error_set(error, NULL, "the line has a control character (0x%02x at byte %zu)", (unsigned char)line[i],
				i + 1);
	return true;
}

/* What inih shall see of `line`, which is ours to change: all of it, or nothing. */
static const char *prepare(struct reader *reader, char *line, size_t size, size_t size_max)
{
	struct error error;
	size_t indent = strspn(line, " \t");
	char *text = line + indent;

	reader->continues = false;
	if (indent == size || *text == ';' || *text == '#')
		return "";
	if (!check_characters(line, size, &error) || (size > size_max && !error_set(&error, NULL,
		"the line has %zu bytes; %zu are read: break the value over several lines, indented", size, size_max))) {
		problems_error(reader->source->problems, &reader->place, "%s", error.text);
		reader->line_place = LINE_IN_BAD_VALUE;
		return "";
	}
	if (indent && reader->line_place == LINE_IN_BAD_VALUE)
		return "";
	if (indent && reader->line_place == LINE_IN_VALUE) {
		reader->continues = true;
		if (check_continuation(reader, text, &error))
			return line;
		problems_error(reader->source->problems, &reader->place, "%s", error.text);
		return "";
	}
	if (strncmp(text, "%include", 8) == 0 && (text[8] == ' ' || text[8] == '\t' || text[8] == '\0')) {
		reader_include(reader, text + 8);
		return "[section]";    /* Makes inih forget the key before. */
	}
	if (*text == '[') {
		read_header(reader, text);
		return "[section]";
	}
	reader->line_place = LINE_IN_VALUE;
	if (check_key_line(reader, text, &error))
		return text;
	problems_error(reader->source->problems, &reader->place, "%s", error.text);
	reader->line_place = LINE_IN_BAD_VALUE;
	return "";
}

/* inih's fgets(). Its buffer of `capacity` bytes takes a line without its newline. */
static char *next_line(char *buffer, int capacity, void *stream)
{
	struct reader *reader = stream;

	if (reader->at >= reader->end)
		return NULL;
	char *line = reader->at;
	char *newline = memchr(line, '\n', (size_t)(reader->end - line));
	char *end = newline ? newline : reader->end;

	reader->at = end + 1;
	*end = '\0';
	if (end > line && end[-1] == '\r')
		*--end = '\0';
	reader->place.line++;
	reader->place.order = ++reader->source->order;
	if (reader->place.line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	const char *shown = prepare(reader, line, (size_t)(end - line), (size_t)capacity - 1);

	memcpy(buffer, shown, strlen(shown) + 1);
	return buffer;
}

/* --- Files --- */

void reader_bytes(struct source *source, struct reader *outer, const char *path, char *bytes, size_t size, mode_t mode,
	struct section *section)
{
	struct reader reader = {
		.source = source,
		.outer = outer,
		.path = path,
		.at = bytes,
		.end = bytes + size,
		.mode = mode,
		.depth = outer ? outer->depth + 1 : 0,
		.place = { .file = path },
		.section = section,
		.in_bad_section = outer && outer->in_bad_section,
	};
	int failed = ini_parse_stream(next_line, &reader, on_pair, &reader);

	reader_finish_value(&reader);
	if (failed && source->problems->error_count == 0) {
		reader.place.line = failed > 0 ? (unsigned)failed : 0;
		problems_error(source->problems, &reader.place, "cannot be parsed");
	}
}
