#include "server_command.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define OID_INT4 23
#define OID_TEXT 25
#define KEEP_STATUS 0

/* A command is what its first word says. The last row is for everything else. */
static const struct command {
	const char *word;
	const char *tag;
	bool rows;
	char status_after;
} commands[] = {
	{ "BEGIN", "BEGIN", false, 'T' },
	{ "START", "START TRANSACTION", false, 'T' },
	{ "COMMIT", "COMMIT", false, 'I' },
	{ "END", "COMMIT", false, 'I' },
	{ "ROLLBACK", "ROLLBACK", false, 'I' },
	{ "ABORT", "ROLLBACK", false, 'I' },
	{ "SET", "SET", false, KEEP_STATUS },
	{ "RESET", "RESET", false, KEEP_STATUS },
	{ "DISCARD", "DISCARD ALL", false, KEEP_STATUS },
	{ "DEALLOCATE", "DEALLOCATE ALL", false, KEEP_STATUS },
	{ "CLOSE", "CLOSE CURSOR ALL", false, KEEP_STATUS },
	{ "LISTEN", "LISTEN", false, KEEP_STATUS },
	{ "UNLISTEN", "UNLISTEN", false, KEEP_STATUS },
	{ "SHOW", "SHOW", true, KEEP_STATUS },
	{ NULL, "SELECT 1", true, KEEP_STATUS },
};

/* Sent at login, and again when a SET names one. NULL: the session's own. */
static const struct reported {
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
	{ "session_authorization", NULL },
	{ "application_name", NULL },
	{ "default_transaction_read_only", "off" },
	{ "in_hot_standby", "off" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bytes row_description;
static struct bytes data_row;

void command_prepare_rows(size_t row_bytes)
{
	char *value = malloc(row_bytes + 1);
	size_t length = row_bytes > 0 ? row_bytes : 1;
	size_t begun_at = wire_begin(&row_description, 'T');

	if (!value)
		exit(1);
	memset(value, 'x', row_bytes);
	if (row_bytes == 0)
		value[0] = '1';
	bytes_append_u16(&row_description, 1);
	bytes_append_string(&row_description, "?column?");
	bytes_append_u32(&row_description, 0);
	bytes_append_u16(&row_description, 0);
	bytes_append_u32(&row_description, row_bytes > 0 ? OID_TEXT : OID_INT4);
	bytes_append_u16(&row_description, row_bytes > 0 ? UINT16_MAX : 4);     /* -1: of varying width */
	bytes_append_u32(&row_description, UINT32_MAX);
	bytes_append_u16(&row_description, 0);
	wire_end(&row_description, begun_at);

	begun_at = wire_begin(&data_row, 'D');
	bytes_append_u16(&data_row, 1);
	bytes_append_u32(&data_row, (uint32_t)length);
	bytes_append(&data_row, value, length);
	wire_end(&data_row, begun_at);
	free(value);
}

static const char *skip_blank(const char *at, const char *end)
{
	while (at < end && (isspace((unsigned char)*at) || *at == ';'))
		at++;
	return at;
}

static size_t word_length(const char *at, const char *end)
{
	const char *from = at;

	while (at < end && (isalnum((unsigned char)*at) || *at == '_' || *at == '.'))
		at++;
	return (size_t)(at - from);
}

static bool is_word(const char *at, size_t length, const char *word)
{
	return strlen(word) == length && strncasecmp(at, word, length) == 0;
}

uint8_t command_of(const char *text, const char *end)
{
	size_t length;
	uint8_t i = 0;

	text = skip_blank(text, end);
	length = word_length(text, end);
	while (commands[i].word && !is_word(text, length, commands[i].word))
		i++;
	return i;
}

bool command_describe(uint8_t command, struct bytes *out)
{
	if (!commands[command].rows)
		return false;
	bytes_append(out, bytes_data(&row_description), bytes_length(&row_description));
	return true;
}

void command_run(struct reply_session *session, uint8_t number, struct bytes *out)
{
	const struct command *command = &commands[number];

	if (command->rows)
		bytes_append(out, bytes_data(&data_row), bytes_length(&data_row));
	wire_string_message(out, 'C', command->tag);
	if (command->status_after != KEEP_STATUS)
		session->status = command->status_after;
}

static void append_parameter(const char *name, const char *value, struct bytes *out)
{
	size_t begun_at = wire_begin(out, 'S');

	bytes_append_string(out, name);
	bytes_append_string(out, value);
	wire_end(out, begun_at);
}

static const char *own_value(const struct reply_session *session, const char *name)
{
	return strcmp(name, "application_name") == 0 ? session->application_name : session->user;
}

void command_report_all(const struct reply_session *session, struct bytes *out)
{
	for (size_t i = 0; i < COUNT(reported); i++) {
		const char *value = reported[i].value;

		append_parameter(reported[i].name, value ? value : own_value(session, reported[i].name), out);
	}
}

void command_copy_value(char *into, const char *value, size_t length)
{
	length = length < REPLY_VALUE_BYTES ? length : REPLY_VALUE_BYTES - 1;
	memcpy(into, value, length);
	into[length] = 0;
}

/* SET name TO|= value: PostgreSQL reports some parameters to the client, and poolers rely on it. */
static void report_setting(struct reply_session *session, const char *text, const char *end, struct bytes *out)
{
	const char *name = skip_blank(text + strlen("SET"), end);
	size_t length = word_length(name, end);
	const char *value = name + length;
	const char *value_end = end;
	size_t i = 0;

	if (is_word(name, length, "SESSION")) {
		name = skip_blank(value, end);
		length = word_length(name, end);
		value = name + length;
	}
	while (i < COUNT(reported) && !is_word(name, length, reported[i].name))
		i++;
	if (i == COUNT(reported))
		return;
	value = skip_blank(value, end);
	value += value < end && *value == '=' ? 1 : word_length(value, end);
	value = skip_blank(value, end);
	while (value_end > value && isspace((unsigned char)value_end[-1]))
		value_end--;
	if (value_end - value >= 2 && *value == '\'') {
		value++;
		value_end--;
	}
	if (strcmp(reported[i].name, "application_name") == 0)
		command_copy_value(session->application_name, value, (size_t)(value_end - value));
	append_parameter(reported[i].name, reported[i].value ? reported[i].value : own_value(session, reported[i].name),
			 out);
}

/* Up to a semicolon outside quotes. */
static const char *statement_end(const char *at, const char *end)
{
	char quote = 0;

	for (; at < end; at++) {
		if (quote)
			quote = *at == quote ? 0 : quote;
		else if (*at == '\'' || *at == '"')
			quote = *at;
		else if (*at == ';')
			return at;
	}
	return end;
}

void command_run_text(struct reply_session *session, const char *text, const char *end, struct bytes *out)
{
	const char *at = skip_blank(text, end);

	if (at == end)
		wire_empty_message(out, 'I');
	while (at < end) {
		const char *stop = statement_end(at, end);
		uint8_t command = command_of(at, stop);

		command_describe(command, out);
		command_run(session, command, out);
		if (commands[command].word && strcmp(commands[command].word, "SET") == 0)
			report_setting(session, at, stop, out);
		at = skip_blank(stop, end);
	}
}
