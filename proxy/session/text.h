/* Shared by those who look at SQL: text.c, text_words.c and long_text.c. */
#ifndef PGWEIR_SESSION_TEXT_H
#define PGWEIR_SESSION_TEXT_H

#include "session_internal.h"

/* What changes how a text is understood, be it for a while. */
#define TEXT_SCOPE (SCAN_SETS | SCAN_SETS_LOCAL | SCAN_DISCARDS | SCAN_UNKNOWN)

void text_note_effects(struct session *session, uint32_t effects);
/* The server says how it reads texts when it is ready for the next one. */
bool text_reading_is_unsure(const struct session *session);

/* text_words.c: texts end at `size` or at a NUL. */
bool text_mentions(const char *text, size_t size, const char *word);
/* DDL whose tag may be another's: of CREATE TABLE AS and SELECT INTO it is SELECT's, and DO has its own. */
bool text_may_define(const struct sql_run *run);
bool text_may_need_idle_database(const char *text, size_t size);
/* ON COMMIT DROP: what one statement with it makes does not outlive the transaction. */
bool text_drops_on_commit(const char *text, size_t size);

#endif
