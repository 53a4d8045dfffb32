/* `pgweir secret show|test`, and what `pgweir check` says about secrets. None of it prints a value. */
#ifndef PGWEIR_SECRET_COMMAND_H
#define PGWEIR_SECRET_COMMAND_H

#include <stdbool.h>

#include "pgweir/config.h"

/* Where it comes from and what can be said of it. False: it cannot be read. */
bool secret_command_show(const struct config_secret *secret);
/* Logs in with it to the server of each database that it serves. False: it cannot be read, serves none, or one refused. */
bool secret_command_test(const struct config *config, const struct config_secret *secret);
/* A warning on standard error for each that cannot be read. */
void secret_command_check(const struct config *config);

#endif
