/* What ends a transaction that has failed, read as PostgreSQL's grammar has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lost_text.h"
#include "pgweir/check.h"
#include "pgweir/mem.h"

/* In memory of exactly its size, so that a sanitizer sees a byte too far. */
static struct lost_text read_exactly(const char *text)
{
	size_t size = strlen(text);
	char *copy = mem_dup(text, size + (size == 0));
	struct lost_text found = lost_text_read(copy, size);

	mem_free(copy);
	return found;
}

enum { COMMITS = 1, PREPARES = 2, CHAINS = 4, MORE = 8 };

static void expect_end(const char *text, unsigned flags)
{
	struct lost_text found = read_exactly(text);

	assert_int_equal(found.kind, LOST_TEXT_ENDS);
	assert_int_equal(found.commits | found.prepares << 1 | found.chains << 2 | found.more << 3, flags);
	assert_int_equal(lost_text_only_ends(&found), !(flags & (CHAINS | MORE)));
}

static void every_spelling_of_an_end_is_one(void **state)
{
	(void)state;
	expect_end("ROLLBACK", 0);
	expect_end("rollback work", 0);
	expect_end("Abort Transaction;", 0);
	expect_end("ROLLBACK AND NO CHAIN", 0);
	expect_end("ROLLBACK TRANSACTION AND CHAIN", CHAINS);
	expect_end("COMMIT", COMMITS);
	expect_end("/* a */ ;; END -- b", COMMITS);
	expect_end("COMMIT WORK AND NO CHAIN;;", COMMITS);
	expect_end("END AND CHAIN", COMMITS | CHAINS);
	expect_end("PREPARE TRANSACTION 'x'", COMMITS | PREPARES);
	expect_end("prepare transaction $$x;y$$ ;", COMMITS | PREPARES);
	expect_end("PREPARE TRANSACTION E'\\''", COMMITS | PREPARES);
}

static void what_stands_behind_an_end_is_seen(void **state)
{
	(void)state;
	expect_end("ROLLBACK; SELECT 1", MORE);
	expect_end("COMMIT;;COMMIT", COMMITS | MORE);
	expect_end("ABORT AND CHAIN; x", CHAINS | MORE);
	expect_end("ROLLBACK; /* nothing */ -- more", 0);
}

/* What PostgreSQL would not take, or would take for another statement. */
static void anything_else_is_something_else(void **state)
{
	static const char *const texts[] = {
		"SELECT 1", "ROLLBACK PREPARED 'x'", "COMMIT PREPARED 'x'", "ROLLBACK 1", "ROLLBACK AND", "ROLLBACK AND NO", "ROLLBACK CHAIN",
		"ABORT TO s", "COMMIT TO s", "ROLLBACK TO", "ROLLBACK TO a b", "ROLLBACK TO SAVEPOINT a b", "ROLLBACK TO 's'", "PREPARE x AS SELECT 1",
		"PREPARE TRANSACTION", "PREPARE TRANSACTION x", "PREPARE TRANSACTION 'x' 'y'", "ROLLBACKS", "\"rollback\"", "ROLLBACK WORK TRANSACTION",
		"SELECT 1; ROLLBACK", "(ROLLBACK)",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (read_exactly(texts[i]).kind != LOST_TEXT_OTHER)
			fail_msg("%s", texts[i]);
	}
}

static void nothing_is_empty(void **state)
{
	static const char *const texts[] = { "", " ", ";", ";; ;", "-- x", "/* x */;" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(read_exactly(texts[i]).kind, LOST_TEXT_EMPTY);
}

static void expect_savepoint(const char *text, const char *name)
{
	struct lost_text found = read_exactly(text);

	assert_int_equal(found.kind, LOST_TEXT_TO_SAVEPOINT);
	assert_string_equal(found.savepoint, name);
}

static void a_savepoint_has_the_name_that_postgresql_would_say(void **state)
{
	(void)state;
	expect_savepoint("ROLLBACK TO s", "s");
	expect_savepoint("ROLLBACK WORK TO SAVEPOINT Mixed;", "mixed");
	expect_savepoint("ROLLBACK TO \"Mixed\"", "Mixed");
	expect_savepoint("ROLLBACK TO \"a\"\"b\"", "a\"b");
	expect_savepoint("ROLLBACK TO savepoint", "savepoint");
	expect_savepoint("ROLLBACK TO SAVEPOINT savepoint; SELECT 1", "savepoint");
	/* 63 bytes are left of a longer one. */
	expect_savepoint("ROLLBACK TO aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_an_end_is_one),
		cmocka_unit_test(what_stands_behind_an_end_is_seen),
		cmocka_unit_test(anything_else_is_something_else),
		cmocka_unit_test(nothing_is_empty),
		cmocka_unit_test(a_savepoint_has_the_name_that_postgresql_would_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
