/* What each message of a client is, and what becomes of it (client_message.c); from_client.c walks along them. */
#ifndef PGWEIR_CLIENT_MESSAGE_H
#define PGWEIR_CLIENT_MESSAGE_H

#include "session_internal.h"

enum verdict { VERDICT_FORWARD, VERDICT_DROP, VERDICT_CLOSED };

enum needs_server {
	ALONE,                          /* Its handler knows what to do without a server. */
	SERVER,
	SERVER_UNLESS_KNOWN,            /* prepared_parse_alone() may have the answer. */
};

struct message_rule {
	const char *name;
	uint32_t largest;               /* Bytes, header included. 0: there is no such message. */
	uint32_t looked_at;             /* How many of them must be there before the message is dealt with. */
	enum needs_server server;
	bool in_copy;                   /* Legal while the server waits for copy data. */
	/* May put something of its own in front and set `*skip` to how much of the message not to forward. */
	enum verdict (*handle)(struct session *session, const char *message, size_t size, size_t *skip);
};

extern const struct message_rule client_message_rules[256];    /* By type. */

void client_message_say_ready(struct session *session);         /* ReadyForQuery, of our own. */

/* turn.c: whether it can be dealt with now; `size` of its bytes are to be looked at, `left` are there. */
bool client_message_has_turn(struct session *session, const struct message_rule *rule, const char *message, size_t size, size_t left);
void client_message_flush(struct session *session);             /* Puts a Flush ahead of it. */

#endif
