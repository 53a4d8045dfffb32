/* What the body of a function may leave behind: SQL, PL/pgSQL, or a text with DO.
 *
 * No parser either. The body is cut where a statement can begin (behind a semicolon, BEGIN, THEN, ELSE, LOOP, a label) and
 * each piece is scanned as a statement of its own (scan.h). Where it runs text that it puts together (EXECUTE, DO), its
 * strings are read as bodies, too. */
#ifndef PGWEIR_SCAN_BODY_H
#define PGWEIR_SCAN_BODY_H

#include "pgweir/buf.h"
#include "pgweir/scan.h"

struct scan_body {
	/* For the caller to set; none may be NULL. */
	scan_called_cb *called;
	void (*custom)(const char *name, void *arg);    /* A setting with a dot that it sets, in lower case. */
	void *arg;

	/* For the caller to read, and zero before. */
	uint32_t effects;       /* Those of enum scan_effect, but SCAN_WRITES, which is `writes`. */
	bool writes;            /* To tables. */
	bool defines;           /* Runs DDL. */
	bool computes;          /* The name of a setting. */
	bool opaque;            /* Runs text of which nothing is to be seen, or another language. */
};

/* Effects after which a session may have something that it had not. */
#define SCAN_BODY_LEAVES (SCAN_SETS | SCAN_SETS_CUSTOM | SCAN_PREPARES | SCAN_EXECUTES | SCAN_DEALLOCATES | SCAN_LISTENS \
	| SCAN_UNLISTENS | SCAN_HOLDS | SCAN_LOADS | SCAN_DISCARDS | SCAN_TEMPORARY | SCAN_LOCKS | SCAN_UNLOCKS | SCAN_SEEDS \
	| SCAN_UNKNOWN)

void scan_body(struct scan_body *body, const char *text, size_t size);

/* Appends the text without comments, with one blank where there are some, and with ? for strings and numbers. */
void scan_fingerprint(const char *text, size_t size, struct buf *out);

#endif
