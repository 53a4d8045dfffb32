/* Statements that could not be prepared on the server connection at hand, and what their clients are told (missing.c). */
#ifndef PGWEIR_MISSING_H
#define PGWEIR_MISSING_H

#include "session_internal.h"

void missing_note(struct session *session, const char *name, const char *body, size_t size);
void missing_retried(struct session *session, const char *name);
bool missing_error(struct session *session, const char *body, size_t size, struct buf *instead);    /* True: this instead. */
void missing_add(const struct session *session, struct state_builder *now);
void missing_forget_all(struct session *session);

#endif
