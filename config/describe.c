/* The table printed: as a reference and as a sample. */
#include <string.h>

#include "expand.h"
#include "pgweir/mem.h"
#include "pgweir/settings.h"
#include "setting.h"

enum { SAMPLE_WIDTH = 100 };

static const char *const applies_texts[] = {
	[APPLIES_RELOAD] = "on reload",
	[APPLIES_NEW_CONNECTIONS] = "on reload, to new connections",
	[APPLIES_RESTART] = "after a restart",
};

/* --- What a reference says of each key, whatever it is made of --- */

static void describe_words(const struct setting *setting, FILE *out)
{
	for (const struct setting_word *word = setting->words; word && word->word; word++)
		fprintf(out, "%s `%s`", word != setting->words ? "," : setting->type == SETTING_INT ? " or" : " of", word->word);
}

static void describe_default(const struct setting *setting, FILE *out)
{
	if (setting->default_text && *setting->default_text)
		fprintf(out, "; default `%s`", setting->default_text);
	else if (setting->inherits)
		fprintf(out, "; default: %s", setting->inherits);
	else
		fputs("; not set by default", out);
}

static void describe_form(const struct setting *setting, FILE *out)
{
	const char *type = setting_type_word(setting->type);

	fprintf(out, "A%s %s", strchr("aeiou", *type) ? "n" : "", type);
	describe_words(setting, out);
	describe_default(setting, out);
	fprintf(out, "; applies %s%s", applies_texts[setting->applies], setting->secret ? "; never shown" : "");
}

static void visit_row(const struct section_type *type, const struct setting *setting, settings_row_cb *callback, void *arg)
{
	char *form = NULL;
	size_t size;
	FILE *out = open_memstream(&form, &size);

	CHECK(out);
	describe_form(setting, out);
	fclose(out);
	callback(&(struct settings_row){
		.section = type->word, .section_summary = type->summary, .section_named = type->named, .key = setting->name,
		.summary = setting->summary, .detail = setting->detail, .form = form,
	}, arg);
	mem_free(form);
}

void settings_rows(settings_row_cb *callback, void *arg)
{
	for (int kind = 0; kind < SECTION_KINDS; kind++)
		for (size_t i = 0; i < *section_types[kind].count; i++)
			visit_row(&section_types[kind], &section_types[kind].settings[i], callback, arg);
}

const char settings_head[] =
	"The file is an ini file. A line holds 199 bytes at most; a value goes on in indented lines. They are joined by a\n"
	"blank; where a value is quoted, each of its lines is, and they are joined by nothing. Quotes are `\"` or `'`, around\n"
	"the value as a whole, and doubled inside it. Unquoted, a `;` behind a blank starts a comment, as `;` and `#` do at\n"
	"the start of a line.\n"
	"`${NAME}` is replaced by the environment's value, quoted or not; `$$` is a dollar sign. `%include FILE` reads\n"
	"another file, or all that match a pattern, relative to the file that includes it.\n\n"
	"Times are a number of seconds, decimals allowed, or a number with `us`, `ms`, `s`, `min`, `h` or `d`; 0 switches a\n"
	"timeout off. Sizes are a number of bytes, or a number with `B`, `kB`, `MB`, `GB` or `TB`. Paths are relative to the folder of the main file.\n\n";

/* --- As Markdown --- */

struct reference {
	FILE *out;
	const char *section;            /* Of the row before. */
};

static void print_row(const struct settings_row *row, void *arg)
{
	struct reference *reference = arg;
	FILE *out = reference->out;

	if (reference->section != row->section)
		fprintf(out, row->section_named ? "## [%s NAME]\n\n%s\n\n" : "## [%s]\n\n%s\n\n", row->section, row->section_summary);
	reference->section = row->section;
	fprintf(out, "### %s\n\n%s\n%s%s\n%s.\n\n", row->key, row->summary, row->detail ? row->detail : "", row->detail ? "\n" : "",
		row->form);
}

void settings_describe(FILE *out)
{
	struct reference reference = { .out = out };

	fprintf(out, "# Settings\n\n%s", settings_head);
	settings_rows(print_row, &reference);
}

/* --- The sample --- */

/* A comment, broken at blanks. */
static void print_comment(const char *text, FILE *out)
{
	while (*text) {
		size_t size = strlen(text);

		if (size > SAMPLE_WIDTH) {
			size = SAMPLE_WIDTH;
			while (size && text[size] != ' ')
				size--;
		}
		fprintf(out, "# %.*s\n", (int)size, text);
		text += size;
		text += strspn(text, " ");
	}
}

static void sample_setting(const struct setting *setting, FILE *out)
{
	struct buf value = { 0 };

	print_comment(setting->summary, out);
	if (setting->inherits && !setting->default_text)
		fprintf(out, "# Default: %s.\n", setting->inherits);
	value_write(setting->default_text ? setting->default_text : "", &value);
	fprintf(out, ";%s =%s%.*s\n\n", setting->name, value.size ? " " : "", (int)value.size, value.size ? value.bytes : "");
	buf_fini(&value);
}

void settings_sample(FILE *out)
{
	fputs("# pgweir.ini with every key at its default. Remove the semicolon where you change one.\n\n", out);
	for (int kind = 0; kind < SECTION_KINDS; kind++) {
		const struct section_type *type = &section_types[kind];

		print_comment(type->summary, out);
		fprintf(out, type->named ? ";[%s NAME]\n\n" : "[%s]\n\n", type->word);
		for (size_t i = 0; i < *type->count; i++)
			sample_setting(&type->settings[i], out);
	}
}
