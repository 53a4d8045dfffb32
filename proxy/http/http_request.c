/* Failure story: whatever is not the head of a GET or HEAD request is refused with the status that says why; nothing in
 * it is believed but its first line and two headers. */
#include "http_request.h"

#include <string.h>
#include <strings.h>

#include "pgweir/buf.h"

enum { BAD_REQUEST = 400, METHOD_NOT_ALLOWED = 405, VERSION_NOT_SUPPORTED = 505 };

size_t http_request_size(const char *bytes, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++) {
		if (bytes[i] != '\n')
			continue;
		if (bytes[i + 1] == '\n')
			return i + 2;
		if (i + 2 < size && bytes[i + 1] == '\r' && bytes[i + 2] == '\n')
			return i + 3;
	}
	return 0;
}

/* Cuts the line that begins at `*at` off; NULL at the end. */
static char *next_line(char **at, const char *end)
{
	char *line = *at;
	char *stop = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;

	if (!stop)
		return NULL;
	*at = stop + 1;
	if (stop > line && stop[-1] == '\r')
		stop--;
	*stop = '\0';
	return line;
}

static bool is_visible(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

static int parse_first_line(struct http_request *request, char *line)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version)
		return BAD_REQUEST;
	*target++ = *version++ = '\0';
	if (strncmp(version, "HTTP/", 5) != 0)
		return BAD_REQUEST;
	if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
		return VERSION_NOT_SUPPORTED;
	request->head = strcmp(line, "HEAD") == 0;
	if (!request->head && strcmp(line, "GET") != 0)
		return METHOD_NOT_ALLOWED;
	if (*target != '/' || !is_visible(target))
		return BAD_REQUEST;
	char *mark = strchr(target, '?');

	request->path = target;
	request->query = mark ? mark + 1 : "";
	if (mark)
		*mark = '\0';
	return 0;
}

static int parse_header(struct http_request *request, char *line)
{
	const struct { const char *name; const char **value; } wanted[] = {
		{ "accept", &request->accept },
		{ "authorization", &request->authorization },
	};
	char *colon = strchr(line, ':');

	if (!colon || colon == line)
		return BAD_REQUEST;
	*colon = '\0';
	if (!is_visible(line))
		return BAD_REQUEST;
	const char *value = colon + 1 + strspn(colon + 1, " \t");

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (strcasecmp(line, wanted[i].name) == 0)
			*wanted[i].value = value;
	return 0;
}

int http_request_parse(struct http_request *request, char *bytes, size_t size)
{
	const char *end = bytes + size;

	*request = (struct http_request){ 0 };
	if (memchr(bytes, '\0', size))
		return BAD_REQUEST;
	char *line = next_line(&bytes, end);
	int status = line ? parse_first_line(request, line) : BAD_REQUEST;

	while (status == 0 && (line = next_line(&bytes, end)) && *line)
		status = parse_header(request, line);
	return status;
}

static int digit(char c)
{
	const char *found = c ? strchr("0123456789abcdef", c | 0x20) : NULL;

	if (c >= '0' && c <= '9')
		return c - '0';
	return found && (c | 0x20) >= 'a' ? 10 + ((c | 0x20) - 'a') : -1;
}

static char *decode(const char *text, size_t size)
{
	struct buf decoded = { 0 };

	for (size_t i = 0; i < size; i++) {
		char c = text[i] == '+' ? ' ' : text[i];

		if (c == '%') {
			int high = i + 2 < size ? digit(text[i + 1]) : -1;
			int low = high < 0 ? -1 : digit(text[i + 2]);

			if (low < 0 || (high == 0 && low == 0)) {
				buf_fini(&decoded);
				return NULL;
			}
			c = (char)(high << 4 | low);
			i += 2;
		}
		buf_append_char(&decoded, c);
	}
	return buf_take_text(&decoded);
}

char *http_request_argument(const struct http_request *request, const char *name)
{
	size_t name_size = strlen(name);

	for (const char *at = request->query; *at;) {
		size_t size = strcspn(at, "&");

		if (size > name_size && strncmp(at, name, name_size) == 0 && at[name_size] == '=')
			return decode(at + name_size + 1, size - name_size - 1);
		at += size + (at[size] == '&');
	}
	return NULL;
}
