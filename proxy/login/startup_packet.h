/* What a client's StartupMessage asks for. */
#ifndef PGWEIR_STARTUP_PACKET_H
#define PGWEIR_STARTUP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/error.h"
#include "pgweir/state.h"

enum { STARTUP_NEWEST_MINOR = 2, STARTUP_NAME_MAX = 63 };

/* Strings and sets are owned. */
struct startup_request {
	char *user, *database;
	char *replication;              /* "true", "database" or NULL. */
	uint32_t minor;                 /* In force: 0 or 2. */
	bool negotiate;                 /* The client has to be told of `minor` and of `unknown`. */
	char **unknown;                 /* Options named _pq_.… */
	size_t unknown_count;
	struct state *settings, *login_settings;
	struct error *refusal;          /* What is wrong behind them, or NULL: told if a server takes them. */
};

struct startup_request *startup_request_read(const char *packet, size_t size, struct error *error) MUST_USE;
void startup_request_free(struct startup_request **request);   /* NULL is fine. */

#endif
