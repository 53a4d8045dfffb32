#include "sql.h"

static bool append_part(struct pgclient_sync *client, struct buf *sql, struct error *error, char kind, va_list *args)
{
	switch (kind) {
	case 'I':
		return pgclient_sync_identifier(client, va_arg(*args, const char *), sql, error);
	case 'L':
		return pgclient_sync_literal(client, va_arg(*args, const char *), sql, error);
	case 's':
		buf_append_text(sql, va_arg(*args, const char *));
		return true;
	case 'd':
		buf_printf(sql, "%d", va_arg(*args, int));
		return true;
	default:
		CHECK(!"a known kind of part");
	}
}

bool sql_append_args(struct pgclient_sync *client, struct buf *sql, struct error *error, const char *format, va_list args)
{
	va_list copy;
	bool good = true;

	va_copy(copy, args);
	for (const char *at = format; *at && good; at++) {
		if (*at == '%')
			good = append_part(client, sql, error, *++at, &copy);
		else
			buf_append_char(sql, *at);
	}
	va_end(copy);
	return good;
}

bool sql_append(struct pgclient_sync *client, struct buf *sql, struct error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	bool good = sql_append_args(client, sql, error, format, args);
	va_end(args);
	return good;
}
