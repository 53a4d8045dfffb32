/* The newest snapshot: made anew when something in it has changed, and brought up to date in place with every look.
 * Control loop only. */
#ifndef PGWEIR_PUBLISH_H
#define PGWEIR_PUBLISH_H

#include "pgweir/routing.h"
#include "watch.h"

void publish_start(routing_publish_cb *callback);
void publish_stop(void);

/* Of all that is under watch: struct watch. */
void publish_all(struct list *watches);
/* How fresh the hosts of one cluster are. */
void publish_freshness(struct watch *watch);

#endif
