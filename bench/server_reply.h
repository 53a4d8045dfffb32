/* What the bench server answers: a message in, its reply appended. Knows the protocol's shape and
 * computes nothing. Not for correctness tests: nothing ever fails here. */
#ifndef BENCH_SERVER_REPLY_H
#define BENCH_SERVER_REPLY_H

#include "bench_wire.h"

#define REPLY_NAME_SLOTS 256
#define REPLY_VALUE_BYTES 64
#define REPLY_SETTINGS 13

/* What one session remembers. Statement and portal names are remembered by hash alone: two names that fall
 * together share a slot, which could at worst describe a COMMIT as a SELECT. */
struct reply_session {
	char status;                                    /* 'I' or 'T', as ReadyForQuery has it. */
	uint8_t statements[REPLY_NAME_SLOTS];           /* Numbers of server_command.h. */
	uint8_t portals[REPLY_NAME_SLOTS];
	char values[REPLY_SETTINGS][REPLY_VALUE_BYTES]; /* Of the parameters that are reported: server_setting.h. */
	unsigned changed;                               /* Bits of them, not reported yet. */
};

/* Fills in the session from a startup packet (its body) and appends everything up to ReadyForQuery. */
void reply_to_startup(struct reply_session *session, const struct wire_message *message, uint32_t process_id,
		      struct bytes *out);
/* False: the client says goodbye, or what it sent has no place here. */
bool reply_to_message(struct reply_session *session, const struct wire_message *message, struct bytes *out);

#endif
