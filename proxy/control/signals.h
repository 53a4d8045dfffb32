/* What the process does when it gets a signal. Control thread. */
#ifndef PGWEIR_SIGNALS_H
#define PGWEIR_SIGNALS_H

#include "pgweir/loop.h"

void signals_watch(struct loop *loop);
void signals_unwatch(void);             /* Those that still come are ignored. */

#endif
