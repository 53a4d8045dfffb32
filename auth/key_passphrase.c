/* Failure story: a file that is missing, no key at all or encrypted with something else has no passphrase here; whoever
 * loads it says why. Nothing ever asks at a terminal. */
#include "pgweir/key_passphrase.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/lease.h"
#include "pgweir/mem.h"

int key_passphrase_give(char *to, int size, int writing, void *request)
{
	struct key_passphrase_request *asking = request;
	size_t wanted = asking->passphrase ? strlen(asking->passphrase) : 0;

	(void)writing;
	asking->asked = true;
	if (!asking->passphrase || wanted > (size_t)size)
		return -1;
	memcpy(to, asking->passphrase, wanted);
	return (int)wanted;
}

static bool opens(const char *path, const char *passphrase)
{
	struct key_passphrase_request request = { .passphrase = passphrase };
	FILE *file = passphrase ? fopen(path, "re") : NULL;
	EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, key_passphrase_give, &request) : NULL;
	bool good = key && request.asked;

	EVP_PKEY_free(key);
	if (file)
		fclose(file);
	ERR_clear_error();
	return good;
}

static struct lease *lease_of(const struct config_tls *tls)
{
	return tls->key_file && tls->key_secret ? lease_find(tls->key_secret) : NULL;
}

char *key_passphrase_find(const struct config_tls *tls)
{
	struct lease *lease = lease_of(tls);
	char *found = NULL;

	if (!lease)
		return NULL;
	const char *candidates[] = { lease->value.password, lease->pending.password, lease->previous.password };

	for (size_t i = 0; i < ARRAY_LEN(candidates) && !found; i++)
		if (opens(tls->key_file, candidates[i]))
			found = mem_secret_dup(candidates[i]);
	lease_unref(&lease);
	return found;
}

bool key_passphrase_is_awaited(const struct config_tls *tls)
{
	return tls->key_file && tls->key_secret && key_passphrase_version(tls) == 0;
}

uint64_t key_passphrase_version(const struct config_tls *tls)
{
	struct lease *lease = lease_of(tls);
	uint64_t version = lease ? lease->version : 0;

	lease_unref(&lease);
	return version;
}
