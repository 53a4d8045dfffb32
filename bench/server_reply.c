#include "server_reply.h"

#include <stdio.h>
#include <string.h>

#include "server_command.h"
#include "server_setting.h"

static void append_ready(struct reply_session *session, struct bytes *out)
{
	size_t begun_at;

	setting_report_changed(session, out);
	begun_at = wire_begin(out, 'Z');
	bytes_append(out, &session->status, 1);
	wire_end(out, begun_at);
}

static void read_startup(struct reply_session *session, const struct wire_message *message)
{
	size_t offset = 4;      /* behind the version */
	const char *name;
	const char *value;

	while ((name = wire_string_at(message, &offset)) && *name && (value = wire_string_at(message, &offset))) {
		if (strcmp(name, "user") == 0)
			name = "session_authorization";
		setting_set(session, name, strlen(name), value, strlen(value));
	}
}

void reply_to_startup(struct reply_session *session, const struct wire_message *message, uint32_t process_id,
		      struct bytes *out)
{
	size_t begun_at;

	*session = (struct reply_session){ .status = 'I' };
	setting_init(session);
	read_startup(session, message);
	begun_at = wire_begin(out, 'R');
	bytes_append_u32(out, 0);
	wire_end(out, begun_at);
	setting_report_all(session, out);
	begun_at = wire_begin(out, 'K');
	bytes_append_u32(out, process_id);
	bytes_append_u32(out, process_id * 2654435761u);
	wire_end(out, begun_at);
	append_ready(session, out);
}

static bool on_query(struct reply_session *session, const struct wire_message *message, struct bytes *out)
{
	const char *text = (const char *)message->body;

	command_run_text(session, text, text + (message->length > 0 ? message->length - 1 : 0), out);
	append_ready(session, out);
	return true;
}

static uint8_t slot_of(const char *name)
{
	uint32_t hash = 2166136261u;

	while (*name)
		hash = (hash ^ (uint8_t)*name++) * 16777619u;
	return (uint8_t)(hash ^ hash >> 8 ^ hash >> 16 ^ hash >> 24);
}

static bool on_parse(struct reply_session *session, const struct wire_message *message, struct bytes *out)
{
	size_t offset = 0;
	const char *name = wire_string_at(message, &offset);
	const char *text = wire_string_at(message, &offset);

	if (!name || !text)
		return false;
	session->statements[slot_of(name)] = command_of(text, (const char *)message->body + offset - 1);
	wire_empty_message(out, '1');
	return true;
}

static bool on_bind(struct reply_session *session, const struct wire_message *message, struct bytes *out)
{
	size_t offset = 0;
	const char *portal = wire_string_at(message, &offset);
	const char *statement = wire_string_at(message, &offset);

	if (!portal || !statement)
		return false;
	session->portals[slot_of(portal)] = session->statements[slot_of(statement)];
	if (command_sets(session->portals[slot_of(portal)]))
		setting_set_by_bind(session, message, offset);
	wire_empty_message(out, '2');
	return true;
}

static bool on_describe(struct reply_session *session, const struct wire_message *message, struct bytes *out)
{
	size_t offset = 1;
	const char *name = wire_string_at(message, &offset);
	bool statement = message->length > 0 && message->body[0] == 'S';
	const uint8_t *slots = statement ? session->statements : session->portals;
	size_t begun_at;

	if (!name)
		return false;
	if (statement) {
		begun_at = wire_begin(out, 't');
		bytes_append_u16(out, 0);
		wire_end(out, begun_at);
	}
	if (!command_describe(slots[slot_of(name)], out))
		wire_empty_message(out, 'n');
	return true;
}

static bool on_execute(struct reply_session *session, const struct wire_message *message, struct bytes *out)
{
	size_t offset = 0;
	const char *portal = wire_string_at(message, &offset);

	if (!portal)
		return false;
	command_run(session, session->portals[slot_of(portal)], out);
	return true;
}

static bool on_close(struct reply_session *session, const struct wire_message *message, struct bytes *out)
{
	(void)session;
	(void)message;
	wire_empty_message(out, '3');
	return true;
}

static bool on_sync(struct reply_session *session, const struct wire_message *message, struct bytes *out)
{
	(void)message;
	append_ready(session, out);
	return true;
}

/* Every recv is answered by one send anyway. */
static bool on_flush(struct reply_session *session, const struct wire_message *message, struct bytes *out)
{
	(void)session;
	(void)message;
	(void)out;
	return true;
}

typedef bool message_handler(struct reply_session *session, const struct wire_message *message, struct bytes *out);

static message_handler *const handlers[256] = {
	['Q'] = on_query,
	['P'] = on_parse,
	['B'] = on_bind,
	['D'] = on_describe,
	['E'] = on_execute,
	['C'] = on_close,
	['S'] = on_sync,
	['H'] = on_flush,
};

bool reply_to_message(struct reply_session *session, const struct wire_message *message, struct bytes *out)
{
	message_handler *handler = handlers[(uint8_t)message->type];

	if (handler)
		return handler(session, message, out);
	if (message->type != 'X')
		fprintf(stderr, "bench_server: no answer to message type 0x%02x\n", (unsigned)(uint8_t)message->type);
	return false;
}
