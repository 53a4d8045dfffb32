/* What is said of work whose server is lost, and what is left of it. */
#ifndef PGWEIR_SESSION_LOST_JUDGE_H
#define PGWEIR_SESSION_LOST_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lost.h"

struct lost_work {
	unsigned groups;                /* Under way: that were to be answered with a ReadyForQuery. */
	bool rest;                      /* Something behind them, with no Sync yet. */
	uint32_t effects;               /* What was sent may have: enum scan_effect, and LOST_RUNS. */
	bool may_commit;                /* One of its texts may end a transaction other than by undoing it. */
	bool only_reads;                /* It ran on a replica, or has been judged to be a read. */
	char status;                    /* Of the last ReadyForQuery. */
	bool unsynced;                  /* Extended messages were sent and no Sync behind them. */
	bool only_begun;                /* lost_has_only_begun() */
	enum lost lost;                 /* What was being made there, if anything. */
};

/* Besides the effects: there is something that runs, be it without any. */
#define LOST_RUNS (1u << 31)

/* Some of it may have been committed. */
bool lost_is_in_doubt(const struct lost_work *work);
/* What the client is in from now on. */
enum lost lost_what_is_left(const struct lost_work *work);

#endif
