/* What errors, and COPY, do to the requests behind them. */
#include "pgweir/mem.h"
#include "reply_fixture.h"

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
	reply_take_errors = true;
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
	assert_int_equal(requests_count(&backend->requests), 2);
	SAY('C', "COPY 0\0");
	SAY('Z', "I");
	assert_true(deliver(SIZE_MAX));
	expect_heard("tag(COPY 0) ready(sync I) ");
	assert_true(backend_quiet(backend));
}

/* Of one query; the client may know of the second one by then, or not. */
static void each_copy_in_has_an_end_of_its_own(void **unused)
{
	(void)unused;
	ask(REQUEST_QUERY);
	ask(REQUEST_COPY_END);
	SAY('G', "\0\0\0");
	assert_true(deliver(SIZE_MAX));
	assert_int_equal(backend->copy, BACKEND_COPY_NONE);
	ask(REQUEST_SYNC);
	SAY('C', "COPY 1\0");
	SAY('G', "\0\0\0");
	assert_true(deliver(SIZE_MAX));
	assert_int_equal(backend->copy, BACKEND_COPY_IN);
	assert_int_equal(requests_count(&backend->requests), 1);
	SAY('C', "COPY 1\0");
	SAY('Z', "I");
	assert_true(deliver(SIZE_MAX));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPLY_TEST(an_error_undoes_latest_first_up_to_the_sync),
		REPLY_TEST(an_error_in_a_simple_query_undoes_nothing),
		REPLY_TEST(an_error_the_borrower_takes_is_not_passed),
		REPLY_TEST(a_long_error_is_passed_whole),
		REPLY_TEST(a_fatal_error_announces_the_end),
		REPLY_TEST(syncs_inside_copy_in_are_dropped),
		REPLY_TEST(only_syncs_before_the_end_of_copy_data_are_dropped),
		REPLY_TEST(each_copy_in_has_an_end_of_its_own),
		REPLY_TEST(a_failed_query_ends_with_ready_for_query),
		REPLY_TEST(a_failed_copy_is_no_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
