/* How many files the process may have open, and who may have them. */
#ifndef PGWEIR_CONTROL_FILES_LIMIT_H
#define PGWEIR_CONTROL_FILES_LIMIT_H

#include "pgweir/config.h"

void files_limit_raise(void);
/* When all is open that stays open. A limit that is too low is found out now, not at the client too many. */
void files_limit_check(const struct config *config);
/* Another configuration. Nothing happens before the check. */
void files_limit_follow(const struct config *config);

#endif
