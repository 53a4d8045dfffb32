/* What systemd is told (sd_notify(3)), where it asks to be: that pgweir is ready, reloads, stops, and lives. Without
 * NOTIFY_SOCKET in the environment none of it does anything. The control thread's. */
#ifndef PGWEIR_NOTIFY_H
#define PGWEIR_NOTIFY_H

#include "pgweir/loop.h"

void notify_start(struct loop *loop);           /* Reads the environment; answers the watchdog from now on. */
void notify_stop(void);
void notify_ready(void);                        /* Also after a reload, however it ended. */
void notify_reloading(void);
void notify_stopping(void);

#endif
