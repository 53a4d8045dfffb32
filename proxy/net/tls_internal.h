/* What tls.c shares with conn.c's handshake. */
#ifndef PGWEIR_TLS_INTERNAL_H
#define PGWEIR_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "pgweir/config.h"

struct tls_context {
	_Atomic unsigned references;
	SSL_CTX *ssl_ctx;
	enum sslmode sslmode;
	pthread_mutex_t mutex;          /* Guards `session`, which any login thread may use. */
	SSL_SESSION *session;           /* A client context's last ticket: the next connection resumes with it. */
};

#endif
