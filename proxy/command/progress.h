/* What a command waits for, for whoever watches: on standard error if that is a terminal, else nowhere. */
#ifndef PGWEIR_PROGRESS_H
#define PGWEIR_PROGRESS_H

#include "pgweir/check.h"

/* Ahead of whatever may take its time: a connection, a secret. */
void progress_say(const char *format, ...) PRINTF_LIKE(1, 2);
/* Before anything else is written. More than once is fine. */
void progress_end(void);

#endif
