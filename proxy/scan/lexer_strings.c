/* Strings in all their kinds, and what set_config is given. */
#include "lexer.h"

void lexer_string_begins(struct scan *scan, uint8_t string)
{
	/* Behind a newline a quote goes on with the string before. */
	bool goes_on = scan->previous == TOKEN_STRING && scan->newline;

	scan->lexer = LEX_STRING;
	if (goes_on) {
		scan_settings_spoil(scan);
		return;
	}
	scan->string = string;
	scan->window = 0;
	scan->naming = 0;
	lexer_token(scan, TOKEN_STRING);
}

/* One letter before a quote says which string it is. */
bool lexer_string_prefixed(struct scan *scan, char letter)
{
	switch (letter | ' ') {
	case 'e':
		scan->previous = TOKEN_NONE;
		lexer_string_begins(scan, STRING_ESCAPES);
		return true;
	case 'n':
		scan->previous = TOKEN_NONE;
		lexer_string_begins(scan, lexer_string_plain(scan));
		return true;
	case 'b':
	case 'x':
		scan->previous = TOKEN_NONE;
		lexer_string_begins(scan, STRING_PLAIN);
		return true;
	default:
		return false;
	}
}

const char *lexer_string_goes_on(struct scan *scan, const char *at, const char *end)
{
	at = scan_literals_skip(scan, at, end, '\'', scan->string == STRING_ESCAPES ? '\\' : '\'');
	if (at == end)
		return end;
	scan->lexer = *at == '\'' ? LEX_STRING_QUOTE : LEX_STRING_ESCAPE;
	return at + 1;
}

const char *lexer_string_quote(struct scan *scan, const char *at)
{
	if (*at == '\'') {
		scan_literals_take(scan, '\'');
		scan->lexer = LEX_STRING;
		return at + 1;
	}
	scan->newline = false;
	scan->lexer = LEX_BETWEEN;
	return at;
}

const char *lexer_string_escape(struct scan *scan, const char *at)
{
	char byte = *at;

	if (byte == 'x' || byte == 'u' || byte == 'U' || (byte >= '0' && byte <= '7'))
		scan->effects |= SCAN_TIME_LITERAL;     /* It may spell any letter. */
	if (byte == 'b' || byte == 'f' || byte == 'n' || byte == 'r' || byte == 't' || byte == 'v')
		byte = ' ';
	scan_literals_take(scan, byte);
	scan->lexer = LEX_STRING;
	return at + 1;
}

/* A string that scan_settings.c wants to know. */
const char *lexer_argument(struct scan *scan, const char *at, const char *end)
{
	for (; at < end && scan->lexer == LEX_ARGUMENT; at++) {
		if (*at == '\\') {
			scan_settings_spoil(scan);
			scan->lexer = LEX_STRING;
			return at;
		}
		if (*at == '\'') {
			scan->lexer = LEX_ARGUMENT_QUOTE;
			return at + 1;
		}
		scan_literals_take(scan, *at);
		scan_settings_take(scan, *at);
	}
	return at;
}

const char *lexer_argument_quote(struct scan *scan, const char *at)
{
	if (*at == '\'')
		scan_settings_spoil(scan);
	return lexer_string_quote(scan, at);
}

const char *lexer_argument_number(struct scan *scan, const char *at, const char *end)
{
	for (; at < end && lexer_class_of(*at) == DIGIT; at++)
		scan_settings_take_digit(scan, *at);
	if (at < end)
		scan->lexer = LEX_BETWEEN;
	return at;
}
