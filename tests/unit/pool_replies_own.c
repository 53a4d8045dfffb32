/* What pgweir answers itself, asks itself, and concludes from what it hears. */
#include "reply_fixture.h"

/* --- Answers of our own --- */

static void a_local_parse_is_answered_in_its_turn(void **unused)
{
	(void)unused;
	ask(REQUEST_BIND);
	ask_named(REQUEST_LOCAL_PARSE, "a");
	ask(REQUEST_BIND);
	ask_named(REQUEST_LOCAL_CLOSE, "b");
	ask(REQUEST_SYNC);
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
	/* Never within a message of the server's. */
	SAY('T', "\0\0");
	assert_true(deliver(6));
	expect_heard("@7 local(local_parse c) ");
	assert_int_equal(requests_count(&backend->requests), 0);
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
		struct statement *statement = statement_intern(&reply_statements, "", 0, "a", 1);

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
	backend = reply_backend_unowned();
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPLY_TEST(a_local_parse_is_answered_in_its_turn),
		REPLY_TEST(settling_answers_what_stands_first),
		REPLY_TEST(answers_to_injected_requests_are_swallowed),
		REPLY_TEST(the_error_of_an_injected_parse_is_the_clients),
		REPLY_TEST(the_error_of_a_setup_is_ours),
		REPLY_TEST(a_muted_backend_passes_nothing),
		REPLY_TEST(a_discard_forgets_what_was_prepared),
		REPLY_TEST(a_query_of_the_pools_that_fails_retires_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
