/* Handshakes, and what they tell about the peer. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "pgweir/conn.h"
#include "pgweir/tls.h"
#include "tls_internal.h"

static SSL *ssl_for(struct conn *conn, struct tls_context *context)
{
	SSL *ssl = SSL_new(context->ssl_ctx);

	CHECK(ssl);
	SSL_set_fd(ssl, conn->fd);
	conn->ssl = ssl;
	return ssl;
}

void conn_tls_accept(struct conn *conn, struct tls_context *context)
{
	SSL_set_accept_state(ssl_for(conn, context));
}

static bool is_address(const char *name)
{
	unsigned char bytes[16];

	return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

bool conn_tls_connect(struct conn *conn, struct tls_context *context, const char *server_name, struct error *error)
{
	SSL *ssl = ssl_for(conn, context);
	bool good = true;

	SSL_set_connect_state(ssl);
	if (!is_address(server_name))
		good = SSL_set_tlsext_host_name(ssl, server_name) == 1;
	if (good && context->sslmode == SSLMODE_VERIFY_FULL)
		good = is_address(server_name) ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name) == 1
			: SSL_set1_host(ssl, server_name) == 1;
	if (!good)
		return error_set(error, "08001", "\"%s\" cannot be used as a TLS server name", server_name);
	pthread_mutex_lock(&context->mutex);
	if (context->session)
		SSL_set_session(ssl, context->session);
	pthread_mutex_unlock(&context->mutex);
	return true;
}

static void describe_failure(struct conn *conn, struct error *error)
{
	unsigned long code = ERR_peek_last_error();
	long verified = SSL_get_verify_result(conn->ssl);
	char reason[160] = "connection closed by the peer";

	if (verified != X509_V_OK)
		snprintf(reason, sizeof(reason), "certificate: %s", X509_verify_cert_error_string(verified));
	else if (code)
		ERR_error_string_n(code, reason, sizeof(reason));
	ERR_clear_error();
	error_set(error, "08006", "TLS handshake failed: %s", reason);
}

bool conn_handshake_begun(const struct conn *conn)
{
	return SSL_get_state(conn->ssl) != TLS_ST_BEFORE;
}

enum conn_handshake conn_handshake(struct conn *conn, struct error *error)
{
	errno = 0;
	int result = SSL_do_handshake(conn->ssl);

	if (result == 1) {
		loop_io_write(&conn->io, false);
		return CONN_HANDSHAKE_DONE;
	}
	int wanted = SSL_get_error(conn->ssl, result);

	if (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE) {
		loop_io_write(&conn->io, wanted == SSL_ERROR_WANT_WRITE);
		return CONN_HANDSHAKE_AGAIN;
	}
	describe_failure(conn, error);
	return CONN_HANDSHAKE_FAILED;
}

size_t tls_channel_binding(const struct conn *conn, bool we_are_server, unsigned char binding[TLS_BINDING_MAX])
{
	X509 *certificate = NULL;
	int digest_nid = NID_undef;
	unsigned int size = 0;

	if (!conn->ssl)
		return 0;
	certificate = we_are_server ? SSL_get_certificate(conn->ssl) : SSL_get0_peer_certificate(conn->ssl);
	if (!certificate || !X509_get_signature_info(certificate, &digest_nid, NULL, NULL, NULL))
		return 0;
	/* RFC 5929 section 4.1: MD5 and SHA-1 are replaced by SHA-256; no single hash function means no binding. */
	if (digest_nid == NID_md5 || digest_nid == NID_sha1)
		digest_nid = NID_sha256;
	const EVP_MD *digest = EVP_get_digestbynid(digest_nid);

	if (!digest || EVP_MD_get_size(digest) > TLS_BINDING_MAX || !X509_digest(certificate, digest, binding, &size))
		return 0;
	return size;
}

bool tls_peer_common_name(const struct conn *conn, char *name, size_t size)
{
	X509 *certificate = conn->ssl ? SSL_get0_peer_certificate(conn->ssl) : NULL;

	if (!certificate || SSL_get_verify_result(conn->ssl) != X509_V_OK)
		return false;
	int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, (int)size);

	/* A name with a NUL inside, or one that was cut, is nobody's. */
	return length > 0 && (size_t)length < size - 1 && strlen(name) == (size_t)length;
}

const char *tls_version(const struct conn *conn)
{
	return conn->ssl ? SSL_get_version(conn->ssl) : NULL;
}

const char *tls_cipher(const struct conn *conn)
{
	return conn->ssl ? SSL_get_cipher(conn->ssl) : NULL;
}

bool tls_alpn_is_postgresql(const struct conn *conn)
{
	const unsigned char *name = NULL;
	unsigned int size = 0;

	SSL_get0_alpn_selected(conn->ssl, &name, &size);
	return size == strlen("postgresql") && memcmp(name, "postgresql", size) == 0;
}
