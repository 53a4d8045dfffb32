/* The snapshot and the TLS context that new logins start with.
 *
 * Failure story: a certificate that cannot be read is a problem of the reload; logins go on with what they had. While the
 * secret with the key's passphrase has no value there is no context, and whoever asks for TLS is told to come again. */
#include <pthread.h>

#include "login_internal.h"
#include "pgweir/key_passphrase.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

static struct {
	pthread_mutex_t mutex;
	struct config *config;
	struct tls_context *tls;        /* NULL: TLS is off, or its key awaits a passphrase. */
	uint64_t passphrase_version;    /* That `tls` was made with, or tried anew with. */
} setup = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static bool add_problem(struct config_problems *problems, const char *text)
{
	config_problems_add(problems, text);
	return false;
}

static bool make_context(const struct config_tls *tls, struct tls_context **context, struct config_problems *problems)
{
	struct error error;

	*context = NULL;
	if (tls->sslmode == SSLMODE_DISABLE)
		return true;
	if (!tls->cert_file || !tls->key_file)
		return add_problem(problems, "client_tls_sslmode: anything but \"disable\" needs client_tls_cert_file and "
			"client_tls_key_file");
	/* Without it any certificate would do. */
	if (tls->sslmode >= SSLMODE_VERIFY_CA && !tls->ca_file)
		return add_problem(problems, "client_tls_sslmode: verify-ca and verify-full need client_tls_ca_file");
	if (key_passphrase_is_awaited(tls))
		return true;
	*context = tls_context_server_new(tls, &error);
	if (*context)
		return true;
	error_prepend(&error, "client_tls");
	return add_problem(problems, error.text);
}

bool login_check(const struct config *config, struct config_problems *problems)
{
	struct tls_context *context;
	bool good = make_context(&config->client_tls, &context, problems);

	if (context && tls_context_expired(context)) {
		char *text = mem_printf("%s: the certificate has expired: clients that verify it do not connect; renew it, then RELOAD",
			config->client_tls.cert_file);

		config_problems_warn(problems, text);
		mem_free(text);
	}
	tls_context_unref(&context);
	return good;
}

bool login_configure(struct config *config, struct config_problems *problems)
{
	uint64_t version = key_passphrase_version(&config->client_tls);
	struct tls_context *context;

	if (!make_context(&config->client_tls, &context, problems))
		return false;
	pthread_mutex_lock(&setup.mutex);
	struct config *old_config = setup.config;
	struct tls_context *old_tls = setup.tls;

	setup.config = config_ref(config);
	setup.tls = context;
	setup.passphrase_version = version;
	pthread_mutex_unlock(&setup.mutex);
	config_unref(&old_config);
	tls_context_unref(&old_tls);
	return true;
}

void login_secrets_changed(void)
{
	struct tls_context *context;
	struct error error;
	/* Nobody but this thread changes them. */
	const struct config_tls *tls = setup.config ? &setup.config->client_tls : NULL;
	uint64_t version = tls ? key_passphrase_version(tls) : 0;

	if (!tls || tls->sslmode == SSLMODE_DISABLE || version == setup.passphrase_version)
		return;
	setup.passphrase_version = version;
	context = tls_context_server_new(tls, &error);
	if (!context) {
		log_error("client_tls: the key cannot be taken into use", LOG_TEXT("reason", error.text));
		return;
	}
	pthread_mutex_lock(&setup.mutex);
	struct tls_context *old = setup.tls;

	setup.tls = context;
	pthread_mutex_unlock(&setup.mutex);
	tls_context_unref(&old);
	log_notable("client_tls: the key has been read again, since its secret has changed");
}

bool login_setup_current(struct config **config, struct tls_context **tls)
{
	pthread_mutex_lock(&setup.mutex);
	bool known = setup.config != NULL;

	if (known) {
		*config = config_ref(setup.config);
		*tls = tls_context_ref(setup.tls);
	}
	pthread_mutex_unlock(&setup.mutex);
	return known;
}

void login_setup_fini(void)
{
	pthread_mutex_lock(&setup.mutex);
	config_unref(&setup.config);
	tls_context_unref(&setup.tls);
	pthread_mutex_unlock(&setup.mutex);
}
