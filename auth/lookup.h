/* auth_query: asks the server for a user's stored password.
 *
 * Connections and cache live on the control plane's loop; requests come from login threads and answers go back as
 * letters. One query per (database, user) is under way at a time, however many wait for it. */
#ifndef PGWEIR_LOOKUP_H
#define PGWEIR_LOOKUP_H

#include <stdbool.h>

#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

enum lookup_outcome {
	LOOKUP_FOUND,           /* `secret` as pg_authid stores it. */
	LOOKUP_UNKNOWN,         /* No such user, or none that may log in with a password. */
	LOOKUP_FAILED,          /* `error`. */
};

struct lookup_answer {
	enum lookup_outcome outcome;
	bool cached;            /* Not asked for this request: asking anew may bring something else. */
	char *secret;
	struct error error;
};

struct lookup;

/* On the loop of the request, never from within lookup_start(), not after lookup_cancel(). */
typedef void lookup_cb(const struct lookup_answer *answer, void *arg);

struct lookup_request {
	struct config *config;
	const struct config_database *database;         /* With an auth_user. */
	const char *database_name, *user;
	bool anew;              /* The cached answer did not fit; asks again unless it is very young. */
};

struct lookup *lookup_start(const struct lookup_request *request, struct loop *loop, lookup_cb *callback, void *arg)
	MUST_USE;
void lookup_cancel(struct lookup **lookup);             /* NULL is fine. On the loop of the request. */

void lookup_service_start(struct loop *control);
void lookup_service_secrets_changed(void);              /* On the control loop. */
void lookup_service_stop(void);                         /* On the control loop's thread. Who waits is told so. */

#endif
