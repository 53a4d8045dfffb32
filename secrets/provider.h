/* Providers: where the text of a secret comes from. One row each. */
#ifndef PGWEIR_SECRETS_PROVIDER_H
#define PGWEIR_SECRETS_PROVIDER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/lease.h"

/* What one reading brought, */
struct reading {
	const atomic_bool *stop;        /* unless this became true meanwhile. May be NULL. */
	struct lease_values values;     /* But for `current` of those that know stages alone. */
	char warning[256];              /* What should be mended although the value is good; "" if nothing. */
	bool young;                     /* The file was written this very moment: perhaps not to its end. */
	bool on_demand;                 /* There is no value: each login gets one of its own. */
};

struct provider {
	const char *name;
	/* Fills in an empty reading. False: `error`, without a part of the value. Control thread, or a command; takes its
	 * time where `fetched`. */
	bool (*read)(const struct config_secret *secret, struct reading *reading, struct error *error);
	bool changes;                   /* Files: it may read another value later. */
	bool fetched;                   /* Over the network: the service reads it with aws_secret_read(), on its loop. */
};

const struct provider *provider_find(const char *name);         /* Never NULL for what config_load() lets through. */

/* mount.c: provider `file`. */
bool mount_read(const struct config_secret *secret, struct reading *reading, struct error *error) MUST_USE;

#endif
