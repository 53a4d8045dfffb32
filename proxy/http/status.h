/* What the status page shows, as JSON. */
#ifndef PGWEIR_HTTP_STATUS_H
#define PGWEIR_HTTP_STATUS_H

#include "http_json.h"
#include "observation.h"

/* Zeroed at first. */
struct status {
	struct http_json json;
	size_t part, next;              /* What comes next: of the parts, and in one that is a list. */
};

/* Appends about `most` bytes. False: it is whole. */
bool status_put_some(struct status *status, const struct observation *seen, size_t most);

#endif
