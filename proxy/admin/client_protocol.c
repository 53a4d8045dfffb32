/* What a client of the console sends, message by message.
 *
 * One job at a time: while it runs, nothing more is taken from `in`, and nothing is read. */
#include <string.h>

#include "client.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

void client_say_error(struct client *client, const struct error *error, const char *detail, const char *hint)
{
	wire_put_error(&client->out, &(struct wire_error){ .severity = "ERROR",
		.sqlstate = error->sqlstate[0] ? error->sqlstate : "XX000", .message = error->text, .detail = detail, .hint = hint });
}

void client_broke_protocol(struct client *client, const char *text)
{
	wire_put_error(&client->out, &(struct wire_error){ .severity = "FATAL", .sqlstate = "08P01", .message = text });
	client->closing = true;
	client->why = CLOSE_CLIENT_BROKE_PROTOCOL;
}

static void put_command_complete(struct buf *out, const char *tag)
{
	size_t begun = wire_begin(out, 'C');

	buf_append_cstring(out, tag);
	wire_end(out, begun);
}

static void put_empty(struct buf *out, char type)
{
	wire_end(out, wire_begin(out, type));
}

/* --- Simple queries --- */

static void end_script(struct client *client)
{
	mem_free(client->script);
	client->script = NULL;
	wire_put_ready_for_query(&client->out, client->status);
}

static void simple_query(struct client *client, const char *body, size_t size)
{
	if (size == 0 || body[size - 1] != '\0') {
		client_broke_protocol(client, "invalid Query message");
		return;
	}
	client_close_portals(client);
	client->script = mem_strdup(body);
	client->script_at = 0;
	client->script_is_empty = true;
}

/* Starts the next statement of the script, or ends it. */
static void next_of_script(struct client *client)
{
	const char *rest = client->script + client->script_at;
	struct call call;
	struct error error;
	const char *hint = NULL;
	size_t used;

	if (*rest == '\0') {
		if (client->script_is_empty)
			put_empty(&client->out, 'I');
		end_script(client);
		return;
	}
	if (!call_parse(&call, rest, &used, &error, &hint)) {
		client_say_error(client, &error, NULL, hint);
		end_script(client);
		return;
	}
	client->script_at += used;
	if (!call.command) {
		call_fini(&call);
		return;
	}
	client->script_is_empty = false;
	client->job = job_new(client, &call, 0);
	job_start(client->job);
}

static void answer_simple(struct client *client, struct job *job)
{
	struct buf *out = &client->out;

	if (job->state == JOB_FAILED) {
		client_say_error(client, &job->error, job->detail, job->hint);
		end_script(client);
		return;
	}
	if (job->result.table) {
		result_put_description(job->result.table, 0, out);
		result_put_rows(&job->result, 0, 0, out);
	}
	put_command_complete(out, job->tag);
}

/* --- Answers --- */

static void answer_execute(struct client *client, struct job *job)
{
	struct buf *out = &client->out;

	if (job->state == JOB_FAILED) {
		client_say_error(client, &job->error, job->detail, job->hint);
		client->skipping = true;
		return;
	}
	if (!job->call.command) {
		put_empty(out, 'I');
		return;
	}
	job->rows_at = result_put_rows(&job->result, job->rows_at, client->most_rows, out);
	if (job->rows_at < job->result.rows.size)
		put_empty(out, 's');
	else
		put_command_complete(out, job->tag);
}

static void answer(struct client *client)
{
	struct job *job = client->job;

	client->job = NULL;
	buf_append(&client->out, job->notices.bytes, job->notices.size);
	job->notices.size = 0;
	if (!client->script) {
		answer_execute(client, job);
		return;
	}
	answer_simple(client, job);
	job_free(&job);
}

/* --- Messages --- */

static void sync(struct client *client, const char *body, size_t size)
{
	(void)body, (void)size;
	client->skipping = false;
	if (client->status == 'I')
		client_close_portals(client);
	wire_put_ready_for_query(&client->out, client->status);
}

static void terminate(struct client *client, const char *body, size_t size)
{
	(void)body, (void)size;
	client->closing = true;
	client->why = CLOSE_CLIENT_TERMINATED;
}

/* Output is sent after each round anyway; the rest of a COPY that never began is dropped, as PostgreSQL does. */
static void ignore(struct client *client, const char *body, size_t size)
{
	(void)client, (void)body, (void)size;
}

static void function_call(struct client *client, const char *body, size_t size)
{
	struct error error;

	(void)body, (void)size;
	error_set(&error, "0A000", "the admin console has no functions");
	client_say_error(client, &error, NULL, NULL);
	wire_put_ready_for_query(&client->out, client->status);
}

static const struct message_row {
	void (*handle)(struct client *client, const char *body, size_t size);
	bool skipped;                   /* Of no effect between an error and the next Sync. */
} messages[256] = {
	['Q'] = { simple_query, true },
	['P'] = { client_parse, true },
	['B'] = { client_bind, true },
	['D'] = { client_describe, true },
	['E'] = { client_execute, true },
	['C'] = { client_close_name, true },
	['F'] = { function_call, true },
	['H'] = { ignore, true },
	['S'] = { sync, false },
	['X'] = { terminate, false },
	['c'] = { ignore, false },
	['d'] = { ignore, false },
	['f'] = { ignore, false },
};

/* False: there is no whole message. */
static bool next_message(struct client *client)
{
	struct buf *in = &client->in;

	if (in->size < WIRE_HEADER_SIZE)
		return false;
	const struct message_row *row = &messages[(unsigned char)in->bytes[0]];
	size_t size = wire_message_size(in->bytes);

	if (!row->handle || size < WIRE_HEADER_SIZE) {
		client_broke_protocol(client, "invalid frontend message");
		return false;
	}
	if (size > CLIENT_MESSAGE_MAX) {
		client_broke_protocol(client, "the message is too long for the admin console");
		return false;
	}
	if (in->size < size)
		return false;
	if (!row->skipped || !client->skipping)
		row->handle(client, in->bytes + WIRE_HEADER_SIZE, size - WIRE_HEADER_SIZE);
	buf_drop_front(in, size);
	return true;
}

void client_advance(struct client *client)
{
	while (!client->closing) {
		if (client->job) {
			if (client->job->state == JOB_RUNNING)
				return;
			answer(client);
		} else if (client->script) {
			next_of_script(client);
		} else if (conn_blocked(&client->conn) || !next_message(client)) {
			return;
		}
	}
}

void client_protocol_fini(struct client *client)
{
	/* A portal's job is in the map; a simple query's is not. */
	if (client->script)
		job_free(&client->job);
	mem_free(client->script);
	client_close_portals(client);
	client_close_statements(client);
	map_fini(&client->portals);
	map_fini(&client->statements);
}
