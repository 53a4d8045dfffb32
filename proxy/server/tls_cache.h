/* TLS contexts towards servers, made once per host and settings. */
#ifndef PGWEIR_TLS_CACHE_H
#define PGWEIR_TLS_CACHE_H

#include "pgweir/tls.h"

/* A reference, or NULL with an error. Any thread but a worker: certificate files may be read. */
struct tls_context *tls_cache_get(const struct config_tls *tls, const char *host, uint16_t port, struct error *error) MUST_USE;

#endif
