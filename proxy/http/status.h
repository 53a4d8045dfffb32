/* What the status page shows, as JSON. */
#ifndef PGWEIR_HTTP_STATUS_H
#define PGWEIR_HTTP_STATUS_H

#include "http_json.h"
#include "observation.h"

void status_put(struct http_json *json, const struct observation *seen);

#endif
