/* Memory goes back to the system when many clients have gone. Control thread. */
#ifndef PGWEIR_TRIM_H
#define PGWEIR_TRIM_H

#include "pgweir/loop.h"

void trim_start(struct loop *loop);
void trim_stop(void);

#endif
