/* /healthz and /readyz. */
#ifndef PGWEIR_HTTP_HEALTH_H
#define PGWEIR_HTTP_HEALTH_H

#include "http_server.h"

http_answer_cb health_alive, health_ready;

#endif
