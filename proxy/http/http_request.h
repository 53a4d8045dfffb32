/* The head of a request. */
#ifndef PGWEIR_HTTP_REQUEST_H
#define PGWEIR_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"

enum { HTTP_HEAD_MAX = 8192 };

/* Texts lie in the bytes that were parsed. */
struct http_request {
	bool head;                      /* HEAD: the answer's head only. */
	const char *path;
	const char *query;              /* Behind the question mark; "" without one. */
	const char *accept, *authorization;     /* NULL: there is no such header. */
};

/* The size of the head with the empty line at its end, or 0: that is not there yet. */
size_t http_request_size(const char *bytes, size_t size);
/* `bytes` are a head of that size, and are changed. 0, or the status to refuse it with. */
int http_request_parse(struct http_request *request, char *bytes, size_t size) MUST_USE;

/* The value of `name` in the query, decoded, as a new text; NULL: there is none, or it cannot be decoded. */
char *http_request_argument(const struct http_request *request, const char *name) MUST_USE;

#endif
