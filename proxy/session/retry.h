/* "cached plan must not change result type", seen by those who can do something about it, and unseen by the others. */
#ifndef PGWEIR_RETRY_H
#define PGWEIR_RETRY_H

#include "pgweir/session.h"

/* A client's messages, on their way to a server: the first one of some, and all that were taken of them. */
void retry_begin(struct session *session, const char *bytes, size_t size);
void retry_keep(struct session *session, const char *bytes, size_t size);
/* True if the error need not be seen: the batch will be run again. */
bool retry_wanted(struct session *session, const struct request *request, const char *body, size_t size);
/* True: it is told the error that is appended instead. */
bool retry_explains(struct session *session, const struct request *request, const char *body, size_t size, struct buf *out);
void retry_start(struct session *session);

#endif
