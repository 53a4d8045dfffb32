#include "expand.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"

static bool is_quote(char c)
{
	return c == '"' || c == '\'';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Behind the closing quote of the text that starts with one, or NULL. A doubled quote stands for itself. */
static char *quote_end(char *text)
{
	char quote = *text++;

	for (; *text; text++) {
		if (*text != quote)
			continue;
		if (text[1] != quote)
			return text + 1;
		text++;
	}
	return NULL;
}

static bool cut_behind_quote(char *text, struct error *error)
{
	char *end = quote_end(text);

	if (!end)
		return error_set(error, NULL, "the quote that opens the value is not closed on this line");
	const char *rest = end + strspn(end, " \t");

	if (*rest && *rest != ';')
		return error_set(error, NULL, "something follows the closing quote; a value is quoted as a whole, with quotes "
			"inside it doubled");
	*end = '\0';
	for (; *text; text++)
		if (*text == ';')
			*text = HIDDEN_SEMICOLON;
	return true;
}

static bool cut_plain(char *text, struct error *error)
{
	char open = '\0';

	for (char *at = text; *at; at++) {
		if (is_quote(*at) && (!open || open == *at))
			open = open ? '\0' : *at;
		if (*at != ';' || !(at == text || is_blank(at[-1])))
			continue;
		/* `select 'a ; b'` would lose its end without a word. */
		if (open && strchr(at, open))
			return error_set(error, NULL, "a comment would start inside quotes; quote the whole value");
		*at = '\0';
		return true;
	}
	return true;
}

bool value_cut_comment(char *text, enum value_form *form, struct error *error)
{
	text += strspn(text, " \t");
	if (!*text || *text == ';')
		return cut_plain(text, error);
	if (is_quote(*text) && *form != VALUE_PLAIN) {
		*form = VALUE_QUOTED;
		return cut_behind_quote(text, error);
	}
	if (*form == VALUE_QUOTED)
		return error_set(error, NULL, "the value above is quoted, and so must be all of its lines");
	*form = VALUE_PLAIN;
	return cut_plain(text, error);
}

void value_unquote(char *text)
{
	size_t size = strlen(text);
	char quote = *text;
	char *out = text;

	if (size < 2 || !is_quote(quote) || text[size - 1] != quote)
		return;
	for (const char *at = text + 1; at < text + size - 1; at++) {
		*out++ = *at == HIDDEN_SEMICOLON ? ';' : *at;
		at += *at == quote;
	}
	*out = '\0';
}

/* Appends the value of the variable whose name starts at `text`; returns what follows the brace, or NULL. */
static const char *expand_variable(const char *text, struct buf *out, struct error *error)
{
	size_t size = 0;

	while (isalnum((unsigned char)text[size]) || text[size] == '_')
		size++;
	if (size == 0 || isdigit((unsigned char)*text) || text[size] != '}') {
		error_set(error, NULL, "${ must be followed by a name and }; a dollar sign is written $$");
		return NULL;
	}
	char *name = mem_strndup(text, size);
	const char *value = getenv(name);

	if (value)
		buf_append_text(out, value);
	else
		error_set(error, NULL, "the environment has no %s", name);
	mem_free(name);
	return value ? text + size + 1 : NULL;
}

bool value_expand(const char *text, struct buf *out, bool *literal, struct error *error)
{
	*literal = false;
	while (*text) {
		if (text[0] == '$' && text[1] == '{') {
			text = expand_variable(text + 2, out, error);
			if (!text)
				return false;
			continue;
		}
		text += text[0] == '$' && text[1] == '$';
		buf_append_char(out, *text++);
		*literal = true;
	}
	return true;
}

void value_write(const char *text, struct buf *out)
{
	size_t size = strlen(text);
	bool quoted = size && (is_quote(*text) || is_blank(*text) || is_blank(text[size - 1]) || strchr(text, ';'));

	if (quoted)
		buf_append_char(out, '"');
	for (; *text; text++) {
		if ((quoted && *text == '"') || (*text == '$' && (text[1] == '{' || text[1] == '$')))
			buf_append_char(out, *text);
		buf_append_char(out, *text);
	}
	if (quoted)
		buf_append_char(out, '"');
}
