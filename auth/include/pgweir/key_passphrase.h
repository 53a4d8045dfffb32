/* The passphrases of encrypted private keys, which secrets hold: `client_tls_key_secret`, `server_tls_key_secret`. */
#ifndef PGWEIR_KEY_PASSPHRASE_H
#define PGWEIR_KEY_PASSPHRASE_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/config.h"

/* The value of the secret that opens the key: the current, the pending or the previous one, since file and secret change one
 * after the other. To be freed with mem_secret_free(). NULL: no secret is named, none of its values opens the key, or
 * the key needs none. Reads the file; any thread but a worker. */
char *key_passphrase_find(const struct config_tls *tls) MUST_USE;

/* A secret is named, and has not had a value yet. */
bool key_passphrase_is_awaited(const struct config_tls *tls) MUST_USE;

/* Grows when the secret has another value; 0: none yet, or no secret is named. */
uint64_t key_passphrase_version(const struct config_tls *tls);

/* What a key's file asks for, and what there is to answer. */
struct key_passphrase_request {
	const char *passphrase;         /* NULL: nothing. */
	bool asked;                     /* The key is encrypted. */
};

/* Answers a struct key_passphrase_request, for OpenSSL (pem_password_cb), which would ask at the terminal otherwise. */
int key_passphrase_give(char *to, int size, int writing, void *request);

#endif
