/* URLs as libpq's documentation has them ("Connection URIs"), and SQLAlchemy's, whose scheme names a driver as well.
 * The first of several hosts counts. A password with a bare '/' in it (`openssl rand -base64` makes such) makes another
 * URL of it, mostly one that is none; there is no telling what was meant. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "pgweir/buf.h"
#include "shape.h"

struct span {
	const char *at;
	size_t size;
};

/* Cuts `*rest` at the first of `stops`, which stays in front of what is left. */
static struct span cut(struct span *rest, const char *stops)
{
	struct span head = { rest->at, 0 };

	while (head.size < rest->size && !strchr(stops, rest->at[head.size]))
		head.size++;
	rest->at += head.size;
	rest->size -= head.size;
	return head;
}

static void skip(struct span *span, size_t size)
{
	span->at += size;
	span->size -= size;
}

/* The bytes of the scheme and "://"; 0: it is none of ours. */
static size_t scheme_size(const char *text, size_t size)
{
	struct span rest = { text, size };
	struct span scheme = cut(&rest, ":+");
	bool known = (scheme.size == 8 && strncasecmp(scheme.at, "postgres", 8) == 0)
		|| (scheme.size == 10 && strncasecmp(scheme.at, "postgresql", 10) == 0);

	if (!known)
		return 0;
	if (rest.size && rest.at[0] == '+')
		cut(&rest, ":/");
	return rest.size >= 3 && memcmp(rest.at, "://", 3) == 0 ? size - rest.size + 3 : 0;
}

bool shape_is_url(const char *text, size_t size)
{
	return scheme_size(text, size) > 0;
}

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *found = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* Undoes %XX, and passes the field on. An empty one says nothing. */
static bool take(struct lease_value *value, const char *name, struct span text, struct error *error)
{
	struct buf plain = { 0 };
	bool good = true;

	if (text.size == 0)
		return true;
	if (text.size > SHAPE_FIELD_MAX)
		return error_set(error, NULL, "%s is longer than %d bytes", name, SHAPE_FIELD_MAX);
	buf_reserve(&plain, text.size);
	for (size_t i = 0; i < text.size && good; i++) {
		if (text.at[i] != '%') {
			buf_append_char(&plain, text.at[i]);
			continue;
		}
		int high = i + 2 < text.size ? hex_digit(text.at[i + 1]) : -1;
		int low = i + 2 < text.size ? hex_digit(text.at[i + 2]) : -1;

		good = (high >= 0 && low >= 0) || error_set(error, NULL, "%s of the URL has a %% without two digits after it", name);
		buf_append_char(&plain, (char)(high * 16 + low));
		i += 2;
	}
	good = good && shape_take_field(value, name, plain.bytes, plain.size, error);
	buf_fini_secret(&plain);
	return good;
}

static bool take_user(struct lease_value *value, struct span user, struct error *error)
{
	struct span name = cut(&user, ":");

	if (user.size)
		skip(&user, 1);
	return take(value, "username", name, error) && take(value, "password", user, error);
}

static bool take_host(struct lease_value *value, struct span host, struct error *error)
{
	struct span name;

	if (host.size && host.at[0] == '[') {
		skip(&host, 1);
		name = cut(&host, "]");
		if (!host.size)
			return error_set(error, NULL, "host of the URL lacks a ]");
		skip(&host, 1);
	} else {
		name = cut(&host, ":");
	}
	if (host.size && host.at[0] != ':')
		return error_set(error, NULL, "host of the URL is malformed");
	if (host.size)
		skip(&host, 1);
	return take(value, "host", name, error) && take(value, "port", host, error);
}

/* libpq takes what it needs from here too; other parameters are its and not ours. */
static bool take_parameters(struct lease_value *value, struct span rest, struct error *error)
{
	static const char *const names[] = { "user", "password", "host", "port", "dbname" };

	while (rest.size) {
		struct span pair = cut(&rest, "&");
		struct span name = cut(&pair, "=");

		if (rest.size)
			skip(&rest, 1);
		if (pair.size)
			skip(&pair, 1);
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (strlen(names[i]) == name.size && memcmp(names[i], name.at, name.size) == 0
			    && !take(value, names[i], pair, error))
				return false;
	}
	return true;
}

static bool take_parts(struct lease_value *value, struct span rest, struct error *error)
{
	struct span authority = cut(&rest, "/?#");
	const char *at = memrchr(authority.at, '@', authority.size);
	struct span hosts = authority, path = { 0 };

	if (at) {
		struct span user = { authority.at, (size_t)(at - authority.at) };

		skip(&hosts, user.size + 1);
		if (!take_user(value, user, error))
			return false;
	}
	if (rest.size && rest.at[0] == '/') {
		skip(&rest, 1);
		path = cut(&rest, "?#");
	}
	if (!take_host(value, cut(&hosts, ","), error) || !take(value, "dbname", path, error))
		return false;
	if (!rest.size || rest.at[0] == '#')
		return true;
	skip(&rest, 1);
	return take_parameters(value, cut(&rest, "#"), error);
}

static void fill(char **to, char **from)
{
	if (*to)
		return;
	*to = *from;
	*from = NULL;
}

bool shape_take_url(struct lease_value *value, const char *text, size_t size, struct error *error)
{
	size_t scheme = scheme_size(text, size);
	struct lease_value found = { 0 };
	bool good = scheme ? take_parts(&found, (struct span){ text + scheme, size - scheme }, error)
		: error_set(error, NULL, "is no URL of PostgreSQL's");

	if (good) {
		fill(&value->username, &found.username);
		fill(&value->password, &found.password);
		fill(&value->host, &found.host);
		fill(&value->dbname, &found.dbname);
		value->port = value->port ? value->port : found.port;
	}
	lease_value_fini(&found);
	return good;
}
