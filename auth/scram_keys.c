/* From a password to keys and verifiers (RFC 5802, section 3), and the text a verifier is stored as. */
#include "scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base64.h"
#include "pgweir/mem.h"
#include "saslprep.h"
#include "scram_message.h"

void scram_hmac(const void *key, size_t key_size, const void *bytes, size_t size, unsigned char out[SCRAM_KEY_SIZE])
{
	unsigned out_size = 0;

	CHECK(HMAC(EVP_sha256(), key, (int)key_size, bytes, size, out, &out_size) && out_size == SCRAM_KEY_SIZE);
}

void scram_stored_key(const unsigned char client_key[SCRAM_KEY_SIZE], unsigned char stored_key[SCRAM_KEY_SIZE])
{
	CHECK(EVP_Digest(client_key, SCRAM_KEY_SIZE, stored_key, NULL, EVP_sha256(), NULL));
}

void scram_keys_derive(const char *password, const struct scram_salt *salt, struct scram_keys *keys)
{
	unsigned char salted[SCRAM_KEY_SIZE];
	char *prepared = saslprep(password);

	CHECK(PKCS5_PBKDF2_HMAC(prepared, (int)strlen(prepared), salt->bytes, (int)salt->size, (int)salt->iterations,
		EVP_sha256(), sizeof(salted), salted));
	scram_hmac(salted, sizeof(salted), "Client Key", 10, keys->client_key);
	scram_hmac(salted, sizeof(salted), "Server Key", 10, keys->server_key);
	mem_wipe(salted, sizeof(salted));
	mem_secret_free(prepared);
}

void scram_verifier_from_keys(const struct scram_salt *salt, const struct scram_keys *keys,
	struct scram_verifier *verifier)
{
	verifier->salt = *salt;
	scram_stored_key(keys->client_key, verifier->stored_key);
	memcpy(verifier->server_key, keys->server_key, SCRAM_KEY_SIZE);
}

bool scram_salt_equal(const struct scram_salt *a, const struct scram_salt *b)
{
	return a->iterations == b->iterations && a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* --- The verifier's text --- */

/* The part before `separator`, or to the end with '\0'; `text` moves behind it. */
static bool take_part(const char **text, char separator, struct scram_span *part)
{
	const char *end = strchr(*text, separator);

	if (!end || end == *text)
		return false;
	*part = (struct scram_span){ .at = *text, .size = (size_t)(end - *text) };
	*text = separator ? end + 1 : end;
	return true;
}

static bool parse_iterations(struct scram_span part, uint32_t *iterations)
{
	uint32_t value = 0;

	for (size_t i = 0; i < part.size; i++) {
		if (part.at[i] < '0' || part.at[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(part.at[i] - '0');
		if (value > SCRAM_ITERATIONS_MAX)
			return false;
	}
	*iterations = value;
	return value > 0;
}

static bool parse_key(struct scram_span part, unsigned char key[SCRAM_KEY_SIZE])
{
	size_t size = 0;

	return base64_decode(part.at, part.size, key, SCRAM_KEY_SIZE, &size) && size == SCRAM_KEY_SIZE;
}

bool scram_verifier_parse(const char *text, struct scram_verifier *verifier)
{
	static const char prefix[] = SCRAM_PLAIN_MECHANISM "$";
	struct scram_span iterations, salt, stored_key, server_key;

	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return false;
	text += sizeof(prefix) - 1;
	return take_part(&text, ':', &iterations) && take_part(&text, '$', &salt) && take_part(&text, ':', &stored_key) &&
		take_part(&text, '\0', &server_key) && parse_iterations(iterations, &verifier->salt.iterations) &&
		base64_decode(salt.at, salt.size, verifier->salt.bytes, SCRAM_SALT_MAX, &verifier->salt.size) &&
		parse_key(stored_key, verifier->stored_key) && parse_key(server_key, verifier->server_key);
}

char *scram_verifier_format(const struct scram_verifier *verifier)
{
	struct buf text = { 0 };

	buf_printf(&text, SCRAM_PLAIN_MECHANISM "$%u:", verifier->salt.iterations);
	base64_append(&text, verifier->salt.bytes, verifier->salt.size);
	buf_append_char(&text, '$');
	base64_append(&text, verifier->stored_key, SCRAM_KEY_SIZE);
	buf_append_char(&text, ':');
	base64_append(&text, verifier->server_key, SCRAM_KEY_SIZE);
	return buf_take_text(&text);
}
