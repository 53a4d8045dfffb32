/* Who listens to what a server connection says. */
#ifndef PGWEIR_BACKEND_SINK_H
#define PGWEIR_BACKEND_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/requests.h"

/* What a borrower hears while bytes are received. None of these may release or close the backend; act after
 * backend_receive() has returned. */
struct backend_sink {
	/* The connection is ready for what loop_what bits say, while the backend is lent. */
	void (*event)(void *owner, unsigned what);
	/* These bytes of the server's are the client's. They stay valid until flush(), or until the caller of
	 * backend_receive() lets go of its own. */
	void (*pass)(void *owner, const char *bytes, size_t size);
	/* Send what was passed. Bytes may go away afterwards. */
	void (*flush)(void *owner);
	/* The turn of a request that we answer ourselves has come. */
	void (*local)(void *owner, const struct request *request);
	/* The request failed, or was skipped because one before it failed. Latest first. */
	void (*undone)(void *owner, const struct request *request);
	/* An ErrorResponse to `request` (its kind may be REQUEST_NONE). True: the owner has dealt with it, do not pass it. */
	bool (*error)(void *owner, const struct request *request, const char *body, size_t size);
	/* A row, whole, in answer to a query of the owner's own. */
	void (*row)(void *owner, const char *message, size_t size);
	/* A NotificationResponse, whole. True: it is the client's as it stands. */
	bool (*notification)(void *owner, const char *message, size_t size);
	/* A CommandComplete; `tag` ends with a NUL. */
	void (*tag)(void *owner, const char *tag);
	/* ReadyForQuery to a request of the owner's, or to an injected one. */
	void (*ready)(void *owner, const struct request *request, char status);
};

#endif
