/* What a server has answered, for both kinds of client: rows, or why there are none. */
#include <libpq-fe.h>
#include <string.h>

#include "pgclient_internal.h"

size_t pgclient_rows(const struct pgclient_result *result)
{
	return (size_t)PQntuples(result->rows);
}

size_t pgclient_columns(const struct pgclient_result *result)
{
	return (size_t)PQnfields(result->rows);
}

const char *pgclient_value(const struct pgclient_result *result, size_t row, size_t column)
{
	if (PQgetisnull(result->rows, (int)row, (int)column))
		return NULL;
	return PQgetvalue(result->rows, (int)row, (int)column);
}

/* --- Errors --- */

/* libpq's texts end with a newline and may have several lines. */
void pgclient_take_text(struct error *error, const char *sqlstate, const char *text)
{
	error_set(error, sqlstate, "%s", text && text[0] ? text : "the connection was lost");
	size_t size = strlen(error->text);
	while (size && error->text[size - 1] == '\n')
		error->text[--size] = '\0';
	for (char *at = error->text; (at = strpbrk(at, "\n\t")); at++)
		*at = *at == '\n' && at[1] == '\t' ? ';' : ' ';
}

static bool is_sqlstate(const char *text)
{
	return strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && text[5] == ':' && text[6] == ' ';
}

/* A server that refuses the login says why in a code that libpq keeps to itself; but with verbose errors it stands in the
 * text, as in `FATAL:  28P01: password authentication failed…`, and the place in the server's source after it. */
void pgclient_take_sqlstate(struct error *error)
{
	for (char *at = error->text; (at = strstr(at, ":  ")); at++) {
		char *code = at + strlen(":  ");

		if (!is_sqlstate(code))
			continue;
		memcpy(error->sqlstate, code, 5);
		memmove(code, code + strlen("28P01: "), strlen(code + strlen("28P01: ")) + 1);
		char *location = strstr(code, " LOCATION:  ");

		if (location)
			*location = '\0';
		return;
	}
}
