/* The extended protocol: statements and portals by name. "" is the unnamed one's. */
#include <string.h>

#include "client.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

/* The body of a message, read from front to back; once something is missing, `bad` stays. */
struct reader {
	const char *at;
	size_t left;
	bool bad;
};

static const char *read_text(struct reader *reader)
{
	const char *text = reader->at;
	size_t length = strnlen(text, reader->left);

	if (length == reader->left) {
		reader->bad = true;
		return "";
	}
	reader->at += length + 1;
	reader->left -= length + 1;
	return text;
}

static unsigned read_u16(struct reader *reader)
{
	if (reader->left < 2) {
		reader->bad = true;
		return 0;
	}
	reader->at += 2;
	reader->left -= 2;
	return wire_u16(reader->at - 2);
}

static uint32_t read_u32(struct reader *reader)
{
	unsigned high = read_u16(reader);

	return (uint32_t)high << 16 | read_u16(reader);
}

static char read_char(struct reader *reader)
{
	if (reader->left < 1) {
		reader->bad = true;
		return '\0';
	}
	reader->left--;
	return *reader->at++;
}

static void fail_with(struct client *client, const struct error *error, const char *hint)
{
	client_say_error(client, error, NULL, hint);
	client->skipping = true;
}

#define fail(client, sqlstate, ...) \
	do { \
		struct error error_; \
		error_set(&error_, sqlstate, __VA_ARGS__); \
		fail_with((client), &error_, NULL); \
	} while (0)

static void put_empty(struct client *client, char type)
{
	wire_end(&client->out, wire_begin(&client->out, type));
}

/* --- Names --- */

static void drop_statement(struct client *client, const char *name)
{
	mem_free(map_take_text(&client->statements, name));
}

static void drop_portal(struct client *client, const char *name)
{
	struct job *job = map_take_text(&client->portals, name);

	job_free(&job);
}

static bool free_statement(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

static bool free_portal(const void *key, size_t size, void *value, void *arg)
{
	struct job *job = value;

	(void)key, (void)size, (void)arg;
	job_free(&job);
	return true;
}

void client_close_statements(struct client *client)
{
	map_foreach(&client->statements, free_statement, NULL);
	map_fini(&client->statements);
	client->statements = (struct map){ 0 };
}

void client_close_portals(struct client *client)
{
	if (client->portals.size == 0)
		return;
	map_foreach(&client->portals, free_portal, NULL);
	map_fini(&client->portals);
	client->portals = (struct map){ 0 };
}

/* --- Parse --- */

/* A text that a statement may have: one command, and nothing behind it. */
static bool parse_one(const char *sql, struct call *call, struct error *error, const char **hint)
{
	struct call rest;
	size_t used, more;

	if (!call_parse(call, sql, &used, error, hint))
		return false;
	while (sql[used]) {
		bool good = call_parse(&rest, sql + used, &more, error, hint);
		bool empty = good && !rest.command;

		if (good)
			call_fini(&rest);
		if (good && empty) {
			used += more;
			continue;
		}
		call_fini(call);
		if (good)
			error_set(error, "42601", "cannot insert multiple commands into a prepared statement");
		return false;
	}
	return true;
}

void client_parse(struct client *client, const char *body, size_t size)
{
	struct reader reader = { body, size, false };
	const char *name = read_text(&reader);
	const char *sql = read_text(&reader);
	const char *hint = NULL;
	struct error error;
	struct call call;

	/* The types of parameters that there cannot be follow. */
	for (unsigned types = read_u16(&reader); types > 0 && !reader.bad; types--)
		read_u32(&reader);
	if (reader.bad) {
		client_broke_protocol(client, "invalid Parse message");
		return;
	}
	if (*name && map_get_text(&client->statements, name)) {
		fail(client, "42P05", "prepared statement \"%s\" already exists", name);
		return;
	}
	if (client->statements.size >= CLIENT_NAMES_MAX) {
		fail(client, "53400", "too many prepared statements");
		return;
	}
	if (!parse_one(sql, &call, &error, &hint)) {
		fail_with(client, &error, hint);
		return;
	}
	call_fini(&call);
	drop_statement(client, name);
	map_put_text(&client->statements, name, mem_strdup(sql));
	put_empty(client, '1');
}

/* --- Bind --- */

/* Which columns the client wants in binary. False: an error has been said. */
static bool read_formats(struct client *client, struct reader *reader, const struct table *table, uint64_t *binary)
{
	unsigned count = read_u16(reader);
	unsigned columns = table ? (unsigned)table->count : 0;

	*binary = 0;
	/* A format for all columns may come even where there are none. */
	if (count > 1 && count != columns) {
		fail(client, "08P01", "bind message has %u result formats but query has %u columns", count, columns);
		return false;
	}
	for (unsigned i = 0; i < count; i++) {
		unsigned format = read_u16(reader);

		if (format > 1) {
			fail(client, "22023", "unsupported format code: %u", format);
			return false;
		}
		if (format == 1)
			*binary |= count == 1 ? UINT64_MAX : UINT64_C(1) << i;
	}
	return true;
}

static bool read_no_parameters(struct client *client, struct reader *reader)
{
	for (unsigned formats = read_u16(reader); formats > 0 && !reader->bad; formats--)
		read_u16(reader);
	unsigned count = read_u16(reader);

	if (count == 0)
		return true;
	fail(client, "08P01", "bind message supplies %u parameters, but the statement requires 0", count);
	return false;
}

static bool portal_name_is_free(struct client *client, const char *name)
{
	if (*name && map_get_text(&client->portals, name)) {
		fail(client, "42P03", "portal \"%s\" already exists", name);
		return false;
	}
	if (client->portals.size >= CLIENT_NAMES_MAX) {
		fail(client, "53400", "too many portals");
		return false;
	}
	return true;
}

void client_bind(struct client *client, const char *body, size_t size)
{
	struct reader reader = { body, size, false };
	const char *portal = read_text(&reader);
	const char *statement = read_text(&reader);
	const char *sql = map_get_text(&client->statements, statement);
	const char *hint = NULL;
	struct error error;
	struct call call;
	uint64_t binary;

	if (!reader.bad && !sql) {
		fail(client, "26000", "prepared statement \"%s\" does not exist", statement);
		return;
	}
	if (reader.bad || !portal_name_is_free(client, portal) || !read_no_parameters(client, &reader)) {
		if (reader.bad)
			client_broke_protocol(client, "invalid Bind message");
		return;
	}
	if (!parse_one(sql, &call, &error, &hint)) {
		fail_with(client, &error, hint);
		return;
	}
	if (!read_formats(client, &reader, call.command ? call.command->table : NULL, &binary) || reader.bad) {
		call_fini(&call);
		if (reader.bad)
			client_broke_protocol(client, "invalid Bind message");
		return;
	}
	drop_portal(client, portal);
	map_put_text(&client->portals, portal, job_new(client, &call, binary));
	put_empty(client, '2');
}

/* --- Describe, Execute, Close --- */

static void put_description(struct client *client, const struct command *command, uint64_t binary)
{
	if (command && command->table)
		result_put_description(command->table, binary, &client->out);
	else
		put_empty(client, 'n');
}

static void describe_statement(struct client *client, const char *name)
{
	const char *sql = map_get_text(&client->statements, name);
	const char *hint = NULL;
	struct error error;
	struct call call;

	if (!sql) {
		fail(client, "26000", "prepared statement \"%s\" does not exist", name);
		return;
	}
	if (!parse_one(sql, &call, &error, &hint)) {
		fail_with(client, &error, hint);
		return;
	}
	size_t begun = wire_begin(&client->out, 't');

	buf_append_u16(&client->out, 0);
	wire_end(&client->out, begun);
	put_description(client, call.command, 0);
	call_fini(&call);
}

static void describe_portal(struct client *client, const char *name)
{
	const struct job *job = map_get_text(&client->portals, name);

	if (job)
		put_description(client, job->call.command, job->result.binary);
	else
		fail(client, "34000", "portal \"%s\" does not exist", name);
}

void client_describe(struct client *client, const char *body, size_t size)
{
	struct reader reader = { body, size, false };
	char kind = read_char(&reader);
	const char *name = read_text(&reader);

	if (reader.bad || (kind != 'S' && kind != 'P'))
		client_broke_protocol(client, "invalid Describe message");
	else if (kind == 'S')
		describe_statement(client, name);
	else
		describe_portal(client, name);
}

void client_execute(struct client *client, const char *body, size_t size)
{
	struct reader reader = { body, size, false };
	const char *name = read_text(&reader);
	uint32_t most_rows = read_u32(&reader);

	if (reader.bad) {
		client_broke_protocol(client, "invalid Execute message");
		return;
	}
	struct job *job = map_get_text(&client->portals, name);

	if (!job || job->state == JOB_FAILED) {
		fail(client, "34000", "portal \"%s\" does not exist", name);
		return;
	}
	client->most_rows = most_rows;
	client->job = job;
	if (job->state == JOB_NEW)
		job_start(job);
}

void client_close_name(struct client *client, const char *body, size_t size)
{
	struct reader reader = { body, size, false };
	char kind = read_char(&reader);
	const char *name = read_text(&reader);

	if (reader.bad || (kind != 'S' && kind != 'P')) {
		client_broke_protocol(client, "invalid Close message");
		return;
	}
	if (kind == 'S')
		drop_statement(client, name);
	else
		drop_portal(client, name);
	put_empty(client, '3');
}
