#include "auth_rules.h"

#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/mem.h"

static void word_free(struct auth_rules_word *word)
{
	mem_free(word->text);
}

void auth_rules_line_fini(struct auth_rules_line *line)
{
	for (size_t i = 0; i < line->count; i++) {
		for (size_t j = 0; j < line->fields[i].count; j++)
			word_free(&line->fields[i].items[j]);
		mem_free(line->fields[i].items);
	}
	*line = (struct auth_rules_line){ 0 };
}

bool auth_rules_is(const struct auth_rules_word *word, const char *keyword)
{
	return !word->quoted && strcmp(word->text, keyword) == 0;
}

/* Puts a line and those it is continued on together, without the newlines. */
static void join_lines(const char **at, const char *end, unsigned *number, struct buf *text)
{
	for (;;) {
		const char *newline = memchr(*at, '\n', (size_t)(end - *at));
		const char *stop = newline ? newline : end;
		size_t size = (size_t)(stop - *at);

		++*number;
		if (size && (*at)[size - 1] == '\r')
			size--;
		bool continued = newline && size && (*at)[size - 1] == '\\';
		buf_append(text, *at, continued ? size - 1 : size);
		*at = newline ? newline + 1 : end;
		if (!continued)
			return;
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Up to a blank, a comma or a comment outside of quotes; quotes may stand in the middle. */
static const char *read_word(const char **at, struct auth_rules_word *word)
{
	struct buf text = { 0 };
	bool inside = false;

	for (; **at; ++*at) {
		char c = **at;

		if (c == '"') {
			/* A doubled quote inside quotes is one. */
			if (inside && (*at)[1] == '"')
				buf_append_char(&text, *++*at);
			else
				inside = !inside;
			word->quoted |= text.size == 0;
			continue;
		}
		if (!inside && (is_blank(c) || c == ',' || c == '#'))
			break;
		buf_append_char(&text, c);
	}
	word->text = buf_take_text(&text);
	return inside ? "a double quote is not closed" : NULL;
}

static void skip_blanks(const char **at)
{
	while (is_blank(**at))
		++*at;
}

/* Words joined by commas; blanks may follow a comma, as in PostgreSQL. */
static const char *read_field(const char **at, struct auth_rules_field *field)
{
	for (;;) {
		struct auth_rules_word word = { 0 };
		const char *problem = read_word(at, &word);

		if (!word.text[0] && !word.quoted && !problem)
			problem = "a name is missing beside a comma";
		if (field->count == AUTH_RULES_ITEMS_MAX)
			problem = "too many names in a list";
		if (problem) {
			word_free(&word);
			return problem;
		}
		field->items = mem_realloc(field->items, (field->count + 1) * sizeof(*field->items));
		field->items[field->count++] = word;
		if (**at != ',')
			return NULL;
		++*at;
		skip_blanks(at);
	}
}

static const char *read_fields(const char *at, struct auth_rules_line *line)
{
	for (;;) {
		skip_blanks(&at);
		if (!*at || *at == '#')
			return NULL;
		if (line->count == AUTH_RULES_FIELDS_MAX)
			return "too many fields";
		const char *problem = read_field(&at, &line->fields[line->count++]);
		if (problem)
			return problem;
	}
}

bool auth_rules_next(const char **at, const char *end, unsigned *number, struct auth_rules_line *line)
{
	*line = (struct auth_rules_line){ 0 };
	while (*at < end) {
		struct buf text = { 0 };
		unsigned first = *number + 1;

		join_lines(at, end, number, &text);
		size_t size = text.size;
		char *joined = buf_take_text(&text);
		line->number = first;
		line->problem = size && memchr(joined, '\0', size) ? "contains a zero byte" : read_fields(joined, line);
		mem_free(joined);
		if (line->count || line->problem)
			return true;
	}
	return false;
}
