#include "http_json.h"

#include "pgweir/utf8.h"

static void put_quoted(struct buf *out, const char *text)
{
	buf_append_char(out, '"');
	while (*text) {
		uint32_t code;
		size_t size = utf8_char(text, &code);

		if (size == 0)
			buf_append_text(out, "\\ufffd");
		else if (code == '"' || code == '\\')
			buf_printf(out, "\\%c", *text);
		else if (code < 0x20 || code == 0x7f)
			buf_printf(out, "\\u%04x", code);
		else
			buf_append(out, text, size);
		text += size ? size : 1;
	}
	buf_append_char(out, '"');
}

static void begin(struct http_json *json, const char *key)
{
	if (json->follows)
		buf_append_char(&json->out, ',');
	json->follows = true;
	if (!key)
		return;
	put_quoted(&json->out, key);
	buf_append_char(&json->out, ':');
}

void http_json_open(struct http_json *json, const char *key, char bracket)
{
	begin(json, key);
	buf_append_char(&json->out, bracket);
	json->follows = false;
}

void http_json_close(struct http_json *json, char bracket)
{
	buf_append_char(&json->out, bracket);
	json->follows = true;
}

void http_json_text(struct http_json *json, const char *key, const char *text)
{
	begin(json, key);
	if (text)
		put_quoted(&json->out, text);
	else
		buf_append_text(&json->out, "null");
}

void http_json_int(struct http_json *json, const char *key, int64_t value)
{
	begin(json, key);
	buf_printf(&json->out, "%lld", (long long)value);
}

void http_json_number(struct http_json *json, const char *key, double value)
{
	begin(json, key);
	buf_printf(&json->out, "%.3f", value);
}

void http_json_bool(struct http_json *json, const char *key, bool value)
{
	begin(json, key);
	buf_append_text(&json->out, value ? "true" : "false");
}

void http_json_null(struct http_json *json, const char *key)
{
	http_json_text(json, key, NULL);
}
