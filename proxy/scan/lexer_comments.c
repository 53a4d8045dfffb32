/* Comments, of one line and of more, which may be nested. */
#include "lexer.h"

/* Behind a dash or a slash outside comments. */
const char *lexer_comment_begins(struct scan *scan, const char *at)
{
	if (!scan->comment && *at == (scan->lexer == LEX_DASH ? '-' : '*'))
		scan->comment = at + 1;
	if (scan->lexer == LEX_DASH && *at == '-') {
		scan->lexer = LEX_LINE_COMMENT;
		return at + 1;
	}
	if (scan->lexer == LEX_SLASH && *at == '*') {
		scan->lexer = LEX_COMMENT;
		scan->comment_depth = 1;
		return at + 1;
	}
	scan->lexer = LEX_BETWEEN;
	lexer_punctuation(scan, TOKEN_OPERATOR);
	return at;
}

const char *lexer_comment_line(struct scan *scan, const char *at, const char *end)
{
	while (at < end && lexer_class_of(*at) != NEWLINE)
		at++;
	if (at < end)
		scan->lexer = LEX_BETWEEN;
	return at;
}

const char *lexer_comment(struct scan *scan, const char *at, const char *end)
{
	while (at < end && *at != '*' && *at != '/')
		at++;
	if (at == end)
		return end;
	scan->lexer = *at == '*' ? LEX_COMMENT_STAR : LEX_COMMENT_SLASH;
	return at + 1;
}

/* Behind a star or a slash in a comment. */
const char *lexer_comment_turn(struct scan *scan, const char *at)
{
	bool star = scan->lexer == LEX_COMMENT_STAR;

	scan->lexer = LEX_COMMENT;
	if (*at != (star ? '/' : '*'))
		return at;
	scan->comment_depth += star ? -1u : 1u;
	if (scan->comment_depth == 0)
		scan->lexer = LEX_BETWEEN;
	return at + 1;
}
