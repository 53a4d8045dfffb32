/* How each host takes the values of each [secret].
 *
 * A host keeps the value that worked there last, which need not be the current one: a replica gets a new password later
 * than its primary. A login with any other value, or with that one when it has not been used for a moment, is a trial. One
 * trial is under way at a time per host and secret, and after a round in which the host refused all there is to try, the
 * next one comes later and later: whoever guards that server counts failed logins. Any thread. */
#ifndef PGWEIR_TRIALS_H
#define PGWEIR_TRIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/credentials.h"
#include "pgweir/error.h"

struct trials;          /* Of one host and one secret, or, where the secret names no user, one role that it is for. */

/* For credentials of a secret. Made when first asked for; there until trials_forget_all(). */
struct trials *trials_get(const struct credentials *credentials, const char *host, uint16_t port);
void trials_forget_all(void);           /* At the end of the process. */

/* --- A login --- */

/* The value to begin with, other than those of `refused` (fingerprints): the one that worked last, unless the secret has
 * changed since; then current, pending, previous. NULL: all have been refused. */
struct credentials *trials_choose(struct trials *trials, const struct credentials *wanted, const uint64_t *refused,
	unsigned refused_count) MUST_USE;

enum trials_turn {
	TRIALS_KNOWN,           /* It has worked just now: no trial. */
	TRIALS_BEGUN,           /* A trial, and nobody else's until trials_end(). */
	TRIALS_BUSY,            /* Somebody else's is under way: choose again a little later. */
	TRIALS_LATER,           /* The host has refused everything a moment ago; `error` is what it said. */
};
enum trials_turn trials_begin(struct trials *trials, const struct credentials *credentials, struct error *error) MUST_USE;
void trials_worked(struct trials *trials, const struct credentials *credentials);
void trials_refused(struct trials *trials, const struct credentials *credentials);
void trials_exhausted(struct trials *trials, const struct error *error);        /* There was nothing more to try. */
void trials_end(struct trials *trials);                                         /* After TRIALS_BEGUN, once. */

/* --- What to make of a refusal --- */

/* Is it the password, or the token, that the server minds? 28000 alone may be many things: pg_hba.conf, NOLOGIN. */
bool trials_is_refusal(const struct error *error) MUST_USE;

struct trials_outlook {
	bool hopeful;           /* A rotation seems to be under way, so that waiting helps. */
	uint64_t after_us;      /* When the next trial may come. */
};
struct trials_outlook trials_outlook(struct trials *trials) MUST_USE;

/* While true, the connections that are open may be the only ones to be had. */
bool trials_refusing(const struct trials *trials);

/* True: one connection may be closed for its age, to be replaced. The next one may when a login has worked since, or after
 * a while: a changed password must not be found out with the last of them. */
bool trials_may_recycle(struct trials *trials) MUST_USE;

/* A connection that the value in force there opened, and its end. */
void trials_opened(struct trials *trials);
void trials_closed(struct trials *trials);

/* --- Looking at it --- */

struct trials_sum {
	uint64_t trials, refusals;
	unsigned open, hosts_refusing;
};
void trials_count(const char *secret, struct trials_sum *sum);

#endif
