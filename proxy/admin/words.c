#include "words.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "pgweir/mem.h"

struct scan {
	struct words *words;
	const char *at;
	char *out;              /* Next free byte of the storage. */
	struct error *error;
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_symbol(char c)
{
	return c == '=' || c == '(' || c == ')' || c == ',';
}

static bool starts_comment(const char *at)
{
	return (at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*');
}

static bool ends_plain_word(const char *at)
{
	return *at == '\0' || *at == ';' || *at == '\'' || *at == '"' || is_space(*at) || is_symbol(*at) || starts_comment(at);
}

/* Comments of the second form nest in PostgreSQL's SQL. */
static bool skip_block_comment(struct scan *scan)
{
	int depth = 0;

	do {
		if (scan->at[0] == '\0')
			return error_set(scan->error, "42601", "unterminated comment");
		if (scan->at[0] == '/' && scan->at[1] == '*') {
			depth++;
			scan->at++;
		} else if (scan->at[0] == '*' && scan->at[1] == '/') {
			depth--;
			scan->at++;
		}
		scan->at++;
	} while (depth > 0);
	return true;
}

static bool skip_blanks(struct scan *scan)
{
	for (;;) {
		while (is_space(*scan->at))
			scan->at++;
		if (!starts_comment(scan->at))
			return true;
		if (*scan->at == '-')
			scan->at += strcspn(scan->at, "\n");
		else if (!skip_block_comment(scan))
			return false;
	}
}

/* A doubled quote stands for one. */
static bool take_quoted(struct scan *scan, char quote)
{
	for (scan->at++; *scan->at; scan->at++) {
		if (*scan->at == quote && *++scan->at != quote)
			return true;
		*scan->out++ = *scan->at;
	}
	return error_set(scan->error, "42601", quote == '"' ? "unterminated quoted name" : "unterminated quoted string");
}

static bool take_word(struct scan *scan, enum word_kind *kind)
{
	if (*scan->at == '"' || *scan->at == '\'') {
		*kind = *scan->at == '"' ? WORD_QUOTED : WORD_STRING;
		return take_quoted(scan, *scan->at);
	}
	if (is_symbol(*scan->at)) {
		*kind = WORD_SYMBOL;
		*scan->out++ = *scan->at++;
		return true;
	}
	*kind = WORD_PLAIN;
	while (!ends_plain_word(scan->at))
		*scan->out++ = *scan->at++;
	return true;
}

static bool parse(struct words *words, const char *sql, size_t count, size_t *used, struct error *error)
{
	/* Each word is at least a byte of the text, and has a NUL more. */
	*words = (struct words){ .storage = mem_alloc(2 * strlen(sql) + 1) };
	struct scan scan = { .words = words, .at = sql, .out = words->storage, .error = error };

	for (;;) {
		enum word_kind kind;
		char *text = scan.out;

		if (words->count == count) {
			*used = (size_t)(scan.at - sql);
			return true;
		}
		if (!skip_blanks(&scan))
			break;
		if (*scan.at == '\0' || *scan.at == ';') {
			*used = (size_t)(scan.at - sql) + (*scan.at == ';');
			return true;
		}
		if (!take_word(&scan, &kind))
			break;
		*scan.out++ = '\0';
		if (words->count < WORDS_MAX)
			words->all[words->count++] = (struct word){ text, kind };
		else
			words->cut = true;
	}
	words_fini(words);
	return false;
}

bool words_parse(struct words *words, const char *sql, size_t *used, struct error *error)
{
	return parse(words, sql, SIZE_MAX, used, error);
}

bool words_parse_front(struct words *words, const char *sql, size_t count, size_t *used, struct error *error)
{
	return parse(words, sql, count, used, error);
}

void words_fini(struct words *words)
{
	mem_free(words->storage);
	*words = (struct words){ 0 };
}

bool word_is(const struct word *word, const char *keyword, size_t keyword_size)
{
	if (word->kind != WORD_PLAIN && word->kind != WORD_SYMBOL)
		return false;
	return strlen(word->text) == keyword_size && strncasecmp(word->text, keyword, keyword_size) == 0;
}
