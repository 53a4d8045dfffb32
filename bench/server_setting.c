#include "server_setting.h"

#include <ctype.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name;
	const char *value;
} reported[] = {
	{ "server_version", "15.0" },
	{ "server_encoding", "UTF8" },
	{ "client_encoding", "UTF8" },
	{ "DateStyle", "ISO, MDY" },
	{ "IntervalStyle", "postgres" },
	{ "TimeZone", "Etc/UTC" },
	{ "integer_datetimes", "on" },
	{ "standard_conforming_strings", "on" },
	{ "is_superuser", "off" },
	{ "session_authorization", "" },
	{ "application_name", "" },
	{ "default_transaction_read_only", "off" },
	{ "in_hot_standby", "off" },
};

_Static_assert(COUNT(reported) == REPLY_SETTINGS, "a session has a value for each");

const char *text_skip_blank(const char *at, const char *end)
{
	while (at < end && (isspace((unsigned char)*at) || *at == ';'))
		at++;
	return at;
}

size_t text_word_length(const char *at, const char *end)
{
	const char *from = at;

	while (at < end && (isalnum((unsigned char)*at) || *at == '_' || *at == '.'))
		at++;
	return (size_t)(at - from);
}

bool text_is_word(const char *at, size_t length, const char *word)
{
	return strlen(word) == length && strncasecmp(at, word, length) == 0;
}

void setting_init(struct reply_session *session)
{
	session->changed = 0;
	for (size_t i = 0; i < COUNT(reported); i++)
		memcpy(session->values[i], reported[i].value, strlen(reported[i].value) + 1);
}

void setting_set(struct reply_session *session, const char *name, size_t name_length, const char *value, size_t length)
{
	size_t i = 0;

	while (i < COUNT(reported) && !text_is_word(name, name_length, reported[i].name))
		i++;
	if (i == COUNT(reported))
		return;
	length = length < REPLY_VALUE_BYTES ? length : REPLY_VALUE_BYTES - 1;
	if (strlen(session->values[i]) == length && memcmp(session->values[i], value, length) == 0)
		return;
	memcpy(session->values[i], value, length);
	session->values[i][length] = 0;
	session->changed |= 1u << i;
}

void setting_set_by_text(struct reply_session *session, const char *text, const char *end)
{
	const char *name = text_skip_blank(text + strlen("SET"), end);
	size_t length = text_word_length(name, end);
	const char *value = name + length;

	if (text_is_word(name, length, "SESSION")) {
		name = text_skip_blank(value, end);
		length = text_word_length(name, end);
		value = name + length;
	}
	value = text_skip_blank(value, end);
	value += value < end && *value == '=' ? 1 : text_word_length(value, end);
	value = text_skip_blank(value, end);
	while (end > value && isspace((unsigned char)end[-1]))
		end--;
	if (end - value >= 2 && *value == '\'') {
		value++;
		end--;
	}
	setting_set(session, name, length, value, (size_t)(end - value));
}

/* One value of a Bind: NULL where there is none. */
static const char *next_value(const struct wire_message *message, size_t *offset, size_t *length)
{
	const char *value;
	uint32_t size;

	if (message->length - *offset < 4)
		return NULL;
	size = wire_get_u32(message->body + *offset);
	*offset += 4;
	if (size > message->length - *offset)
		return NULL;
	value = (const char *)message->body + *offset;
	*offset += size;
	*length = size;
	return value;
}

void setting_set_by_bind(struct reply_session *session, const struct wire_message *message, size_t offset)
{
	const char *name, *value;
	size_t name_length, length;

	offset += 4; /* No formats, and the number of values. */
	while (offset < message->length && (name = next_value(message, &offset, &name_length))
		&& (value = next_value(message, &offset, &length)))
		setting_set(session, name, name_length, value, length);
}

static void report(const struct reply_session *session, size_t which, struct bytes *out)
{
	size_t begun_at = wire_begin(out, 'S');

	bytes_append_string(out, reported[which].name);
	bytes_append_string(out, session->values[which]);
	wire_end(out, begun_at);
}

void setting_report_all(struct reply_session *session, struct bytes *out)
{
	for (size_t i = 0; i < COUNT(reported); i++)
		report(session, i, out);
	session->changed = 0;
}

void setting_report_changed(struct reply_session *session, struct bytes *out)
{
	for (size_t i = 0; session->changed != 0; i++) {
		if (session->changed & 1u << i)
			report(session, i, out);
		session->changed &= ~(1u << i);
	}
}
