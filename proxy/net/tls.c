#include "pgweir/tls.h"

#include <openssl/err.h>
#include <string.h>

#include "pgweir/key_passphrase.h"
#include "pgweir/mem.h"
#include "tls_internal.h"

static const unsigned char alpn_list[] = "\012postgresql";      /* Length byte and name, RFC 7301. */

static bool ssl_failed(struct error *error, const char *what, const char *name)
{
	unsigned long code = ERR_get_error();
	char reason[200] = "unknown error";

	if (code)
		ERR_error_string_n(code, reason, sizeof(reason));
	ERR_clear_error();
	return error_set(error, "58000", "%s%s%s: %s", what, name ? " " : "", name ? name : "", reason);
}

/* PgBouncer's words for protocol versions; TLS 1.0 and 1.1 are not offered any more. */
static bool set_protocols(SSL_CTX *ctx, const char *protocols, struct error *error)
{
	int lowest = TLS1_2_VERSION, highest = 0;

	if (protocols && strcmp(protocols, "tlsv1.2") == 0)
		highest = TLS1_2_VERSION;
	else if (protocols && strcmp(protocols, "tlsv1.3") == 0)
		lowest = TLS1_3_VERSION;
	if (!SSL_CTX_set_min_proto_version(ctx, lowest) || !SSL_CTX_set_max_proto_version(ctx, highest))
		return ssl_failed(error, "TLS protocols", protocols);
	return true;
}

static bool key_failed(const struct config_tls *config, const struct key_passphrase_request *request, struct error *error)
{
	if (!request->asked)
		return ssl_failed(error, "cannot load private key", config->key_file);
	ERR_clear_error();
	if (!config->key_secret)
		return error_set(error, "58000", "private key %s is encrypted: name the [secret] with its passphrase in the "
			"key_secret beside key_file", config->key_file);
	if (key_passphrase_is_awaited(config))
		return error_set(error, "57P03", "private key %s is encrypted, and secret \"%s\" has no value yet", config->key_file,
			config->key_secret);
	return error_set(error, "58000", "private key %s is encrypted, and secret \"%s\" does not hold its passphrase",
		config->key_file, config->key_secret);
}

static bool load_key(SSL_CTX *ctx, const struct config_tls *config, struct error *error)
{
	char *passphrase = key_passphrase_find(config);
	struct key_passphrase_request request = { .passphrase = passphrase };

	SSL_CTX_set_default_passwd_cb(ctx, key_passphrase_give);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &request);
	bool good = SSL_CTX_use_PrivateKey_file(ctx, config->key_file, SSL_FILETYPE_PEM) == 1;

	SSL_CTX_set_default_passwd_cb(ctx, NULL);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	mem_secret_free(passphrase);
	return good || key_failed(config, &request, error);
}

static bool load_files(SSL_CTX *ctx, const struct config_tls *config, struct error *error)
{
	if (config->ca_file && !SSL_CTX_load_verify_locations(ctx, config->ca_file, NULL))
		return ssl_failed(error, "cannot load CA file", config->ca_file);
	if (config->cert_file && !SSL_CTX_use_certificate_chain_file(ctx, config->cert_file))
		return ssl_failed(error, "cannot load certificate", config->cert_file);
	if (config->key_file && !load_key(ctx, config, error))
		return false;
	if (config->cert_file && config->key_file && !SSL_CTX_check_private_key(ctx))
		return ssl_failed(error, "private key does not fit the certificate", config->key_file);
	return true;
}

static bool set_ciphers(SSL_CTX *ctx, const struct config_tls *config, struct error *error)
{
	bool wanted = config->ciphers && strcmp(config->ciphers, "default") && strcmp(config->ciphers, "fast")
		&& strcmp(config->ciphers, "secure") && strcmp(config->ciphers, "normal");

	if (wanted && !SSL_CTX_set_cipher_list(ctx, config->ciphers))
		return ssl_failed(error, "TLS ciphers", config->ciphers);
	if (config->ciphers13 && !SSL_CTX_set_ciphersuites(ctx, config->ciphers13))
		return ssl_failed(error, "TLS 1.3 ciphers", config->ciphers13);
	return true;
}

static struct tls_context *context_new(const SSL_METHOD *method, const struct config_tls *config, struct error *error)
{
	struct tls_context *context = NEW(struct tls_context);

	atomic_init(&context->references, 1);
	context->sslmode = config->sslmode;
	pthread_mutex_init(&context->mutex, NULL);
	context->ssl_ctx = SSL_CTX_new(method);
	CHECK(context->ssl_ctx);
	SSL_CTX_set_mode(context->ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
		| SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(context->ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF
		| SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* One recv fetches a record's head and body together. */
	SSL_CTX_set_read_ahead(context->ssl_ctx, 1);
	if (!set_protocols(context->ssl_ctx, config->protocols, error) || !set_ciphers(context->ssl_ctx, config, error)
		|| !load_files(context->ssl_ctx, config, error))
		tls_context_unref(&context);
	return context;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *offered,
	unsigned int offered_size, void *arg)
{
	(void)ssl;
	(void)arg;
	int found = SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_size, alpn_list, sizeof(alpn_list) - 1, offered,
		offered_size);

	return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct tls_context *tls_context_server_new(const struct config_tls *config, struct error *error)
{
	struct tls_context *context = context_new(TLS_server_method(), config, error);
	static const unsigned char session_id[] = "pgweir";

	if (!context)
		return NULL;
	SSL_CTX_set_alpn_select_cb(context->ssl_ctx, choose_alpn, NULL);
	/* Tickets only: a session kept here for each client would be memory for nothing. */
	SSL_CTX_set_session_cache_mode(context->ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(context->ssl_ctx, session_id, sizeof(session_id) - 1);
	if (config->ca_file) {
		bool required = config->sslmode >= SSLMODE_VERIFY_CA;

		SSL_CTX_set_verify(context->ssl_ctx, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
		SSL_CTX_set_client_CA_list(context->ssl_ctx, SSL_load_client_CA_file(config->ca_file));
	}
	return context;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	pthread_mutex_lock(&context->mutex);
	SSL_SESSION_free(context->session);
	context->session = session;
	pthread_mutex_unlock(&context->mutex);
	return 1;       /* The reference is ours now. */
}

struct tls_context *tls_context_client_new(const struct config_tls *config, struct error *error)
{
	struct tls_context *context = context_new(TLS_client_method(), config, error);

	if (!context)
		return NULL;
	if (config->sslmode >= SSLMODE_VERIFY_CA) {
		if (!config->ca_file)
			SSL_CTX_set_default_verify_paths(context->ssl_ctx);
		SSL_CTX_set_verify(context->ssl_ctx, SSL_VERIFY_PEER, NULL);
	}
	SSL_CTX_set_alpn_protos(context->ssl_ctx, alpn_list, sizeof(alpn_list) - 1);
	SSL_CTX_set_app_data(context->ssl_ctx, context);
	SSL_CTX_set_session_cache_mode(context->ssl_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context->ssl_ctx, keep_session);
	return context;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	if (context)
		atomic_fetch_add(&context->references, 1);
	return context;
}

void tls_context_unref(struct tls_context **context)
{
	struct tls_context *gone = *context;

	*context = NULL;
	if (!gone || atomic_fetch_sub(&gone->references, 1) != 1)
		return;
	SSL_SESSION_free(gone->session);
	SSL_CTX_free(gone->ssl_ctx);
	pthread_mutex_destroy(&gone->mutex);
	mem_free(gone);
}

bool tls_context_expired(const struct tls_context *context)
{
	const X509 *certificate = SSL_CTX_get0_certificate(context->ssl_ctx);

	return certificate && X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
}
