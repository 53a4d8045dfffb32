/* Cuts a text into tokens.
 *
 * Failure story: what does not end, ends with the text. */
#include "pgweir/scan_tokens.h"

#include <string.h>
#include <strings.h>

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c & 0x80;
}

static bool is_word(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '$';
}

static const char *skip_comment(const char *at, const char *end)
{
	unsigned depth = 0;

	for (; at < end; at++) {
		if (end - at >= 2 && at[0] == '/' && at[1] == '*') {
			depth++;
			at++;
		} else if (end - at >= 2 && at[0] == '*' && at[1] == '/') {
			at++;
			if (--depth == 0)
				return at + 1;
		}
	}
	return end;
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end) {
		if (strchr(" \t\r\n\f\v", *at)) {
			at++;
		} else if (end - at >= 2 && at[0] == '-' && at[1] == '-') {
			while (at < end && *at != '\n' && *at != '\r')
				at++;
		} else if (end - at >= 2 && at[0] == '/' && at[1] == '*') {
			at = skip_comment(at, end);
		} else {
			break;
		}
	}
	return at;
}

/* Behind the quote that ends it. */
static const char *skip_quoted(const char *at, const char *end, char quote, bool escapes)
{
	for (at++; at < end; at++) {
		if (escapes && *at == '\\' && end - at >= 2)
			at++;
		else if (*at == quote && end - at >= 2 && at[1] == quote)
			at++;
		else if (*at == quote)
			return at + 1;
	}
	return end;
}

/* The tag's size with both its dollars, or 0. */
static size_t dollar_tag(const char *at, const char *end)
{
	const char *tag = at + 1;

	while (tag < end && *tag != '$' && is_word(*tag) && (tag > at + 1 || is_letter(*tag)))
		tag++;
	return tag < end && *tag == '$' ? (size_t)(tag + 1 - at) : 0;
}

static const char *skip_dollars(const char *at, const char *end, size_t tag)
{
	for (const char *here = at + tag; (size_t)(end - here) >= tag; here++)
		if (memcmp(here, at, tag) == 0)
			return here + tag;
	return end;
}

struct scan_token scan_token_next(const char *from, const char *end)
{
	const char *at = skip_blanks(from, end);
	struct scan_token token = { SCAN_PART_OTHER, at, at + 1 };

	if (at == end)
		return (struct scan_token){ SCAN_PART_END, end, end };
	if (*at == '\'' || *at == '"') {
		token.part = *at == '"' ? SCAN_PART_NAME : SCAN_PART_STRING;
		token.end = skip_quoted(at, end, *at, false);
	} else if ((*at == 'e' || *at == 'E') && end - at >= 2 && at[1] == '\'') {
		token.part = SCAN_PART_ESCAPED;
		token.end = skip_quoted(at + 1, end, '\'', true);
	} else if (*at == '$' && dollar_tag(at, end)) {
		token.part = SCAN_PART_DOLLAR;
		token.end = skip_dollars(at, end, dollar_tag(at, end));
	} else if (is_word(*at)) {
		token.part = SCAN_PART_WORD;
		while (token.end < end && is_word(*token.end))
			token.end++;
	} else if ((*at == '<' || *at == '>') && end - at >= 2 && at[1] == *at) {
		token.end++;
	}
	return token;
}

void scan_token_quotes(const struct scan_token *token, size_t *before, size_t *behind)
{
	size_t tag = token->part == SCAN_PART_DOLLAR ? dollar_tag(token->at, token->end) : 1;

	*before = token->part == SCAN_PART_ESCAPED ? 2 : tag;
	*behind = tag;
}

void scan_cursor_next(struct scan_cursor *cursor)
{
	cursor->token = scan_token_next(cursor->token.end, cursor->end);
}

bool scan_cursor_take(struct scan_cursor *cursor, const char *word)
{
	size_t size = (size_t)(cursor->token.end - cursor->token.at);

	if (cursor->token.part != SCAN_PART_WORD || strlen(word) != size || strncasecmp(cursor->token.at, word, size) != 0)
		return false;
	scan_cursor_next(cursor);
	return true;
}
