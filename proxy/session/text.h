/* Shared by those who look at SQL: text.c and long_text.c. */
#ifndef PGWEIR_SESSION_TEXT_H
#define PGWEIR_SESSION_TEXT_H

#include "session_internal.h"

/* What changes how a text is understood, be it for a while. */
#define TEXT_SCOPE (SCAN_SETS | SCAN_SETS_LOCAL | SCAN_DISCARDS | SCAN_UNKNOWN)

void text_note_effects(struct session *session, uint32_t effects);
bool text_may_define(const struct sql_run *run);
/* The server says how it reads texts when it is ready for the next one. */
bool text_reading_is_unsure(const struct session *session);

#endif
