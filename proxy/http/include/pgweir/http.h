/* What pgweir shows over HTTP: metrics, health, and the status page.
 *
 * A small server of its own on the control loop: GET and HEAD, one request per connection, everything bounded. It reads
 * and changes nothing; what only workers know it collects by a tour of them. */
#ifndef PGWEIR_HTTP_H
#define PGWEIR_HTTP_H

#include <stdbool.h>
#include <stdio.h>

#include "pgweir/config.h"
#include "pgweir/error.h"

/* Listens on http_listen and health_listen, as far as they are set. False: one of them cannot be had. Control thread. */
bool http_open(const struct config *config, struct error *error) MUST_USE;
void http_close(void);                  /* After the workers have ended. */

void metrics_describe(FILE *out);       /* The reference of all metrics. */

#endif
