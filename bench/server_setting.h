/* The parameters that the bench server reports, as PostgreSQL does: all at login, and each that has changed ahead of the next
 * ReadyForQuery. Others are taken and forgotten. Also the few words of SQL that are needed to read a SET. */
#ifndef BENCH_SERVER_SETTING_H
#define BENCH_SERVER_SETTING_H

#include "server_reply.h"

/* The values of a session that has said nothing. */
void setting_init(struct reply_session *session);
void setting_set(struct reply_session *session, const char *name, size_t name_length, const char *value, size_t length);
/* SET [SESSION] name TO|= value. */
void setting_set_by_text(struct reply_session *session, const char *text, const char *end);
/* The values of a Bind are names and values by turns, all text: set_config($1,$2,false), … `offset` is behind the names of portal
 * and statement. */
void setting_set_by_bind(struct reply_session *session, const struct wire_message *message, size_t offset);

/* ParameterStatus for all, or for what has changed since. */
void setting_report_all(struct reply_session *session, struct bytes *out);
void setting_report_changed(struct reply_session *session, struct bytes *out);

/* Also semicolons. */
const char *text_skip_blank(const char *at, const char *end);
size_t text_word_length(const char *at, const char *end);
bool text_is_word(const char *at, size_t length, const char *word);

#endif
