/* What a text says of the end of a transaction that has failed: PostgreSQL runs nothing else in one. */
#ifndef PGWEIR_SESSION_LOST_TEXT_H
#define PGWEIR_SESSION_LOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum lost_text_kind {
	LOST_TEXT_OTHER,
	LOST_TEXT_EMPTY,
	LOST_TEXT_ENDS,                 /* COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION. */
	LOST_TEXT_TO_SAVEPOINT,
};

struct lost_text {
	enum lost_text_kind kind;
	bool commits;                   /* Or would, had it not failed. */
	bool prepares;                  /* For a second phase. */
	bool chains;                    /* AND CHAIN. */
	bool more;                      /* There are statements behind it. */
	char savepoint[64];             /* As PostgreSQL cuts it. */
};

struct lost_text lost_text_read(const char *text, size_t size);

/* It ends the transaction, and nothing else. */
static inline bool lost_text_only_ends(const struct lost_text *text)
{
	return text->kind == LOST_TEXT_ENDS && !text->chains && !text->more;
}

#endif
