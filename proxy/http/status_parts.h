/* The parts of /status.json. Each puts its members, or one member of a list, into the object that is open. */
#ifndef PGWEIR_STATUS_PARTS_H
#define PGWEIR_STATUS_PARTS_H

#include "http_json.h"
#include "observed.h"

void status_put_totals(struct http_json *json, const struct observation *seen);
void status_put_database(struct http_json *json, const struct observation *seen, const struct observed_pool *sum);
void status_put_pool(struct http_json *json, const struct observation *seen, const struct observed_pool *pool);
void status_put_pins(struct http_json *json, const struct observation *seen);
/* Of routes and ends only what has happened. */
void status_put_routes(struct http_json *json, const struct observation *seen);
void status_put_closed(struct http_json *json, const struct observation *seen);
void status_put_clusters(struct http_json *json, const struct observation *seen);
void status_put_secrets(struct http_json *json, const struct observation *seen);
void status_put_provisions(struct http_json *json, const struct observation *seen);

#endif
