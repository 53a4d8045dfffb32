/* Whether a text of SQL is a read that a replica may serve, by the scanner's words and the catalog's names.
 *
 * Doubt means primary. What is called a read neither writes nor locks nor changes the session, and calls functions only that
 * the catalog says are not volatile or that are known to do no harm; it may still fail on a replica (a mislabelled function
 * that writes gets 25006), and it may see older rows. What names cannot show is in docs/reads.md.
 *
 * Knows nothing of sessions: transactions, pins, settings and what is fresh enough are the caller's matter. */
#ifndef PGWEIR_READS_H
#define PGWEIR_READS_H

#include "pgweir/route_names.h"
#include "pgweir/route_reason.h"
#include "pgweir/scan.h"

enum { READS_TEXT_MAX = 16384 };        /* Longer ones are not looked at. */

/* One pass for callers who scan anyway:
 *
 *     scan_begin(&scan, flags); reads_begin(&reads, &scan, names); scan_feed(&scan, text, size); scan_end(&scan);
 *     reason = reads_end(&reads, &scan, text, size);
 *
 * The text must be fed in one piece. The answer depends on text, flags and `names` only, and may be kept with them. */
struct reads {
	const struct route_names *names;
	enum route_reason doubt;        /* ROUTE_READ: none so far. */
	char name[SCAN_WORD_MAX + 1];   /* Of the function or relation that the reason is about, or empty. */
};
/* Takes the scan's callbacks. `names` may be NULL: not known yet. */
void reads_begin(struct reads *reads, struct scan *scan, const struct route_names *names);
enum route_reason reads_end(struct reads *reads, const struct scan *scan, const char *text, size_t size);

struct reads_question {
	const char *text;
	size_t size;
	unsigned scan_flags;            /* enum scan_flag */
	const struct route_names *names;
	char *name;                     /* SCAN_WORD_MAX + 1 bytes for struct reads' name, or NULL. */
};
enum route_reason reads_judge(const struct reads_question *question);

/* What a text says of a transaction, if it is one statement that does. */
enum reads_transaction {
	READS_BEGINS = 1 << 0,          /* BEGIN, START TRANSACTION. */
	READS_SETS = 1 << 1,            /* SET TRANSACTION, SET LOCAL TRANSACTION. */
	READS_SETS_SESSION = 1 << 2,    /* SET SESSION CHARACTERISTICS AS TRANSACTION. */
	READS_READ_ONLY = 1 << 3,
	READS_READ_WRITE = 1 << 4,
	READS_SERIALIZABLE = 1 << 5,
	READS_ISOLATION = 1 << 6,       /* Any other level is named. */
	READS_DEFERRABLE = 1 << 7,
	READS_SNAPSHOT = 1 << 8,        /* SET TRANSACTION SNAPSHOT. */
};
/* 0: it is something else, or more than that. Of modes that contradict each other the last counts, as for PostgreSQL. */
unsigned reads_transaction(const char *text, size_t size);

#endif
