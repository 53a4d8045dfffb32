/* A context that cannot be made (a certificate file that is missing or bad) is not kept: the next connection tries
 * again. A context that was made is kept until server_tls_reload(); when the secret with the key's passphrase changes another
 * one is made, and where that fails the former goes on.
 *
 * The host is part of the key because a context remembers the session to resume, and a resumed session is not
 * verified anew: what one host proved must not count for another. Hosts come from the configuration, so the map is
 * bounded by it. */
#include "tls_cache.h"

#include <pthread.h>

#include "pgweir/buf.h"
#include "pgweir/key_passphrase.h"
#include "pgweir/log.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "pgweir/server.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map contexts;

struct cached {
	struct tls_context *context;
	uint64_t version;               /* Of the passphrase that it was made with, or tried anew with. */
};

static void put_text(struct buf *key, const char *text)
{
	buf_append_char(key, text ? '+' : '-');
	buf_append_cstring(key, text ? text : "");
}

static void make_key(struct buf *key, const struct config_tls *tls, const char *host, uint16_t port)
{
	buf_append_u32(key, (uint32_t)tls->sslmode);
	buf_append_u16(key, port);
	put_text(key, host);
	put_text(key, tls->ca_file);
	put_text(key, tls->cert_file);
	put_text(key, tls->key_file);
	put_text(key, tls->key_secret);
	put_text(key, tls->ciphers);
	put_text(key, tls->ciphers13);
	put_text(key, tls->protocols);
}

/* NULL with an error where there is none to go on with. */
static struct cached *renewed(struct cached *cached, uint64_t version, const struct config_tls *tls, struct error *error)
{
	struct tls_context *context = tls_context_client_new(tls, error);

	if (!context && cached)
		log_warning("server_tls: the former key stays in use", LOG_TEXT("reason", error->text));
	if (!context && !cached)
		return NULL;
	if (!cached)
		cached = NEW(struct cached);
	if (context) {
		tls_context_unref(&cached->context);
		cached->context = context;
	}
	cached->version = version;
	return cached;
}

struct tls_context *tls_cache_get(const struct config_tls *tls, const char *host, uint16_t port, struct error *error)
{
	struct buf key = { 0 };

	make_key(&key, tls, host, port);
	uint64_t version = key_passphrase_version(tls);

	pthread_mutex_lock(&mutex);
	struct cached *known = map_get(&contexts, key.bytes, key.size);
	struct cached *cached = known && known->version == version ? known : renewed(known, version, tls, error);

	if (cached && !known)
		map_put(&contexts, key.bytes, key.size, cached);
	struct tls_context *context = cached ? tls_context_ref(cached->context) : NULL;

	pthread_mutex_unlock(&mutex);
	buf_fini(&key);
	return context;
}

bool server_tls_check(const struct config_tls *tls, struct error *error)
{
	struct tls_context *context = tls->sslmode == SSLMODE_DISABLE ? NULL : tls_cache_get(tls, "", 0, error);
	bool good = context || tls->sslmode == SSLMODE_DISABLE;

	tls_context_unref(&context);
	return good;
}

static bool drop(const void *key, size_t size, void *value, void *arg)
{
	struct cached *cached = value;

	(void)key;
	(void)size;
	(void)arg;
	tls_context_unref(&cached->context);
	mem_free(cached);
	return true;
}

void server_tls_reload(void)
{
	pthread_mutex_lock(&mutex);
	map_foreach(&contexts, drop, NULL);
	map_fini(&contexts);
	pthread_mutex_unlock(&mutex);
}
