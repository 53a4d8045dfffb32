/* What a server says, held against what it was asked: backend_receive() between scripted bytes and a sink that writes
 * down what it hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pgweir/backend.h"
#include "pgweir/mem.h"
#include "pgweir/pool.h"
#include "pgweir/wire.h"

static struct pool_share share;
static struct statement_table table;
static struct backend *backend;
static struct buf said;                 /* By the server, not yet delivered. */
static struct buf heard;                /* By the borrower: "call(arguments) …". */
static struct buf passed;               /* To the client, byte for byte. */
static bool take_errors;                /* What the borrower answers to error(). */

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
	return take_errors;
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

static struct backend *backend_unowned(void)
{
	struct server *server = NEW(struct server);

	conn_init(&server->conn, -1);
	return backend_new(server, &share);
}

static struct backend *backend_start(void)
{
	struct backend *made = backend_unowned();

	made->sink = &sink;
	made->state = BACKEND_LENT;
	return made;
}

static int start(void **unused)
{
	(void)unused;
	statement_table_init(&table);
	backend = backend_start();
	take_errors = false;
	return 0;
}

static int stop(void **unused)
{
	(void)unused;
	backend_free(&backend);
	buf_fini(&said);
	buf_fini(&heard);
	buf_fini(&passed);
	assert_int_equal(table.by_key.size, 0);
	statement_table_fini(&table);
	return 0;
}

/* --- Asking --- */

static void ask_flagged(enum request_kind kind, uint8_t flags)
{
	backend_request(backend, kind, flags, NULL);
}

static void ask(enum request_kind kind)
{
	ask_flagged(kind, 0);
}

static struct statement *ask_named(enum request_kind kind, const char *text)
{
	struct statement *statement = statement_intern(&table, "", 0, text, strlen(text));
	struct statement_name *name = statement_name_new(text, statement);

	backend_request(backend, kind, 0, name);
	statement_name_unref(&name);
	return statement;
}

/* --- The server's side --- */

static void say_bytes(char type, const void *body, size_t size)
{
	size_t begun = wire_begin(&said, type);

	buf_append(&said, body, size);
	wire_end(&said, begun);
}

/* A literal is its bytes; the NUL that C puts behind it does not count. */
#define SAY(type, literal) say_bytes(type, literal, sizeof(literal) - 1)

static void say_error(const char *severity, const char *sqlstate)
{
	wire_put_error(&said, &(struct wire_error){ .severity = severity, .sqlstate = sqlstate, .message = "no" });
}

/* In pieces of `piece` bytes, each in memory of its own size, which is gone afterwards. */
static bool deliver(size_t piece)
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

static void expect_heard(const char *text)
{
	buf_append_char(&heard, '\0');
	assert_string_equal(heard.bytes, text);
	buf_fini(&heard);
}

/* The types of the messages that went to the client, all of them whole. */
static void expect_passed(const char *types)
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

static void expect_broken(void)
{
	assert_false(deliver(SIZE_MAX));
	backend_free(&backend);
	backend = backend_start();
	buf_fini(&heard);
	buf_fini(&passed);
}

/* --- Whole conversations --- */

static void ask_everything(void)
{
	ask_named(REQUEST_PARSE, "a");
	ask_named(REQUEST_LOCAL_PARSE, "b");
	ask(REQUEST_DESCRIBE);
	ask(REQUEST_BIND);
	ask(REQUEST_EXECUTE);
	ask_named(REQUEST_LOCAL_CLOSE, "c");
	ask(REQUEST_SYNC);
	ask_flagged(REQUEST_QUERY, REQUEST_INJECTED);
	ask(REQUEST_QUERY);
	ask(REQUEST_COPY_END);
	ask(REQUEST_FUNCTION_CALL);
	ask(REQUEST_QUERY);
	ask(REQUEST_BIND);
	ask(REQUEST_EXECUTE);
	ask(REQUEST_SYNC);
}

static void say_everything(void)
{
	SAY('1', "");
	SAY('S', "TimeZone\0UTC\0");
	SAY('t', "\0\1\0\0\0\27");
	SAY('T', "\0\0");
	SAY('2', "");
	SAY('D', "\0\1\0\0\0\1x");
	SAY('N', "SNOTICE\0\0");
	SAY('D', "\0\1\0\0\0\1y");
	SAY('C', "SELECT 2\0");
	SAY('Z', "I");
	SAY('C', "SET\0");
	SAY('Z', "I");
	SAY('T', "\0\0");
	SAY('C', "SELECT 0\0");
	SAY('G', "\0\0\0");
	SAY('C', "COPY 1\0");
	SAY('Z', "T");
	SAY('V', "\0\0\0\0");
	SAY('Z', "T");
	SAY('A', "\0\0\0\1channel\0\0");
	SAY('H', "\0\0\0");
	SAY('d', "1\n");
	SAY('c', "");
	SAY('C', "COPY 1\0");
	say_error("ERROR", "22012");
	SAY('Z', "E");
	say_error("ERROR", "25P02");
	SAY('Z', "E");
}

static const char everything_heard[] = "@23 local(local_parse b) tag(SELECT 2) @98 local(local_close c) ready(sync I) "
	"ready(our query I) tag(SELECT 0) tag(COPY 1) ready(query T) ready(function T) tag(COPY 1) error(query 22012) "
	"ready(query E) error(bind 25P02) undone(execute) undone(bind) ready(sync E) ";

static void a_whole_conversation_is_told_as_it_went(void **unused)
{
	(void)unused;
	ask_everything();
	say_everything();
	assert_true(deliver(SIZE_MAX));
	expect_passed("1StT2DNDCZTCGCZVZAHdcCEZEZ");
	expect_heard(everything_heard);
	assert_int_equal(backend->requests.count, 0);
	assert_int_equal(backend->status, 'E');
	assert_string_equal(parameters_get(&backend->server->parameters, "TimeZone"), "UTC");
}

static void pieces_of_any_size_are_told_the_same(void **unused)
{
	struct buf whole = { 0 };

	(void)unused;
	ask_everything();
	say_everything();
	assert_true(deliver(SIZE_MAX));
	buf_append(&whole, passed.bytes, passed.size);
	for (size_t piece = 1; piece < 40; piece++) {
		buf_fini(&heard);
		buf_fini(&passed);
		ask_everything();
		say_everything();
		assert_true(deliver(piece));
		assert_int_equal(passed.size, whole.size);
		assert_memory_equal(passed.bytes, whole.bytes, whole.size);
		expect_heard(everything_heard);
		assert_int_equal(backend->held.size, 0);
	}
	buf_fini(&whole);
}

static void half_a_message_is_not_quiet(void **unused)
{
	(void)unused;
	ask(REQUEST_QUERY);
	SAY('C', "SELECT 1\0");
	SAY('Z', "I");
	assert_true(deliver(SIZE_MAX));
	assert_true(backend_quiet(backend));
	SAY('N', "SNOTICE\0\0");
	said.size = 3;
	assert_true(deliver(SIZE_MAX));
	assert_false(backend_quiet(backend));
	buf_append(&said, "\0\15SNOT", 6);
	assert_true(deliver(SIZE_MAX));
	assert_false(backend_quiet(backend));
	buf_append(&said, "ICE\0\0", 5);
	assert_true(deliver(SIZE_MAX));
	assert_true(backend_quiet(backend));
	ask(REQUEST_QUERY);
	SAY('Z', "T");
	assert_true(deliver(SIZE_MAX));
	assert_false(backend_quiet(backend));
}

/* --- What was not asked for --- */

static void a_reply_not_asked_for_is_broken(void **unused)
{
	static const struct {
		enum request_kind asked;
		const char *never;      /* Types of replies that belong to something else. */
	} table_of[] = {
		{ REQUEST_NONE, "123CDGHITVWZcdnst" },
		{ REQUEST_QUERY, "123Vnt" },
		{ REQUEST_FUNCTION_CALL, "123CDGHITWcdnst" },
		{ REQUEST_PARSE, "23CDGHITVWZcdnst" },
		{ REQUEST_BIND, "13CDGHITVWZcdnst" },
		{ REQUEST_DESCRIBE, "123CDGHIVWZcds" },
		{ REQUEST_EXECUTE, "123VZnt" },
		{ REQUEST_CLOSE, "12CDGHITVWZcdnst" },
		{ REQUEST_SYNC, "123CDGHITVWcdnst" },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(table_of); i++) {
		for (const char *type = table_of[i].never; *type; type++) {
			if (table_of[i].asked != REQUEST_NONE)
				ask(table_of[i].asked);
			say_bytes(*type, "I", *type == 'Z' || *type == 'C');
			expect_broken();
		}
	}
}

static void an_error_to_nothing_is_broken_unless_it_is_the_end(void **unused)
{
	(void)unused;
	say_error("ERROR", "XX000");
	expect_broken();
	say_error("FATAL", "57P01");
	assert_true(deliver(SIZE_MAX));
	assert_true(backend->said_fatal);
	expect_heard("error(none 57P01) ");
	expect_passed("E");
}

static void notices_parameters_and_notifications_need_no_request(void **unused)
{
	(void)unused;
	SAY('N', "SNOTICE\0\0");
	SAY('S', "TimeZone\0UTC\0");
	SAY('A', "\0\0\0\1c\0\0");
	assert_true(deliver(SIZE_MAX));
	expect_passed("NSA");
	expect_heard("");
}

/* --- What is no message of a server --- */

static void unknown_types_and_impossible_lengths_are_broken(void **unused)
{
	static const struct {
		const char *bytes;
		size_t size;
	} wrong[] = {
		{ "x\0\0\0\4", 5 },                     /* No such type. */
		{ "Q\0\0\0\4", 5 },                     /* A client's. */
		{ "R\0\0\0\10\0\0\0\0", 9 },            /* Of the login. */
		{ "\0\0\0\0\4", 5 },
		{ "\377\0\0\0\4", 5 },
		{ "D\0\0\0\3", 5 },                     /* Shorter than its own length word. */
		{ "D\0\0\0\0", 5 },
		{ "D\377\377\377\377", 5 },
		{ "D\100\0\0\0", 5 },
		{ "E\100\0\0\0", 5 },
		{ "C\0\0\1\0", 5 },                     /* No tag is that long. */
		{ "C\0\0\0\4", 5 },
		{ "C\0\0\0\6SE", 7 },                   /* No NUL. */
		{ "I\0\0\0\5x", 6 },
		{ "Z\0\0\0\4", 5 },
		{ "Z\0\0\0\5X", 6 },
		{ "Z\0\0\0\6II", 7 },
		{ "S\0\0\0\4", 5 },
		{ "S\0\0\0\10name", 9 },
		{ "S\0\0\0\11name\0", 10 },             /* No value. */
		{ "S\0\0\0\13name\0on", 12 },
		{ "S\0\20\0\0", 5 },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ask(REQUEST_QUERY);
		buf_append(&said, wrong[i].bytes, wrong[i].size);
		expect_broken();
	}
}

/* Told as soon as its first five bytes are there, not when all of it has been waited for. */
static void what_stands_before_the_wrong_message_is_passed(void **unused)
{
	(void)unused;
	ask(REQUEST_QUERY);
	SAY('T', "\0\0");
	buf_append(&said, "D\377\377\377\377", 5);
	assert_false(deliver(SIZE_MAX));
	expect_passed("T");
}

/* --- Errors --- */

static void an_error_undoes_latest_first_up_to_the_sync(void **unused)
{
	(void)unused;
	prepared_add(&backend->prepared, ask_named(REQUEST_PARSE, "a"));
	ask(REQUEST_BIND);
	ask(REQUEST_EXECUTE);
	struct statement *b = ask_named(REQUEST_CLOSE, "b");

	ask_named(REQUEST_LOCAL_PARSE, "l");
	ask(REQUEST_SYNC);
	struct statement *c = ask_named(REQUEST_PARSE, "c");

	prepared_add(&backend->prepared, c);
	ask(REQUEST_SYNC);
	say_error("ERROR", "42601");
	assert_true(deliver(SIZE_MAX));
	expect_heard("error(parse a 42601) undone(local_parse l) undone(close b) undone(execute) undone(bind) undone(parse a) ");
	expect_passed("E");
	/* What was to be prepared is not there, what was to be closed still is, and what comes later is not touched. */
	assert_int_equal(prepared_count(&backend->prepared), 2);
	assert_true(prepared_has(&backend->prepared, b));
	assert_true(prepared_has(&backend->prepared, c));
	assert_int_equal(requests_first_kind(&backend->requests), REQUEST_SYNC);
	SAY('Z', "I");
	SAY('1', "");
	SAY('Z', "I");
	assert_true(deliver(SIZE_MAX));
	expect_heard("ready(sync I) ready(sync I) ");
	assert_true(atomic_load(&c->proven));
}

/* A simple query has no Sync: its ReadyForQuery comes by itself, and what was asked behind it runs. */
static void an_error_in_a_simple_query_undoes_nothing(void **unused)
{
	(void)unused;
	ask(REQUEST_QUERY);
	ask(REQUEST_PARSE);
	ask(REQUEST_SYNC);
	say_error("ERROR", "42601");
	SAY('Z', "I");
	SAY('1', "");
	SAY('Z', "I");
	assert_true(deliver(1));
	expect_heard("error(query 42601) ready(query I) ready(sync I) ");
	expect_passed("EZ1Z");
}

static void an_error_the_borrower_takes_is_not_passed(void **unused)
{
	(void)unused;
	take_errors = true;
	ask(REQUEST_BIND);
	ask(REQUEST_SYNC);
	say_error("ERROR", "26000");
	SAY('Z', "I");
	assert_true(deliver(1));
	expect_heard("error(bind 26000) undone(bind) ready(sync I) ");
	expect_passed("Z");
}

/* The client has to hear all of a long one, though no more than its start is looked at. */
static void a_long_error_is_passed_whole(void **unused)
{
	char *text = mem_alloc(100001);

	(void)unused;
	memset(text, 'x', 100000);
	ask(REQUEST_QUERY);
	wire_put_error(&said, &(struct wire_error){ .severity = "ERROR", .sqlstate = "22000", .message = text });
	SAY('Z', "I");
	mem_free(text);
	size_t size = said.size;

	assert_true(deliver(1000));
	assert_int_equal(passed.size, size);
	expect_passed("EZ");
	expect_heard("error(query 22000) ready(query I) ");
}

static void a_fatal_error_announces_the_end(void **unused)
{
	(void)unused;
	ask(REQUEST_EXECUTE);
	ask(REQUEST_SYNC);
	say_error("ERROR", "22012");
	assert_true(deliver(SIZE_MAX));
	assert_false(backend->said_fatal);
	/* The localized severity says nothing where there is the other one, and all there is where there is not. */
	SAY('E', "SFATAL\0VERROR\0C22012\0\0");
	assert_true(deliver(SIZE_MAX));
	assert_false(backend->said_fatal);
	SAY('E', "SPANIC\0C57P02\0\0");
	assert_true(deliver(SIZE_MAX));
	assert_true(backend->said_fatal);
}

/* --- Answers of our own --- */

static void a_local_parse_is_answered_in_its_turn(void **unused)
{
	(void)unused;
	ask(REQUEST_BIND);
	ask_named(REQUEST_LOCAL_PARSE, "a");
	ask(REQUEST_BIND);
	ask_named(REQUEST_LOCAL_CLOSE, "b");
	ask(REQUEST_SYNC);
	backend_settle(backend);
	expect_heard("");
	SAY('2', "");
	assert_true(deliver(SIZE_MAX));
	expect_heard("");
	/* A notice is no answer, but it may belong to what comes behind. */
	SAY('N', "SNOTICE\0\0");
	assert_true(deliver(SIZE_MAX));
	expect_heard("@5 local(local_parse a) ");
	SAY('2', "");
	assert_true(deliver(SIZE_MAX));
	expect_heard("");
	SAY('Z', "I");
	assert_true(deliver(SIZE_MAX));
	expect_heard("@24 local(local_close b) ready(sync I) ");
	expect_passed("2N2Z");
}

/* After a Flush no reply will come that could bring its turn. */
static void settling_answers_what_stands_first(void **unused)
{
	(void)unused;
	ask_named(REQUEST_LOCAL_PARSE, "a");
	ask_named(REQUEST_LOCAL_CLOSE, "b");
	ask(REQUEST_DESCRIBE);
	ask_named(REQUEST_LOCAL_PARSE, "c");
	backend_settle(backend);
	expect_heard("@0 local(local_parse a) @0 local(local_close b) ");
	assert_int_equal(requests_first_kind(&backend->requests), REQUEST_DESCRIBE);
	assert_int_equal(requests_count(&backend->requests), 2);
}

/* --- COPY --- */

static void syncs_inside_copy_in_are_dropped(void **unused)
{
	(void)unused;
	ask(REQUEST_EXECUTE);
	ask(REQUEST_SYNC);
	SAY('G', "\0\0\0");
	assert_true(deliver(SIZE_MAX));
	assert_int_equal(backend->copy, BACKEND_COPY_IN);
	assert_int_equal(requests_count(&backend->requests), 1);
	ask(REQUEST_COPY_END);
	ask(REQUEST_SYNC);
	SAY('C', "COPY 3\0");
	SAY('Z', "I");
	assert_true(deliver(SIZE_MAX));
	expect_heard("tag(COPY 3) ready(sync I) ");
	assert_true(backend_quiet(backend));
	assert_int_equal(backend->copy, BACKEND_COPY_NONE);
}

/* The client may have said all of it before the server has answered anything. */
static void only_syncs_before_the_end_of_copy_data_are_dropped(void **unused)
{
	(void)unused;
	ask(REQUEST_EXECUTE);
	ask(REQUEST_SYNC);
	ask(REQUEST_COPY_END);
	ask(REQUEST_SYNC);
	SAY('G', "\0\0\0");
	assert_true(deliver(SIZE_MAX));
	assert_int_equal(backend->copy, BACKEND_COPY_NONE);
	assert_int_equal(requests_count(&backend->requests), 3);
	SAY('C', "COPY 0\0");
	SAY('Z', "I");
	assert_true(deliver(SIZE_MAX));
	expect_heard("tag(COPY 0) ready(sync I) ");
	assert_true(backend_quiet(backend));
}

/* Whoever took it for the end of the query would lend a connection that has more to say. */
static void a_failed_query_ends_with_ready_for_query(void **unused)
{
	(void)unused;
	ask(REQUEST_QUERY);
	say_error("ERROR", "22012");
	assert_true(deliver(SIZE_MAX));
	say_error("ERROR", "22012");
	assert_false(deliver(SIZE_MAX));
}

static void a_failed_copy_is_no_copy(void **unused)
{
	(void)unused;
	backend->replication = true;
	ask(REQUEST_QUERY);
	SAY('W', "\0\0\0");
	assert_true(deliver(SIZE_MAX));
	assert_int_equal(backend->copy, BACKEND_COPY_BOTH);
	say_error("ERROR", "22P04");
	assert_true(deliver(SIZE_MAX));
	assert_int_equal(backend->copy, BACKEND_COPY_NONE);
}

/* --- What was asked by us --- */

static void answers_to_injected_requests_are_swallowed(void **unused)
{
	(void)unused;
	ask_flagged(REQUEST_QUERY, REQUEST_INJECTED | REQUEST_SETUP);
	ask_flagged(REQUEST_PARSE, REQUEST_INJECTED);
	ask(REQUEST_BIND);
	ask(REQUEST_SYNC);
	SAY('T', "\0\0");
	SAY('D', "\0\0");
	SAY('S', "TimeZone\0UTC\0");
	SAY('N', "SNOTICE\0\0");
	SAY('A', "\0\0\0\1c\0\0");
	SAY('C', "SELECT 1\0");
	SAY('Z', "I");
	SAY('1', "");
	SAY('2', "");
	SAY('Z', "I");
	assert_true(deliver(1));
	/* Who listens wants to hear it whenever it comes. */
	expect_passed("A2Z");
	expect_heard("ready(our query I) ready(sync I) ");
}

/* It is the answer to the client's message that needed the statement. */
static void the_error_of_an_injected_parse_is_the_clients(void **unused)
{
	(void)unused;
	ask_flagged(REQUEST_PARSE, REQUEST_INJECTED);
	ask(REQUEST_BIND);
	ask(REQUEST_SYNC);
	say_error("ERROR", "42P01");
	SAY('Z', "I");
	assert_true(deliver(1));
	expect_passed("EZ");
	expect_heard("error(our parse 42P01) undone(bind) undone(our parse) ready(sync I) ");
}

static void the_error_of_a_setup_is_ours(void **unused)
{
	(void)unused;
	ask_flagged(REQUEST_QUERY, REQUEST_INJECTED | REQUEST_SETUP);
	say_error("ERROR", "22023");
	SAY('Z', "I");
	assert_true(deliver(1));
	expect_passed("");
	expect_heard("error(our query 22023) ready(our query I) ");
}

static void a_muted_backend_passes_nothing(void **unused)
{
	(void)unused;
	backend->mute = true;
	ask(REQUEST_QUERY);
	ask_named(REQUEST_LOCAL_PARSE, "a");
	ask(REQUEST_SYNC);
	SAY('A', "\0\0\0\1c\0\0");
	SAY('D', "\0\0");
	SAY('C', "SELECT 1\0");
	say_error("ERROR", "57014");
	SAY('Z', "I");
	SAY('Z', "I");
	assert_true(deliver(1));
	expect_passed("");
	expect_heard("ready(query I) ready(sync I) ");
	assert_true(backend_quiet(backend));
}

/* --- Statements --- */

static void a_discard_forgets_what_was_prepared(void **unused)
{
	static const char *const tags[] = { "DISCARD ALL", "DEALLOCATE ALL", "DEALLOCATE", "DISCARD PLANS" };
	static const size_t left[] = { 0, 0, 1, 1 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		struct statement *statement = statement_intern(&table, "", 0, "a", 1);

		prepared_add(&backend->prepared, statement);
		statement_unref(&statement);
		ask(REQUEST_QUERY);
		say_bytes('C', tags[i], strlen(tags[i]) + 1);
		SAY('Z', "I");
		assert_true(deliver(SIZE_MAX));
		assert_int_equal(prepared_count(&backend->prepared), left[i]);
	}
}

/* Nobody hears of it, but the pool must not keep a connection whose cleaning failed. */
static void a_query_of_the_pools_that_fails_retires_the_connection(void **unused)
{
	(void)unused;
	backend_free(&backend);
	backend = backend_unowned();
	ask(REQUEST_QUERY);
	say_error("ERROR", "57014");
	SAY('Z', "E");
	assert_true(deliver(SIZE_MAX));
	assert_false(backend->retire);
	ask_flagged(REQUEST_QUERY, REQUEST_INJECTED);
	say_error("ERROR", "XX000");
	assert_true(deliver(SIZE_MAX));
	assert_true(backend->retire);
	assert_int_equal(backend->retire_reason, CLOSE_SERVER_CLEANING_FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_conversation_is_told_as_it_went),
		TEST(pieces_of_any_size_are_told_the_same),
		TEST(half_a_message_is_not_quiet),
		TEST(a_reply_not_asked_for_is_broken),
		TEST(an_error_to_nothing_is_broken_unless_it_is_the_end),
		TEST(notices_parameters_and_notifications_need_no_request),
		TEST(unknown_types_and_impossible_lengths_are_broken),
		TEST(what_stands_before_the_wrong_message_is_passed),
		TEST(an_error_undoes_latest_first_up_to_the_sync),
		TEST(an_error_in_a_simple_query_undoes_nothing),
		TEST(an_error_the_borrower_takes_is_not_passed),
		TEST(a_long_error_is_passed_whole),
		TEST(a_fatal_error_announces_the_end),
		TEST(a_local_parse_is_answered_in_its_turn),
		TEST(settling_answers_what_stands_first),
		TEST(syncs_inside_copy_in_are_dropped),
		TEST(only_syncs_before_the_end_of_copy_data_are_dropped),
		TEST(a_failed_query_ends_with_ready_for_query),
		TEST(a_failed_copy_is_no_copy),
		TEST(answers_to_injected_requests_are_swallowed),
		TEST(the_error_of_an_injected_parse_is_the_clients),
		TEST(the_error_of_a_setup_is_ours),
		TEST(a_muted_backend_passes_nothing),
		TEST(a_discard_forgets_what_was_prepared),
		TEST(a_query_of_the_pools_that_fails_retires_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
