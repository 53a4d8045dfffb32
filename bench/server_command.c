#include "server_command.h"

#include <stdlib.h>
#include <string.h>

#include "server_setting.h"

#define OID_INT4 23
#define OID_TEXT 25
#define KEEP_STATUS 0
#define SET_CONFIG "pg_catalog.set_config"

/* A command is what its first word says, or the one behind SELECT. The last row is for everything else. */
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
	{ SET_CONFIG, "SELECT 1", true, KEEP_STATUS },
	{ NULL, "SELECT 1", true, KEEP_STATUS },
};

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

uint8_t command_of(const char *text, const char *end)
{
	size_t length;
	uint8_t i = 0;

	text = text_skip_blank(text, end);
	length = text_word_length(text, end);
	if (text_is_word(text, length, "SELECT")) {
		text = text_skip_blank(text + length, end);
		length = text_word_length(text, end);
	}
	while (commands[i].word && !text_is_word(text, length, commands[i].word))
		i++;
	return i;
}

bool command_sets(uint8_t command)
{
	return commands[command].word && strcmp(commands[command].word, SET_CONFIG) == 0;
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
	const char *at = text_skip_blank(text, end);

	if (at == end)
		wire_empty_message(out, 'I');
	while (at < end) {
		const char *stop = statement_end(at, end);
		uint8_t command = command_of(at, stop);

		command_describe(command, out);
		command_run(session, command, out);
		if (commands[command].word && strcmp(commands[command].word, "SET") == 0)
			setting_set_by_text(session, at, stop);
		at = text_skip_blank(stop, end);
	}
}
