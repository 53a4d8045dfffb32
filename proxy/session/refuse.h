/* Errors of our own that the server makes, so that the transaction fails there too. */
#ifndef PGWEIR_SESSION_REFUSE_H
#define PGWEIR_SESSION_REFUSE_H

#include "pgweir/session.h"

enum refusal {
	REFUSAL_NONE,
	REFUSAL_TEMPORARY_TABLE,
	REFUSAL_ADVISORY_LOCK,
	REFUSAL_HOLD_CURSOR,
	REFUSAL_LOAD,
	REFUSAL_SEED,
	REFUSAL_CUSTOM_SETTING,
	REFUSAL_SEQUENCE,
	REFUSAL_ON_REPLICA,
	REFUSAL_OWN_NAME,               /* pgweir's own settings: route_setting.h. */
	REFUSAL_OWN_ROUTE,
	REFUSAL_OWN_POSITION,
	REFUSAL_OWN_ALONE,
	REFUSAL_ABORTED,
	REFUSAL_LOST,                   /* The server is: lost.h. */
	REFUSAL_IN_DOUBT,
};
void session_refuse(struct session *session, char type, enum refusal refusal);  /* Instead of a message of that type. */
void session_put_refusal(struct session *session, enum refusal refusal);
void session_append_refusal(enum refusal refusal, struct buf *out);
void session_append_fatal_refusal(enum refusal refusal, struct buf *out);      /* The session ends with it. */

#endif
