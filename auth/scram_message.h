/* Taking messages of SCRAM apart: attributes, one after the other (RFC 5802, section 7). For both sides. */
#ifndef PGWEIR_SCRAM_MESSAGE_H
#define PGWEIR_SCRAM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/error.h"

struct scram_span {
	const char *at;
	size_t size;
};

/* Takes "name=value" and the comma after it off the front. False if something else stands there. */
bool scram_attribute(struct scram_span *rest, char name, struct scram_span *value) MUST_USE;
bool scram_printable(struct scram_span value) MUST_USE;         /* Not empty, and RFC 5802's `printable`. */
bool scram_malformed(struct error *error, const char *what);    /* Returns false. */

#endif
