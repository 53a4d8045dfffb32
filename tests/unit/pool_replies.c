/* What a server says, held against what it was asked: told as it went, in pieces of any size; and what it cannot say. */
#include "reply_fixture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPLY_TEST(a_whole_conversation_is_told_as_it_went),
		REPLY_TEST(pieces_of_any_size_are_told_the_same),
		REPLY_TEST(half_a_message_is_not_quiet),
		REPLY_TEST(a_reply_not_asked_for_is_broken),
		REPLY_TEST(an_error_to_nothing_is_broken_unless_it_is_the_end),
		REPLY_TEST(notices_parameters_and_notifications_need_no_request),
		REPLY_TEST(unknown_types_and_impossible_lengths_are_broken),
		REPLY_TEST(what_stands_before_the_wrong_message_is_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
