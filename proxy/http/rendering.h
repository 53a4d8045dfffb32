/* Pages about all there is to see: each waits for an observation, and is then written a little per turn of the control
 * thread's loop, which has new clients to accept meanwhile. */
#ifndef PGWEIR_HTTP_RENDERING_H
#define PGWEIR_HTTP_RENDERING_H

#include "http_server.h"

http_answer_cb rendering_metrics, rendering_status;
void rendering_stop(void);              /* After observation_stop(). */

#endif
