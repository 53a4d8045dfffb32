/* SQL as far as the bench server knows it: a command is what its first word says. */
#ifndef BENCH_SERVER_COMMAND_H
#define BENCH_SERVER_COMMAND_H

#include "server_reply.h"

/* The rows that every SELECT returns: one of `row_bytes` bytes, or the number 1 where that is 0. Shared, read-only
 * from then on. */
void command_prepare_rows(size_t row_bytes);

/* The number of the command that the text up to `end` begins with. */
uint8_t command_of(const char *text, const char *end);
/* Is it SELECT set_config(…), which takes its settings from the Bind? */
bool command_sets(uint8_t command);
/* Appends RowDescription, or nothing where there are no rows; returns which. */
bool command_describe(uint8_t command, struct bytes *out);
/* Appends rows and CommandComplete. */
void command_run(struct reply_session *session, uint8_t command, struct bytes *out);
/* All statements of a simple query, without the ReadyForQuery. */
void command_run_text(struct reply_session *session, const char *text, const char *end, struct bytes *out);

#endif
