/* SCRAM messages of a client and of a server, and stored secrets. The first byte says which. */
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "pgweir/mem.h"
#include "scram.h"
#include "stored_secret.h"

#define NONCE "rOprNGfwEbeRWgbNEkqO"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct scram_salt salt = { .iterations = 2, .size = 4, .bytes = "salt" };

/* client-first-message, a newline, client-final-message. */
static void client_messages(bool binding, const char *text, size_t size)
{
	struct scram_server server = { .binding_size = binding ? 32 : 0, .fixed_nonce = "server" };
	struct scram_verifier verifier = { .salt = salt };
	struct scram_keys keys;
	struct buf reply = { 0 };
	struct error error;
	const char *newline = memchr(text, '\n', size);
	size_t first = newline ? (size_t)(newline - text) : size;

	if (scram_server_first(&server, binding ? SCRAM_PLUS_MECHANISM : SCRAM_PLAIN_MECHANISM, text, first, &salt, &reply,
		&error) && newline && scram_server_final(&server, newline + 1, size - first - 1, &error) &&
		scram_server_verify(&server, &verifier, &keys, &reply))
		abort();        /* Nobody has the key to a verifier of zeroes. */
	scram_server_fini(&server);
	buf_fini(&reply);
}

/* server-first-message, a newline, server-final-message. */
static void server_messages(const char *text, size_t size)
{
	struct scram_client client = { .fixed_nonce = NONCE };
	struct buf message = { 0 };
	struct error error;
	const char *newline = memchr(text, '\n', size);
	size_t first = newline ? (size_t)(newline - text) : size;

	scram_client_first(&client, false, &message);
	/* With keys, not a password: rounds of PBKDF2 find no faults. */
	if (scram_client_final(&client, text, first, &message, &error) && newline)
		(void)!scram_client_verify(&client, newline + 1, size - first - 1, &error);
	scram_client_fini(&client);
	buf_fini(&message);
}

static void stored_secret(const char *text, size_t size)
{
	char *copy = mem_strndup(text, size);
	struct scram_verifier verifier, again;

	if (stored_secret_kind(copy) == STORED_SCRAM) {
		if (!scram_verifier_parse(copy, &verifier))
			abort();
		char *written = scram_verifier_format(&verifier);
		if (!scram_verifier_parse(written, &again) || !scram_salt_equal(&verifier.salt, &again.salt) ||
			memcmp(verifier.stored_key, again.stored_key, SCRAM_KEY_SIZE) != 0)
			abort();
		mem_free(written);
	}
	mem_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return 0;
	/* A copy of the exact size, so that reading beyond it is seen. */
	char *text = mem_dup(bytes + 1, size - 1);

	switch (bytes[0]) {
	case 'c':
		client_messages(false, text, size - 1);
		break;
	case 'p':
		client_messages(true, text, size - 1);
		break;
	case 's':
		server_messages(text, size - 1);
		break;
	default:
		stored_secret(text, size - 1);
	}
	mem_free(text);
	return 0;
}
