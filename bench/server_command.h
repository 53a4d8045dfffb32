/* SQL as far as the bench server knows it: a command is what its first word says. */
#ifndef BENCH_SERVER_COMMAND_H
#define BENCH_SERVER_COMMAND_H

#include "server_reply.h"

/* The rows that every SELECT returns: one of `row_bytes` bytes, or the number 1 where that is 0. Shared, read-only
 * from then on. */
void command_prepare_rows(size_t row_bytes);

/* The number of the command that the text up to `end` begins with. */
uint8_t command_of(const char *text, const char *end);
/* Appends RowDescription, or nothing where there are no rows; returns which. */
bool command_describe(uint8_t command, struct bytes *out);
/* Appends rows and CommandComplete. */
void command_run(struct reply_session *session, uint8_t command, struct bytes *out);
/* All statements of a simple query, without the ReadyForQuery. */
void command_run_text(struct reply_session *session, const char *text, const char *end, struct bytes *out);

/* ParameterStatus for every parameter that PostgreSQL reports at login. */
void command_report_all(const struct reply_session *session, struct bytes *out);
/* Copies at most REPLY_VALUE_BYTES - 1 bytes of a value, and a zero. */
void command_copy_value(char *into, const char *value, size_t length);

#endif
