/* What a client is told whose server is lost: a COMMIT that may have been done is never called undone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lost_judge.h"
#include "pgweir/check.h"
#include "pgweir/scan.h"

enum { UNDONE, IN_DOUBT };

struct example {
	const char *what;
	struct lost_work work;
	int verdict;
	enum lost left;
};

static void expect_all(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (lost_is_in_doubt(&examples[i].work) != (examples[i].verdict == IN_DOUBT))
			fail_msg("%s: the doubt", examples[i].what);
		if (lost_what_is_left(&examples[i].work) != examples[i].left)
			fail_msg("%s: left is %d", examples[i].what, lost_what_is_left(&examples[i].work));
	}
}

#define EFFECTS(bits) .effects = (bits) | LOST_RUNS

static void outside_of_a_transaction_what_runs_is_in_doubt(void **state)
{
	static const struct example examples[] = {
		{ "a write", { .status = 'I', .groups = 1, EFFECTS(SCAN_WRITES) }, IN_DOUBT, LOST_NOTHING },
		{ "what shows nothing may call what writes", { .status = 'I', .groups = 1, EFFECTS(0) }, IN_DOUBT, LOST_NOTHING },
		{ "a write behind another", { .status = 'I', .groups = 2, EFFECTS(SCAN_WRITES) }, IN_DOUBT, LOST_NOTHING },
		{ "a write, and a batch without its Sync", { .status = 'I', .groups = 1, .rest = true, .unsynced = true, EFFECTS(SCAN_WRITES) },
			IN_DOUBT, LOST_NOTHING },
		{ "what SQL has prepared", { .status = 'I', .groups = 1, .may_commit = true, EFFECTS(SCAN_UNKNOWN) }, IN_DOUBT, LOST_NOTHING },
		{ "a CALL that may commit", { .status = 'I', .groups = 1, .may_commit = true, EFFECTS(SCAN_RUNS_CODE | SCAN_UNKNOWN) },
			IN_DOUBT, LOST_NOTHING },
		{ "a text that begins, writes and commits", { .status = 'I', .groups = 1, .may_commit = true,
			EFFECTS(SCAN_BEGINS | SCAN_WRITES | SCAN_ENDS) }, IN_DOUBT, LOST_TRANSACTION },
		{ "BEGIN behind a write", { .status = 'I', .groups = 2, EFFECTS(SCAN_WRITES | SCAN_BEGINS) }, IN_DOUBT, LOST_TRANSACTION },
	};

	(void)state;
	expect_all(examples, ARRAY_LEN(examples));
}

static void outside_of_a_transaction_what_cannot_have_been_done_is_undone(void **state)
{
	static const struct example examples[] = {
		{ "only prepared", { .status = 'I', .groups = 1 }, UNDONE, LOST_NOTHING },
		{ "a read", { .status = 'I', .groups = 1, .only_reads = true, EFFECTS(0) }, UNDONE, LOST_NOTHING },
		{ "BEGIN", { .status = 'I', .groups = 1, EFFECTS(SCAN_BEGINS) }, UNDONE, LOST_TRANSACTION },
		{ "a batch that runs, and has no Sync yet", { .status = 'I', .rest = true, .unsynced = true, EFFECTS(SCAN_WRITES) },
			UNDONE, LOST_NOTHING },
		{ "a batch that is answered, and has no Sync yet", { .status = 'I', .unsynced = true, EFFECTS(SCAN_WRITES) },
			UNDONE, LOST_BATCH },
		{ "a batch that has begun, is answered, and has no Sync yet", { .status = 'I', .unsynced = true, EFFECTS(SCAN_BEGINS) },
			UNDONE, LOST_UNTOLD },
		{ "nothing", { .status = 'I' }, UNDONE, LOST_NOTHING },
	};

	(void)state;
	expect_all(examples, ARRAY_LEN(examples));
}

static void a_transaction_is_in_doubt_with_its_commit_alone(void **state)
{
	static const struct example examples[] = {
		{ "idle", { .status = 'T' }, UNDONE, LOST_UNTOLD },
		{ "a write", { .status = 'T', .groups = 1, EFFECTS(SCAN_WRITES) }, UNDONE, LOST_TRANSACTION },
		{ "a batch without its Sync", { .status = 'T', .rest = true, .unsynced = true, EFFECTS(SCAN_WRITES) }, UNDONE, LOST_TRANSACTION },
		{ "COMMIT", { .status = 'T', .groups = 1, .may_commit = true, EFFECTS(SCAN_ENDS) }, IN_DOUBT, LOST_NOTHING },
		{ "COMMIT without its Sync", { .status = 'T', .rest = true, .may_commit = true, EFFECTS(SCAN_ENDS) }, IN_DOUBT, LOST_NOTHING },
		{ "ROLLBACK", { .status = 'T', .groups = 1, EFFECTS(SCAN_ENDS) }, UNDONE, LOST_NOTHING },
		{ "COMMIT AND CHAIN", { .status = 'T', .groups = 1, .may_commit = true, EFFECTS(SCAN_ENDS | SCAN_BEGINS) },
			IN_DOUBT, LOST_TRANSACTION },
		{ "COMMIT, and the next BEGIN behind it", { .status = 'T', .groups = 2, .may_commit = true, EFFECTS(SCAN_ENDS | SCAN_BEGINS) },
			IN_DOUBT, LOST_TRANSACTION },
		{ "what may be a COMMIT", { .status = 'T', .groups = 1, .may_commit = true, EFFECTS(SCAN_ENDS | SCAN_UNKNOWN) },
			IN_DOUBT, LOST_TRANSACTION },
		{ "COMMIT of what has only read", { .status = 'T', .groups = 1, .may_commit = true, .only_reads = true, EFFECTS(SCAN_ENDS) },
			UNDONE, LOST_NOTHING },
		{ "failed, idle", { .status = 'E' }, UNDONE, LOST_TRANSACTION },
		{ "failed, ROLLBACK", { .status = 'E', .groups = 1, EFFECTS(SCAN_ENDS) }, UNDONE, LOST_NOTHING },
	};

	(void)state;
	expect_all(examples, ARRAY_LEN(examples));
}

static void what_is_made_again_is_made_again(void **state)
{
	static const struct example examples[] = {
		{ "only begun", { .status = 'T', .only_begun = true }, UNDONE, LOST_BEGUN },
		{ "being begun again", { .status = 'I', .lost = LOST_BEGUN }, UNDONE, LOST_BEGUN },
		{ "being begun and failed again", { .status = 'T', .lost = LOST_FAILED }, UNDONE, LOST_FAILED },
	};

	(void)state;
	expect_all(examples, ARRAY_LEN(examples));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outside_of_a_transaction_what_runs_is_in_doubt),
		cmocka_unit_test(outside_of_a_transaction_what_cannot_have_been_done_is_undone),
		cmocka_unit_test(a_transaction_is_in_doubt_with_its_commit_alone),
		cmocka_unit_test(what_is_made_again_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
