#include "bench_auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MD5_HEX_CHARS 32
#define MESSAGE_CHARS_MAX 1024

static enum auth_outcome answer_ok(struct auth *auth, const struct wire_message *message, struct bytes *out)
{
	(void)auth;
	(void)message;
	(void)out;
	return AUTH_DONE;
}

static enum auth_outcome answer_cleartext(struct auth *auth, const struct wire_message *message, struct bytes *out)
{
	(void)message;
	wire_string_message(out, 'p', auth->password);
	return AUTH_CONTINUES;
}

static bool md5_hex(const char *text, size_t length, const uint8_t *salt, size_t salt_length, char *hex)
{
	char joined[MESSAGE_CHARS_MAX];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned digest_length;

	if (length + salt_length > sizeof(joined))
		return false;
	memcpy(joined, text, length);
	memcpy(joined + length, salt, salt_length);
	if (EVP_Digest(joined, length + salt_length, digest, &digest_length, EVP_md5(), NULL) != 1)
		return false;
	for (unsigned i = 0; i < digest_length; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return true;
}

/* "md5" + md5(md5(password + user) + salt) */
static enum auth_outcome answer_md5(struct auth *auth, const struct wire_message *message, struct bytes *out)
{
	char inner[MD5_HEX_CHARS + 1];
	char reply[3 + MD5_HEX_CHARS + 1] = "md5";

	if (message->length < 8 ||
	    !md5_hex(auth->password, strlen(auth->password), (const uint8_t *)auth->user, strlen(auth->user), inner) ||
	    !md5_hex(inner, MD5_HEX_CHARS, message->body + 4, 4, reply + 3))
		return AUTH_FAILED;
	wire_string_message(out, 'p', reply);
	return AUTH_CONTINUES;
}

static bool offers_scram(const struct wire_message *message)
{
	size_t offset = 4;
	const char *mechanism;

	while ((mechanism = wire_string_at(message, &offset)) && *mechanism)
		if (strcmp(mechanism, "SCRAM-SHA-256") == 0)
			return true;
	return false;
}

/* client-first-message, under "n,,": no channel binding. */
static enum auth_outcome answer_sasl(struct auth *auth, const struct wire_message *message, struct bytes *out)
{
	uint8_t random[AUTH_NONCE_CHARS / 4 * 3];
	char first[AUTH_FIRST_CHARS_MAX];
	size_t begun_at;
	int length;

	if (!offers_scram(message) || RAND_bytes(random, sizeof(random)) != 1)
		return AUTH_FAILED;
	EVP_EncodeBlock((unsigned char *)auth->nonce, random, sizeof(random));
	length = snprintf(first, sizeof(first), "n,,n=,r=%s", auth->nonce);
	begun_at = wire_begin(out, 'p');
	bytes_append_string(out, "SCRAM-SHA-256");
	bytes_append_u32(out, (uint32_t)length);
	bytes_append(out, first, (size_t)length);
	wire_end(out, begun_at);
	return AUTH_CONTINUES;
}

static bool hmac(const uint8_t *key, const char *text, size_t length, uint8_t *result)
{
	return HMAC(EVP_sha256(), key, AUTH_KEY_BYTES, (const uint8_t *)text, length, result, NULL) != NULL;
}

static bool salt_password(struct auth *auth, const uint8_t *salt, size_t salt_length, uint32_t iterations)
{
	struct auth_cache *cache = auth->cache;

	if (cache->iterations == iterations && cache->salt_length == salt_length &&
	    memcmp(cache->salt, salt, salt_length) == 0)
		return true;
	memcpy(cache->salt, salt, salt_length);
	cache->salt_length = salt_length;
	cache->iterations = iterations;
	return PKCS5_PBKDF2_HMAC(auth->password, (int)strlen(auth->password), salt, (int)salt_length, (int)iterations,
				 EVP_sha256(), AUTH_KEY_BYTES, cache->salted_password) == 1;
}

/* EVP_DecodeBlock counts the padding as data. */
static bool decode_base64(const char *text, size_t length, uint8_t *into, size_t room, size_t *decoded)
{
	int result;

	if (length == 0 || length % 4 != 0 || length / 4 * 3 > room)
		return false;
	result = EVP_DecodeBlock(into, (const unsigned char *)text, (int)length);
	if (result < 0)
		return false;
	*decoded = (size_t)result - (text[length - 1] == '=') - (text[length - 2] == '=');
	return true;
}

/* ClientKey XOR ClientSignature in base64, and what the server must answer with. */
static bool prove(struct auth *auth, const char *auth_message, char *proof_base64)
{
	uint8_t client_key[AUTH_KEY_BYTES];
	uint8_t stored_key[AUTH_KEY_BYTES];
	uint8_t server_key[AUTH_KEY_BYTES];
	uint8_t proof[AUTH_KEY_BYTES];
	const uint8_t *salted = auth->cache->salted_password;
	size_t length = strlen(auth_message);

	if (!hmac(salted, "Client Key", strlen("Client Key"), client_key) ||
	    EVP_Digest(client_key, sizeof(client_key), stored_key, NULL, EVP_sha256(), NULL) != 1 ||
	    !hmac(stored_key, auth_message, length, proof) ||
	    !hmac(salted, "Server Key", strlen("Server Key"), server_key) ||
	    !hmac(server_key, auth_message, length, auth->server_signature))
		return false;
	for (size_t i = 0; i < sizeof(proof); i++)
		proof[i] ^= client_key[i];
	EVP_EncodeBlock((unsigned char *)proof_base64, proof, sizeof(proof));
	return true;
}

/* server-first-message: r=<nonce>,s=<salt>,i=<iterations> */
static enum auth_outcome answer_sasl_continue(struct auth *auth, const struct wire_message *message,
					      struct bytes *out)
{
	char first[AUTH_FIRST_CHARS_MAX];
	char without_proof[AUTH_FIRST_CHARS_MAX];
	char auth_message[MESSAGE_CHARS_MAX];
	char proof[AUTH_KEY_BYTES * 2];
	char nonce[AUTH_FIRST_CHARS_MAX / 2];
	char salt_base64[AUTH_SALT_BYTES_MAX];
	uint8_t salt[AUTH_SALT_BYTES_MAX];
	size_t salt_length;
	unsigned iterations;
	size_t begun_at;

	if (message->length - 4 >= sizeof(first))
		return AUTH_FAILED;
	snprintf(first, sizeof(first), "%.*s", (int)(message->length - 4), (const char *)message->body + 4);
	if (sscanf(first, "r=%127[^,],s=%63[^,],i=%u", nonce, salt_base64, &iterations) != 3 ||
	    strncmp(nonce, auth->nonce, strlen(auth->nonce)) != 0 ||
	    !decode_base64(salt_base64, strlen(salt_base64), salt, sizeof(salt), &salt_length) ||
	    !salt_password(auth, salt, salt_length, iterations))
		return AUTH_FAILED;
	snprintf(without_proof, sizeof(without_proof), "c=biws,r=%s", nonce);
	snprintf(auth_message, sizeof(auth_message), "n=,r=%s,%s,%s", auth->nonce, first, without_proof);
	if (!prove(auth, auth_message, proof))
		return AUTH_FAILED;
	begun_at = wire_begin(out, 'p');
	bytes_append(out, without_proof, strlen(without_proof));
	bytes_append(out, ",p=", 3);
	bytes_append(out, proof, strlen(proof));
	wire_end(out, begun_at);
	return AUTH_CONTINUES;
}

static enum auth_outcome answer_sasl_final(struct auth *auth, const struct wire_message *message, struct bytes *out)
{
	char expected[2 + AUTH_KEY_BYTES * 2] = "v=";

	(void)out;
	EVP_EncodeBlock((unsigned char *)expected + 2, auth->server_signature, AUTH_KEY_BYTES);
	if (message->length - 4 != strlen(expected) ||
	    CRYPTO_memcmp(message->body + 4, expected, strlen(expected)) != 0)
		return AUTH_FAILED;
	return AUTH_CONTINUES;
}

typedef enum auth_outcome answer_fn(struct auth *auth, const struct wire_message *message, struct bytes *out);

/* By the code of the Authentication message: "Message Formats" in PostgreSQL's documentation. */
static answer_fn *const answers[] = {
	[0] = answer_ok,
	[3] = answer_cleartext,
	[5] = answer_md5,
	[10] = answer_sasl,
	[11] = answer_sasl_continue,
	[12] = answer_sasl_final,
};

enum auth_outcome auth_answer(struct auth *auth, const struct wire_message *message, struct bytes *out)
{
	uint32_t code;

	if (message->length < 4)
		return AUTH_FAILED;
	code = wire_get_u32(message->body);
	if (code >= sizeof(answers) / sizeof(answers[0]) || !answers[code])
		return AUTH_FAILED;
	return answers[code](auth, message, out);
}
