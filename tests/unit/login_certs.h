/* Certificates made for a test run: ca.crt, server.crt, server.key, and encrypted.key, which is server.key encrypted with
 * CERTS_PASSPHRASE. Removed at exit. */
#ifndef LOGIN_CERTS_H
#define LOGIN_CERTS_H

#include <openssl/ssl.h>

#define CERTS_PASSPHRASE "open, please"

const char *certs_file(const char *name);               /* Its path, for as long as the program runs. */
void certs_use(SSL_CTX *ssl_ctx, const char *name);     /* A client certificate of that common name, signed by the CA. */

#endif
