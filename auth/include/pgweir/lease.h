/* What the control plane knows of each [secret] right now.
 *
 * A lease is an immutable, reference-counted value. The control plane publishes one per section; login threads and
 * workers take references when a login begins, never for a query. Where values come from is not known here: that is
 * the business of the secrets library, which stands on this one. What a lease holds is wiped with its last reference. */
#ifndef PGWEIR_LEASE_H
#define PGWEIR_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/config.h"

/* What a secret says, whatever its shape. Each may be NULL but for the password of a value that is complete. */
struct lease_value {
	char *username, *password, *host, *dbname;
	char *version_id;               /* What its source calls this version, or NULL: for people, and to tell the same again. */
	uint16_t port;                  /* 0: not said. */
};

/* What a source says at one time. Where it knows no stages, `current` alone. */
struct lease_values {
	struct lease_value current, pending, previous;
	bool rotating;                  /* A version to come is known of, though perhaps not its value. */
	uint64_t age_us;                /* Of `current`, where the source knows it: counts for the first value. 0: it does not. */
};

void lease_values_fini(struct lease_values *values);    /* Wipes. */

void lease_value_fini(struct lease_value *value);       /* Wipes. */
void lease_value_copy(struct lease_value *to, const struct lease_value *from);  /* `to` was empty. */
/* The same contents, whatever their version ids? In constant time where passwords are compared. */
bool lease_value_equal(const struct lease_value *a, const struct lease_value *b) MUST_USE;

struct lease {
	_Atomic unsigned references;
	char *name;                     /* Of the section. */
	struct lease_value value;       /* No password: there has never been a value yet. */
	struct lease_value previous;    /* No password: there has been no other. */
	struct lease_value pending;     /* What a rotation under way will make current. No password: none is known of. */
	bool rotating;                  /* There is a version to come, and `pending` may be empty: nobody lets us read it. */
	const char *stage;              /* "current", or "" without a value. */
	bool awaited;                   /* There is no value yet, but one may come: the first reading is under way. */
	bool on_demand;                 /* There never is: each login gets a value of its own. */
	bool revoked;                   /* Nobody is to log in with what was in force before the value of now. */
	uint64_t version;               /* Counts values of this process, 1 is the first: says nothing about them. 0: none. */
	uint64_t serial;                /* Grows with each publication of any secret: the greater one is the newer. */
	uint64_t fetched_us;            /* clock_now_us() of the last good reading, */
	uint64_t changed_us;            /* and of the one that brought this value. */
	bool dated;                     /* The latter is the time of a change, and not only when the first value was seen. */
	char *problem;                  /* Why the last reading brought nothing, or NULL. Holds no value. */
};

struct lease *lease_ref(struct lease *lease);
void lease_unref(struct lease **lease);                 /* NULL is fine. */

/* --- Publishing: the control plane only --- */

/* In place of the secret's former one. Takes over what `values` and `problem` hold. Without a password in `current` all
 * former values stay. Else `current` and `pending` are what counts, empty or not, and the previous value is what `values`
 * say, or, where they say none, the former `current` once that differs. True: there is another current value than
 * before; `version` and `serial` tell whether there is another login in it. */
bool lease_publish(const char *name, struct lease_values *values, char *problem);
/* For a secret of which nothing is known yet: its first reading is under way, or there is none, since each login gets a
 * value of its own. A former value stays with the first. */
void lease_publish_awaited(const char *name);
void lease_publish_on_demand(const char *name);
/* Ends what the previous value is good for at once, until there is another current value. False: no such secret. */
bool lease_revoke(const char *name) MUST_USE;
void lease_forget(const char *name);                    /* The section is gone. */
void lease_forget_all(void);

/* --- Any thread --- */

/* A reference, or NULL where no such secret is published. */
struct lease *lease_find(const char *name) MUST_USE;
/* True while clients may still log in with the previous value. */
bool lease_in_grace(const struct lease *lease, uint64_t grace_ms) MUST_USE;

#endif
