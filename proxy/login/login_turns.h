/* Whose TLS handshake is next on a login thread.
 *
 * A handshake takes a millisecond, and a thread makes one after the other. The addresses that clients come from have
 * turns one after another, each with the client of its that has waited longest: a crowd from one of them is a queue of
 * its own. IPv6 counts by /64. Between two turns the thread does whatever else there is to do. */
#ifndef PGWEIR_LOGIN_TURNS_H
#define PGWEIR_LOGIN_TURNS_H

#include "pgweir/list.h"
#include "pgweir/loop.h"
#include "pgweir/map.h"

struct login;
struct login_origin;

/* Of one login thread, on that thread. */
struct login_turns {
	struct map origins;             /* By address; those that have clients waiting. */
	struct list order;              /* The same, the next one first. */
	struct loop_timer timer;        /* Runs while anybody waits. */
};

/* Part of a login. All zero: it does not wait. */
struct login_turn {
	struct list link;
	struct login_origin *origin;
};

void login_turns_init(struct login_turns *turns, struct loop *loop);
void login_turns_fini(struct login_turns *turns);       /* Nobody waits any more. */
/* login_take_turn() will be called, not from within. One that waits already keeps its place. */
void login_turns_wait(struct login_turns *turns, struct login *login);
void login_turns_leave(struct login_turns *turns, struct login *login);         /* Fine for one that does not wait. */

#endif
