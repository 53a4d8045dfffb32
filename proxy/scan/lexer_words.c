/* Words and quoted names that a piece's end has cut, and what may begin with U&: put together in `kept`. */
#include "lexer.h"

/* What does not fit is counted only. */
void lexer_keep(struct scan *scan, const char *text, size_t size)
{
	size_t room = scan->word_size < SCAN_WORD_MAX ? SCAN_WORD_MAX - scan->word_size : 0;

	if (room > 0)
		memcpy(scan->kept + scan->word_size, text, size < room ? size : room);
	scan->word_size = scan->word_size > UINT32_MAX / 2 ? scan->word_size : scan->word_size + (uint32_t)size;
}

static struct scan_spelling spell_kept(const struct scan *scan)
{
	/* One that is longer is none that we know; its size keeps it from being found. */
	return scan_word_spell(scan->kept, scan->word_size < SCAN_WORD_MAX ? scan->word_size : SCAN_WORD_MAX);
}

const char *lexer_word_is_cut(struct scan *scan, const char *from, const char *end)
{
	scan->lexer = LEX_WORD;
	scan->word_size = 0;
	lexer_keep(scan, from, (size_t)(end - from));
	return end;
}

const char *lexer_word_goes_on(struct scan *scan, const char *at, const char *end)
{
	const char *from = at;

	while (at < end && lexer_goes_on_word(*at))
		at++;
	lexer_keep(scan, from, (size_t)(at - from));
	if (at == end)
		return at;
	return at + lexer_word_ends(scan, scan->kept, scan->word_size, *at, spell_kept(scan));
}

void lexer_word_is_over(struct scan *scan)
{
	lexer_word_ends(scan, scan->kept, scan->word_size, ' ', spell_kept(scan));
}

const char *lexer_quoted_goes_on(struct scan *scan, const char *at, const char *end)
{
	const char *quote = memchr(at, '"', (size_t)(end - at));
	const char *to = quote ? quote : end;

	lexer_keep(scan, at, (size_t)(to - at));
	if (quote)
		scan->lexer = LEX_QUOTED_QUOTE;
	return quote ? quote + 1 : end;
}

const char *lexer_quoted_quote(struct scan *scan, const char *at)
{
	if (*at != '"') {
		lexer_quoted_ends(scan, scan->kept, scan->word_size);
		return at;
	}
	lexer_keep(scan, at, 1);
	scan->lexer = LEX_QUOTED;
	return at + 1;
}

/* A column u and an operator. */
void lexer_word_ampersand_is_operator(struct scan *scan)
{
	lexer_word_ends(scan, scan->kept, 1, ' ', scan_word_spell(scan->kept, 1));
	lexer_punctuation(scan, TOKEN_OPERATOR);
}

/* Behind U& */
const char *lexer_word_ampersand(struct scan *scan, const char *at)
{
	if (*at == '\'') {
		scan->previous = TOKEN_NONE;
		lexer_string_begins(scan, lexer_string_plain(scan));
		scan->effects |= SCAN_TIME_LITERAL;
		return at + 1;
	}
	if (*at == '"') {
		scan->effects |= SCAN_UNKNOWN;
		scan->lexer = LEX_QUOTED;
		scan->word_size = 0;
		return at + 1;
	}
	lexer_word_ampersand_is_operator(scan);
	return at;
}
