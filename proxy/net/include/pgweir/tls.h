/* TLS contexts made from the configuration, and what a finished handshake tells about the peer. */
#ifndef PGWEIR_TLS_H
#define PGWEIR_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/check.h"
#include "pgweir/config.h"
#include "pgweir/error.h"

struct tls_context;
struct conn;

/* Reads certificate and key once; a changed file takes effect with a new context. Reference-counted, any thread. */
struct tls_context *tls_context_server_new(const struct config_tls *config, struct error *error) MUST_USE;
struct tls_context *tls_context_client_new(const struct config_tls *config, struct error *error) MUST_USE;
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context **context);
/* Its own certificate is out of date. OpenSSL shows it all the same; peers that verify it leave. */
bool tls_context_expired(const struct tls_context *context);

enum { TLS_BINDING_MAX = 64 };

/* The channel binding "tls-server-end-point" (RFC 5929): a hash of the server's certificate. 0: there is none. */
size_t tls_channel_binding(const struct conn *conn, bool we_are_server, unsigned char binding[TLS_BINDING_MAX]);

/* Common name of the verified peer certificate; false if the peer sent none. */
bool tls_peer_common_name(const struct conn *conn, char *name, size_t size);
const char *tls_version(const struct conn *conn);       /* "TLSv1.3", or NULL when plain. */
const char *tls_cipher(const struct conn *conn);
bool tls_alpn_is_postgresql(const struct conn *conn);

#endif
