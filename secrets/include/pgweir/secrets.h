/* The service that keeps leases (lease.h) up to date: reads what [secret] sections name, watches files, reads again.
 *
 * It lives on the control plane's loop. A value that cannot be read, or not as a whole, leaves the last good one in
 * force. Nothing here logs, shows or returns a part of a value but user, host, port and database name. */
#ifndef PGWEIR_SECRETS_H
#define PGWEIR_SECRETS_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/lease.h"
#include "pgweir/loop.h"

/* --- The service, on the control loop's thread --- */

/* Called after a secret's value has changed, within whatever found that out. */
typedef void secrets_changed_cb(void *arg);

void secrets_start(struct loop *control, secrets_changed_cb *changed, void *arg);
void secrets_stop(void);                /* Leases are forgotten. Rereads under way are answered. */
/* Takes the sections of a new snapshot: each is read before this returns, and its lease published. */
void secrets_configure(struct config *config);

enum secrets_refresh { SECRETS_REFRESHED, SECRETS_FAILED, SECRETS_UNKNOWN, SECRETS_UNDER_WAY };

/* Told once how a reading ended that takes its time; the service is done with it before that. The reader's own. */
struct secrets_waiter {
	struct list link;
	void (*done)(struct secrets_waiter *waiter, bool good);
	uint64_t asked_us;              /* The service's. */
};

/* Reads one again, now. SECRETS_UNDER_WAY: over the network; `waiter` (may be NULL) hears the end, never from within this
 * call, unless it takes itself out of the list before. */
enum secrets_refresh secrets_refresh(const char *name, struct secrets_waiter *waiter);
/* The same for those who only think that there could be something new. A reading that begins after the call is shared by
 * all who have asked by then, and one begins in a second: what is under way already may bring what was there before. */
enum secrets_refresh secrets_refresh_after(const char *name, struct secrets_waiter *waiter);
/* Milliseconds until it is read again by itself; -1: never, or it is being read. */
int64_t secrets_next_ms(const char *name);

/* How often that secret has been read, well and in vain, since the start. */
void secrets_reads(const char *name, uint64_t *good, uint64_t *failed);

/* --- Any thread --- */

struct reread;
/* On the loop given, never from within the call, not after reread_cancel(). The lease is up to date by then. */
typedef void reread_cb(void *arg);

/* A server has refused what the secret says: whether it says something else by now. */
struct reread *reread_start(const char *name, struct loop *loop, reread_cb *callback, void *arg) MUST_USE;
void reread_cancel(struct reread **reread);             /* NULL is fine. On the loop of the request. */

/* --- Without the service: for commands --- */

struct secrets_report {
	bool good, on_demand;           /* Each login gets a value of its own (tokens.h). */
	struct lease_values values;
	char warning[256];              /* "" if nothing. */
	struct error error;             /* Where it is not good. */
};
/* Reading it takes the network, and its time. */
bool secrets_is_remote(const struct config_secret *secret);
void secrets_read(const struct config_secret *secret, struct secrets_report *report);
/* The same, but it gives up soon after `stop` (may be NULL) becomes true. */
void secrets_read_until(const struct config_secret *secret, const atomic_bool *stop, struct secrets_report *report);
void secrets_report_fini(struct secrets_report *report);
/* Reads the secrets with passphrases of private keys, and publishes them to this process; lease_forget_all() ends that. Those
 * that are remote only if `remote_too`. */
void secrets_publish_keys(const struct config *config, bool remote_too);
/* A text in any of the shapes that a secret may have. `value` is filled on true only. */
bool secrets_parse(const char *text, size_t size, struct lease_value *value, struct error *error);
/* Before anybody else's first use of jansson: its memory is wiped from then on, and json_dumps() gives such memory. */
void secrets_json_prepare(void);

#endif
