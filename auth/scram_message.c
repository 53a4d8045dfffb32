#include "scram_message.h"

#include <openssl/rand.h>
#include <string.h>

#include "base64.h"
#include "pgweir/mem.h"
#include "scram.h"

enum { NONCE_BYTES = 18 };

bool scram_attribute(struct scram_span *rest, char name, struct scram_span *value)
{
	if (rest->size < 2 || rest->at[0] != name || rest->at[1] != '=')
		return false;
	const char *begin = rest->at + 2;
	size_t left = rest->size - 2;
	const char *comma = memchr(begin, ',', left);

	*value = (struct scram_span){ .at = begin, .size = comma ? (size_t)(comma - begin) : left };
	left -= value->size;
	rest->at = begin + value->size + (comma ? 1 : 0);
	rest->size = left - (comma ? 1 : 0);
	return true;
}

bool scram_printable(struct scram_span value)
{
	for (size_t i = 0; i < value.size; i++)
		if (value.at[i] < 0x21 || value.at[i] > 0x7e)
			return false;
	return value.size > 0;
}

bool scram_malformed(struct error *error, const char *what)
{
	return error_set(error, "08P01", "malformed SCRAM message: %s", what);
}

/* ClientProof = ClientKey xor HMAC(StoredKey, AuthMessage); its own inverse. */
void scram_proof(const unsigned char client_key[SCRAM_KEY_SIZE], const struct buf *auth_message,
	unsigned char proof[SCRAM_KEY_SIZE])
{
	unsigned char stored_key[SCRAM_KEY_SIZE], signature[SCRAM_KEY_SIZE];

	scram_stored_key(client_key, stored_key);
	scram_hmac(stored_key, sizeof(stored_key), auth_message->bytes, auth_message->size, signature);
	for (size_t i = 0; i < SCRAM_KEY_SIZE; i++)
		proof[i] = client_key[i] ^ signature[i];
	mem_wipe(stored_key, sizeof(stored_key));
}

void scram_binding_append(struct buf *out, char flag, const void *binding, size_t size)
{
	struct buf input = { 0 };

	if (flag == 'p') {
		buf_append_text(&input, "p=tls-server-end-point,,");
		buf_append(&input, binding, size);
	} else {
		buf_append_char(&input, flag);
		buf_append_text(&input, ",,");
	}
	base64_append(out, input.bytes, input.size);
	buf_fini(&input);
}

void scram_nonce_append(struct buf *out)
{
	unsigned char bytes[NONCE_BYTES];

	CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
	base64_append(out, bytes, sizeof(bytes));
}
