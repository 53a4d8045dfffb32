/* Places of clients, counted in all, by database and by user. Any thread. */
#ifndef PGWEIR_CLIENT_SLOT_H
#define PGWEIR_CLIENT_SLOT_H

#include "pgweir/check.h"
#include "pgweir/login.h"

/* NULL: `limit` clients are here already. 0: no limit. */
struct client_slot *client_slot_new(unsigned limit) MUST_USE;

enum client_slot_joined { CLIENT_SLOT_JOINED, CLIENT_SLOT_DATABASE_FULL, CLIENT_SLOT_USER_FULL };
/* Counts the client under its database and user. Limits as above. Once per slot, which is another one then. */
enum client_slot_joined client_slot_join(struct client_slot **slot, const char *database, unsigned database_limit,
	const char *user, unsigned user_limit) MUST_USE;

#endif
