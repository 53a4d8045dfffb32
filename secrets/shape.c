/* Failure story: the text may be anything, and half of it at that. What begins like JSON or like a URL and is not whole
 * is an error, never a password; so is what no password holds (control characters, several lines, nothing at all). */
#include "shape.h"

#include <ctype.h>
#include <string.h>

#include "pgweir/mem.h"

static const struct {
	const char *name;
	size_t offset;
} texts[] = {
	{ "username", offsetof(struct lease_value, username) },
	{ "user", offsetof(struct lease_value, username) },
	{ "password", offsetof(struct lease_value, password) },
	{ "host", offsetof(struct lease_value, host) },
	{ "dbname", offsetof(struct lease_value, dbname) },
	{ "database", offsetof(struct lease_value, dbname) },
};

const char *const shape_fields[] = { "username", "user", "password", "host", "port", "dbname", "database" };
const size_t shape_field_count = ARRAY_LEN(shape_fields);
const char *const shape_url_fields[] = { "url", "uri", "sqlalchemy_url", "DATABASE_URL" };
const size_t shape_url_field_count = ARRAY_LEN(shape_url_fields);

static bool check_text(const char *name, const char *text, size_t size, struct error *error)
{
	if (size == 0)
		return error_set(error, NULL, "%s is empty", name);
	if (size > SHAPE_FIELD_MAX)
		return error_set(error, NULL, "%s is longer than %d bytes", name, SHAPE_FIELD_MAX);
	for (size_t i = 0; i < size; i++)
		if (iscntrl((unsigned char)text[i]))
			return error_set(error, NULL, "%s has a control character or a line break in it", name);
	return true;
}

static bool take_port(struct lease_value *value, const char *text, size_t size, struct error *error)
{
	unsigned port = 0;

	for (size_t i = 0; i < size; i++) {
		if (!isdigit((unsigned char)text[i]) || i >= 5)
			return error_set(error, NULL, "port is not a port's number");
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	if (port == 0 || port > UINT16_MAX)
		return error_set(error, NULL, "port is not a port's number");
	if (!value->port)
		value->port = (uint16_t)port;
	return true;
}

static char *secret_copy(const char *text, size_t size)
{
	return mem_strndup(text, size);         /* The same memory as mem_secret_dup()'s. */
}

bool shape_take_field(struct lease_value *value, const char *name, const char *text, size_t size, struct error *error)
{
	if (strcmp(name, "port") == 0)
		return take_port(value, text, size, error);
	if (!check_text(name, text, size, error))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		char **field = (char **)((char *)value + texts[i].offset);

		if (strcmp(texts[i].name, name) == 0 && !*field)
			*field = secret_copy(text, size);
	}
	return true;
}

size_t shape_trimmed(const char *text, size_t size)
{
	if (size && text[size - 1] == '\n')
		size--;
	if (size && text[size - 1] == '\r')
		size--;
	return size;
}

/* A scheme and "://": nobody's password, however it goes on. */
static bool is_foreign_url(const char *text, size_t size)
{
	size_t at = 0;

	while (at < size && (isalnum((unsigned char)text[at]) || strchr("+.-:", text[at]))) {
		if (text[at] == ':' && size - at > 2 && memcmp(text + at, "://", 3) == 0)
			return at > 0 && isalpha((unsigned char)text[0]);
		at++;
	}
	return false;
}

static bool take_shape(struct lease_value *value, const char *text, size_t size, const char *json_key, struct error *error)
{
	size_t blanks = 0;

	while (blanks < size && isspace((unsigned char)text[blanks]))
		blanks++;
	if (json_key || (blanks < size && text[blanks] == '{'))
		return shape_take_json(value, text, size, json_key, error);
	if (shape_is_url(text, size))
		return shape_take_url(value, text, size, error);
	if (is_foreign_url(text, size))
		return error_set(error, NULL, "is a URL, and not one of PostgreSQL's");
	return shape_take_field(value, "password", text, size, error);
}

bool shape_parse(const char *text, size_t size, const char *json_key, struct lease_value *value, struct error *error)
{
	if (size > SHAPE_TEXT_MAX)
		return error_set(error, NULL, "is longer than %d bytes", SHAPE_TEXT_MAX);
	size = shape_trimmed(text, size);
	if (size == 0)
		return error_set(error, NULL, "is empty");
	bool good = take_shape(value, text, size, json_key, error);

	if (good && !value->password)
		good = error_set(error, NULL, "holds no password");
	if (!good)
		lease_value_fini(value);
	return good;
}
