/* `pgweir provision …`: plans, changes and reports on standard output, progress on standard error. No password on either. */
#ifndef PGWEIR_PROVISION_COMMAND_H
#define PGWEIR_PROVISION_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/config.h"

struct provision_command {
	const struct config *config;
	const char *act;
	const char *const *names;       /* None: every section. */
	size_t name_count;
	bool json, yes;
	const char *reassign_to, *crash_at;     /* Each may be NULL. */
};

/* False: something failed, or is not as declared. */
bool provision_command_run(const struct provision_command *command);

#endif
