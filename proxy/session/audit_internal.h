/* What the files of the audit share. */
#ifndef PGWEIR_AUDIT_INTERNAL_H
#define PGWEIR_AUDIT_INTERNAL_H

#include "pgweir/functions.h"
#include "session_internal.h"

enum { AUDIT_TEXT_MAX = 80 };

struct audit {
	bool asks;                      /* The question after the transaction is ours. */
	bool wanted;                    /* There was no list of functions when it was needed. */
	bool refresh;                   /* It is to be asked for again. */
	/* What was run while there was no list, to be judged when there is one. */
	bool unread, wrote;
	struct map called;
	struct functions_builder *builder;      /* While the list is being read. */
	bool load_failed;
	/* Who is to blame, for the log. */
	char function[SCAN_WORD_MAX + 1];
	uint64_t statement;             /* A hash; 0: nobody is. */
	char text[AUDIT_TEXT_MAX + 1];
};

/* The one that the worker knows, or NULL if it is out of date. */
const struct functions *audit_functions(const struct session *session);
void audit_adopt(struct pool_share *share);
struct audit *audit_of(struct session *session);       /* Makes it, if it is not there. */
/* With the list that was wanted. */
void audit_judge_pending(struct session *session);
/* Something was `found`; at most once per function and hour. */
void audit_tell(struct session *session, const char *found);

/* --- What a text may leave behind (audit_judge.c) --- */

struct audit_judging {
	struct session *session;
	const struct functions *functions;      /* NULL: not known. */
	uint32_t flags;                 /* enum functions_flag */
	char function[SCAN_WORD_MAX + 1];       /* The first that has any. */
};

/* All of these add to `flags`. */
void audit_judge(struct audit_judging *judging, const struct sql_run *run, uint32_t effects);
void audit_judge_called(const char *name, size_t size, void *judging);
void audit_judge_unread(struct audit_judging *judging);         /* A text that nobody has seen. */
void audit_judge_writes(struct audit_judging *judging);         /* Triggers, defaults and their like run. */
/* Somebody has called that: a function with a name, or what stands for several. */
void audit_blame(struct audit_judging *judging, const struct functions_mark *mark, const char *name, size_t size);

#endif
