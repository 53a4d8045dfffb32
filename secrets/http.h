/* HTTP requests on a loop: libcurl's multi interface, no threads of ours, nothing that blocks. libcurl's only home.
 *
 * Connections are kept for the next request. Certificates are verified. HTTPS_PROXY and its kin count, except for requests
 * that say `direct`. What was sent and received is wiped. An answer is bounded; what it says is not judged here. */
#ifndef PGWEIR_SECRETS_HTTP_H
#define PGWEIR_SECRETS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/buf.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

struct http;
struct http_call;

/* All copied within http_start(). */
struct http_request {
	const char *method;                     /* GET, PUT or POST. */
	const char *url;
	const char *const *headers;             /* "Name: value", ended by NULL; NULL: none. */
	const void *body;
	size_t body_size;
	const char *ca_file;                    /* NULL: the system's. */
	uint64_t timeout_ms;                    /* For all of it. */
	bool direct;                            /* Through no proxy. */
};

struct http_answer {
	long status;                            /* 0: there was no answer, and `error` says why. */
	struct buf body;                        /* Not NUL-terminated. Wiped after the callback. */
	int64_t date_s;                         /* Of its Date header, since 1970; 0: none. */
	uint64_t retry_after_ms;                /* What the service asks for; 0: nothing. */
	struct error error;
};

enum { HTTP_ANSWER_MAX = 256 * 1024 };

/* Once, on the loop, never from within http_start(), not after http_cancel(). May start and cancel calls; not free. */
typedef void http_cb(struct http_answer *answer, void *arg);

struct http *http_new(struct loop *loop) MUST_USE;
void http_free(struct http **http);             /* NULL is fine. Calls under way are not heard of any more. */
struct http_call *http_start(struct http *http, const struct http_request *request, http_cb *callback, void *arg) MUST_USE;
void http_cancel(struct http_call **call);      /* NULL is fine. */

/* A URL of plain http that leaves this machine? */
bool http_is_exposed(const char *url);

#endif
