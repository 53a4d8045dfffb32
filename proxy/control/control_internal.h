#ifndef PGWEIR_CONTROL_INTERNAL_H
#define PGWEIR_CONTROL_INTERNAL_H

#include "pgweir/control.h"

/* drain.c */
void drain_init(struct loop *loop);
void drain_fini(void);

/* control.c */
void control_end(void);

#endif
