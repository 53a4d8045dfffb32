/* The control thread's. What it shows to others is in control.h. */
#ifndef PGWEIR_CONTROL_IN_FORCE_H
#define PGWEIR_CONTROL_IN_FORCE_H

#include "pgweir/config.h"
#include "pgweir/loop.h"

void in_force_start(struct loop *loop);
/* The first one. False: it is refused, and the log says why. */
bool in_force_begin(struct config *config) MUST_USE;
void in_force_stop(void);               /* No other comes there any more. */
void in_force_drop(void);

#endif
