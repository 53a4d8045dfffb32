/* SCRAM towards servers. The server is not trusted before scram_client_verify(): its nonce must extend ours, its
 * iteration count is bounded, and its signature proves that it holds the verifier of our password. */
#include <string.h>

#include "base64.h"
#include "pgweir/mem.h"
#include "scram.h"
#include "scram_message.h"

void scram_client_fini(struct scram_client *client)
{
	buf_fini(&client->nonce);
	buf_fini(&client->auth_message);
	mem_wipe(client, sizeof(*client));
}

const char *scram_client_first(struct scram_client *client, bool plus_offered, struct buf *message)
{
	/* 'y': we could, but the server does not offer it. A server that did is thereby told of a man in the middle. */
	client->binding_flag = !client->binding_size ? 'n' : plus_offered ? 'p' : 'y';
	if (client->fixed_nonce)
		buf_append_text(&client->nonce, client->fixed_nonce);
	else
		scram_nonce_append(&client->nonce);
	/* PostgreSQL takes the user name from the startup packet and ignores this one. */
	buf_append_text(&client->auth_message, "n=,r=");
	buf_append(&client->auth_message, client->nonce.bytes, client->nonce.size);
	if (client->binding_flag == 'p')
		buf_append_text(message, "p=tls-server-end-point");
	else
		buf_append_char(message, client->binding_flag);
	buf_append_text(message, ",,");
	buf_append(message, client->auth_message.bytes, client->auth_message.size);
	return client->binding_flag == 'p' ? SCRAM_PLUS_MECHANISM : SCRAM_PLAIN_MECHANISM;
}

static bool read_iterations(struct scram_span value, uint32_t *iterations, struct error *error)
{
	uint32_t number = 0;

	if (value.size == 0 || value.at[0] == '0')
		return scram_malformed(error, "Iteration count expected.");
	for (size_t i = 0; i < value.size; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return scram_malformed(error, "Iteration count expected.");
		number = number * 10 + (uint32_t)(value.at[i] - '0');
		if (number > SCRAM_ITERATIONS_MAX)
			return error_set(error, "08P01", "the server asks for more than %d SCRAM iterations", SCRAM_ITERATIONS_MAX);
	}
	*iterations = number;
	return true;
}

static bool read_server_first(struct scram_client *client, struct scram_span rest, struct scram_salt *salt,
	struct error *error)
{
	struct scram_span nonce, salt_text, iterations;

	if (!scram_attribute(&rest, 'r', &nonce) || !scram_attribute(&rest, 's', &salt_text) ||
		!scram_attribute(&rest, 'i', &iterations))
		return scram_malformed(error, "Nonce, salt and iteration count expected.");
	if (nonce.size <= client->nonce.size || nonce.size > (size_t)2 * SCRAM_NONCE_MAX || !scram_printable(nonce) ||
		memcmp(nonce.at, client->nonce.bytes, client->nonce.size) != 0)
		return error_set(error, "08P01", "the server's SCRAM nonce does not extend ours");
	if (!base64_decode(salt_text.at, salt_text.size, salt->bytes, SCRAM_SALT_MAX, &salt->size) || salt->size == 0)
		return scram_malformed(error, "Salt expected.");
	if (!read_iterations(iterations, &salt->iterations, error))
		return false;
	buf_drop_front(&client->nonce, client->nonce.size);
	buf_append(&client->nonce, nonce.at, nonce.size);
	return true;
}

bool scram_client_final(struct scram_client *client, const char *message, size_t size, struct buf *reply,
	struct error *error)
{
	struct scram_span rest = { .at = message, .size = size };
	struct scram_salt salt = { 0 };
	unsigned char proof[SCRAM_KEY_SIZE];
	size_t begun = reply->size;

	if (memchr(message, '\0', size))
		return scram_malformed(error, "The message contains a zero byte.");
	if (!read_server_first(client, rest, &salt, error))
		return false;
	if (client->password)
		scram_cached_keys(client->password, &salt, &client->keys);

	buf_append_text(reply, "c=");
	scram_binding_append(reply, client->binding_flag, client->binding, client->binding_size);
	buf_append_text(reply, ",r=");
	buf_append(reply, client->nonce.bytes, client->nonce.size);
	buf_append_char(&client->auth_message, ',');
	buf_append(&client->auth_message, message, size);
	buf_append_char(&client->auth_message, ',');
	buf_append(&client->auth_message, reply->bytes + begun, reply->size - begun);
	scram_proof(client->keys.client_key, &client->auth_message, proof);
	buf_append_text(reply, ",p=");
	base64_append(reply, proof, sizeof(proof));
	return true;
}

bool scram_client_verify(const struct scram_client *client, const char *message, size_t size, struct error *error)
{
	struct scram_span rest = { .at = message, .size = size }, value;
	unsigned char sent[SCRAM_KEY_SIZE], expected[SCRAM_KEY_SIZE];
	size_t sent_size = 0;

	/* The text is the server's and not authenticated; it stays out of ours. */
	if (scram_attribute(&rest, 'e', &value))
		return error_set(error, "28P01", "the server reported an error in the SCRAM exchange");
	if (!scram_attribute(&rest, 'v', &value) ||
		!base64_decode(value.at, value.size, sent, sizeof(sent), &sent_size) || sent_size != sizeof(sent))
		return scram_malformed(error, "Server signature expected.");
	scram_hmac(client->keys.server_key, SCRAM_KEY_SIZE, client->auth_message.bytes, client->auth_message.size, expected);
	if (!mem_equal_secret(sent, expected, sizeof(sent)))
		return error_set(error, "28P01", "the server's SCRAM signature is wrong: it does not know our password");
	return true;
}
