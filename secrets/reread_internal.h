#ifndef PGWEIR_SECRETS_REREAD_INTERNAL_H
#define PGWEIR_SECRETS_REREAD_INTERNAL_H

#include "pgweir/loop.h"

/* From when to when rereads reach the service; those under way at the end come home unanswered by it. */
void reread_service_start(struct loop *control);
void reread_service_stop(void);

#endif
