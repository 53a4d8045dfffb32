#include "reply_fixture.h"

#include "pgweir/mem.h"
#include "pgweir/pool.h"

struct backend *backend;
struct statement_table reply_statements;
struct buf said, heard, passed;
bool reply_take_errors;

static struct pool_share share;

/* --- A sink that writes down --- */

static const char *const kinds[] = {
	[REQUEST_NONE] = "none", [REQUEST_QUERY] = "query", [REQUEST_FUNCTION_CALL] = "function", [REQUEST_PARSE] = "parse",
	[REQUEST_BIND] = "bind", [REQUEST_DESCRIBE] = "describe", [REQUEST_EXECUTE] = "execute", [REQUEST_CLOSE] = "close",
	[REQUEST_SYNC] = "sync", [REQUEST_COPY_END] = "copy_end", [REQUEST_LOCAL_PARSE] = "local_parse",
	[REQUEST_LOCAL_CLOSE] = "local_close",
};

static void note_request(const char *call, const struct request *request, const char *more)
{
	const char *name = request->name ? request->name->text : "", *ours = request->flags & REQUEST_INJECTED ? "our " : "";

	buf_printf(&heard, "%s(%s%s%s%s%s%s) ", call, ours, kinds[request->kind], *name ? " " : "", name, *more ? " " : "", more);
}

static void on_event(void *owner, unsigned what)
{
	(void)owner, (void)what;
	fail_msg("no connection is here that could say so");
}

static void on_pass(void *owner, const char *bytes, size_t size)
{
	(void)owner;
	buf_append(&passed, bytes, size);
}

static void on_flush(void *owner)
{
	(void)owner;
}

static void on_local(void *owner, const struct request *request)
{
	(void)owner;
	buf_printf(&heard, "@%zu ", passed.size);
	note_request("local", request, "");
}

static void on_undone(void *owner, const struct request *request)
{
	(void)owner;
	note_request("undone", request, "");
}

static bool on_error(void *owner, const struct request *request, const char *body, size_t size)
{
	(void)owner;
	note_request("error", request, wire_error_field(body, size, 'C'));
	return reply_take_errors;
}

static void on_tag(void *owner, const char *tag)
{
	(void)owner;
	buf_printf(&heard, "tag(%s) ", tag);
}

static void on_ready(void *owner, const struct request *request, char status)
{
	const char text[] = { status, '\0' };

	(void)owner;
	note_request("ready", request, text);
}

static bool on_notification(void *owner, const char *message, size_t size)
{
	(void)owner;
	assert_int_equal(size, wire_message_size(message));
	return true;
}

static const struct backend_sink sink = {
	.notification = on_notification,
	.event = on_event, .pass = on_pass, .flush = on_flush, .local = on_local, .undone = on_undone, .error = on_error,
	.tag = on_tag, .ready = on_ready,
};

struct backend *reply_backend_unowned(void)
{
	struct server *server = NEW(struct server);

	conn_init(&server->conn, -1);
	return backend_new(server, &share);
}

static struct backend *backend_start(void)
{
	struct backend *made = reply_backend_unowned();

	made->sink = &sink;
	made->state = BACKEND_LENT;
	return made;
}

int reply_start(void **unused)
{
	(void)unused;
	statement_table_init(&reply_statements);
	backend = backend_start();
	reply_take_errors = false;
	return 0;
}

int reply_stop(void **unused)
{
	(void)unused;
	backend_free(&backend);
	buf_fini(&said);
	buf_fini(&heard);
	buf_fini(&passed);
	assert_int_equal(reply_statements.by_key.size, 0);
	statement_table_fini(&reply_statements);
	return 0;
}

/* --- Asking --- */

void ask_flagged(enum request_kind kind, uint8_t flags)
{
	backend_request(backend, kind, flags, NULL);
}

void ask(enum request_kind kind)
{
	ask_flagged(kind, 0);
}

struct statement *ask_named(enum request_kind kind, const char *text)
{
	struct statement *statement = statement_intern(&reply_statements, "", 0, text, strlen(text));
	struct statement_name *name = statement_name_new(text, statement);

	backend_request(backend, kind, 0, name);
	statement_name_unref(&name);
	return statement;
}

/* --- The server's side --- */

void say_bytes(char type, const void *body, size_t size)
{
	size_t begun = wire_begin(&said, type);

	buf_append(&said, body, size);
	wire_end(&said, begun);
}

void say_error(const char *severity, const char *sqlstate)
{
	wire_put_error(&said, &(struct wire_error){ .severity = severity, .sqlstate = sqlstate, .message = "no" });
}

bool deliver(size_t piece)
{
	bool good = true;

	for (size_t at = 0; good && at < said.size; at += piece) {
		size_t size = said.size - at < piece ? said.size - at : piece;
		char *exact = mem_dup(said.bytes + at, size);

		good = backend_receive(backend, exact, size);
		mem_free(exact);
	}
	buf_fini(&said);
	return good;
}

void expect_heard(const char *text)
{
	buf_append_char(&heard, '\0');
	assert_string_equal(heard.bytes, text);
	buf_fini(&heard);
}

void expect_passed(const char *types)
{
	struct buf found = { 0 };

	for (size_t at = 0; at < passed.size; at += wire_message_size(passed.bytes + at)) {
		assert_true(passed.size - at >= WIRE_HEADER_SIZE);
		assert_true(passed.size - at >= wire_message_size(passed.bytes + at));
		buf_append_char(&found, passed.bytes[at]);
	}
	buf_append_char(&found, '\0');
	assert_string_equal(found.bytes, types);
	buf_fini(&found);
	buf_fini(&passed);
}

void expect_broken(void)
{
	assert_false(deliver(SIZE_MAX));
	backend_free(&backend);
	backend = backend_start();
	buf_fini(&heard);
	buf_fini(&passed);
}
