/* Keys and headers as the reader takes them back. */
#include <string.h>

#include "expand.h"
#include "pgweir/settings.h"

enum { PIECE_MAX = 120 };

void settings_write_header(const char *kind, const char *name, FILE *out)
{
	bool quoted = name && strpbrk(name, "]\"' \t;");

	fprintf(out, "[%s%s%s", kind, name ? " " : "", quoted ? "\"" : "");
	for (const char *at = name ? name : ""; *at; at++)
		fprintf(out, quoted && *at == '"' ? "\"%c" : "%c", *at);
	fputs(quoted ? "\"]\n" : "]\n", out);
}

/* A piece in quotes, which are joined by nothing. */
static void write_piece(const char *text, size_t size, FILE *out)
{
	fputc('"', out);
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '"' || (text[i] == '$' && (text[i + 1] == '{' || text[i + 1] == '$')))
			fputc(text[i], out);
		fputc(text[i], out);
	}
	fputc('"', out);
}

/* Lines have a limit; a character of several bytes, and `${` or `$$`, stay in one piece. */
static size_t piece_size(const char *text)
{
	size_t size = strlen(text);

	if (size <= PIECE_MAX)
		return size;
	size = PIECE_MAX;
	while (size > 1 && ((text[size] & 0xc0) == 0x80 || text[size - 1] == '$'))
		size--;
	return size;
}

static void write_long(const char *text, FILE *out)
{
	while (*text) {
		size_t size = piece_size(text);

		write_piece(text, size, out);
		text += size;
		fputs(*text ? "\n\t" : "", out);
	}
}

void settings_write(const char *key, const char *value, FILE *out)
{
	struct buf written = { 0 };

	fprintf(out, "%s =%s", key, *value ? " " : "");
	if (strlen(value) > PIECE_MAX) {
		write_long(value, out);
	} else {
		value_write(value, &written);
		if (written.size)
			fwrite(written.bytes, 1, written.size, out);
	}
	fputc('\n', out);
	buf_fini_secret(&written);
}
