/* SCRAM towards clients. Whatever does not follow the grammar of RFC 5802, section 7 is refused with 08P01; whether a
 * proof matches is said by scram_server_verify() alone, so that the caller can treat all mismatches alike. */
#include <string.h>

#include "base64.h"
#include "pgweir/mem.h"
#include "scram.h"
#include "scram_message.h"

void scram_server_fini(struct scram_server *server)
{
	buf_fini(&server->nonce);
	buf_fini(&server->auth_message);
	mem_wipe(server->proof, sizeof(server->proof));
}

void scram_server_mechanisms(const struct scram_server *server, struct buf *body)
{
	if (server->binding_size)
		buf_append_cstring(body, SCRAM_PLUS_MECHANISM);
	buf_append_cstring(body, SCRAM_PLAIN_MECHANISM);
	buf_append_char(body, '\0');
}

static bool choose_mechanism(struct scram_server *server, const char *mechanism, struct error *error)
{
	server->plus = server->binding_size && strcmp(mechanism, SCRAM_PLUS_MECHANISM) == 0;
	if (server->plus || strcmp(mechanism, SCRAM_PLAIN_MECHANISM) == 0)
		return true;
	return error_set(error, "08P01", "client selected an invalid SASL authentication mechanism");
}

/* "p=tls-server-end-point,": the type is followed by a comma like any attribute. */
static bool read_binding_type(struct scram_server *server, struct scram_span *rest, struct error *error)
{
	static const char only_type[] = "tls-server-end-point";
	struct scram_span type;

	if (!server->plus)
		return scram_malformed(error, "The client selected SCRAM-SHA-256 without channel binding, but the message "
			"includes channel binding data.");
	if (!scram_attribute(rest, 'p', &type))
		return scram_malformed(error, "Channel binding type expected.");
	if (type.size != sizeof(only_type) - 1 || memcmp(type.at, only_type, type.size) != 0)
		return error_set(error, "08P01", "unsupported SCRAM channel-binding type");
	return true;
}

static bool read_no_binding(struct scram_server *server, struct scram_span *rest, struct error *error)
{
	if (server->plus)
		return scram_malformed(error, "The client selected SCRAM-SHA-256-PLUS, but the message does not include "
			"channel binding data.");
	if (server->binding_flag == 'y' && server->binding_size)
		return error_set(error, "28000", "SCRAM channel binding negotiation error: the client supports channel binding "
			"but thinks that the server does not");
	if (rest->size < 2 || rest->at[1] != ',')
		return scram_malformed(error, "Comma expected after the channel-binding flag.");
	rest->at += 2;
	rest->size -= 2;
	return true;
}

/* gs2-header = gs2-cbind-flag "," [ authzid ] "," */
static bool read_gs2_header(struct scram_server *server, struct scram_span *rest, struct error *error)
{
	if (rest->size == 0)
		return scram_malformed(error, "The message is empty.");
	server->binding_flag = rest->at[0];
	if (server->binding_flag == 'p') {
		if (!read_binding_type(server, rest, error))
			return false;
	} else if (server->binding_flag == 'n' || server->binding_flag == 'y') {
		if (!read_no_binding(server, rest, error))
			return false;
	} else {
		return scram_malformed(error, "Unexpected channel-binding flag.");
	}
	if (rest->size && rest->at[0] == 'a')
		return error_set(error, "0A000", "client uses authorization identity, but it is not supported");
	if (rest->size == 0 || rest->at[0] != ',')
		return scram_malformed(error, "Comma expected before the user name.");
	rest->at++;
	rest->size--;
	return true;
}

/* "n=user,r=nonce[,extensions]": the user name of the startup packet counts, and extensions are ignored. */
static bool read_first_bare(struct scram_server *server, struct scram_span bare, struct error *error)
{
	struct scram_span rest = bare, user, nonce;

	if (rest.size && rest.at[0] == 'm')
		return error_set(error, "0A000", "client requires an unsupported SCRAM extension");
	if (!scram_attribute(&rest, 'n', &user))
		return scram_malformed(error, "User name expected.");
	if (!scram_attribute(&rest, 'r', &nonce))
		return scram_malformed(error, "Nonce expected.");
	if (!scram_printable(nonce) || nonce.size > SCRAM_NONCE_MAX)
		return scram_malformed(error, "The nonce is not printable, or too long.");
	buf_append(&server->auth_message, bare.at, bare.size);
	buf_append(&server->nonce, nonce.at, nonce.size);
	return true;
}

bool scram_server_first(struct scram_server *server, const char *mechanism, const char *message, size_t size,
	const struct scram_salt *salt, struct buf *reply, struct error *error)
{
	struct scram_span rest = { .at = message, .size = size };

	if (!choose_mechanism(server, mechanism, error))
		return false;
	if (memchr(message, '\0', size))
		return scram_malformed(error, "The message contains a zero byte.");
	if (!read_gs2_header(server, &rest, error) || !read_first_bare(server, rest, error))
		return false;
	if (server->fixed_nonce)
		buf_append_text(&server->nonce, server->fixed_nonce);
	else
		scram_nonce_append(&server->nonce);

	size_t begun = reply->size;

	server->salt = *salt;
	buf_append_text(reply, "r=");
	buf_append(reply, server->nonce.bytes, server->nonce.size);
	buf_append_text(reply, ",s=");
	base64_append(reply, salt->bytes, salt->size);
	buf_printf(reply, ",i=%u", salt->iterations);
	buf_append_char(&server->auth_message, ',');
	buf_append(&server->auth_message, reply->bytes + begun, reply->size - begun);
	return true;
}

static bool check_binding(struct scram_server *server, struct scram_span sent, struct error *error)
{
	struct buf expected = { 0 };

	scram_binding_append(&expected, server->binding_flag, server->binding, server->binding_size);
	bool same = sent.size == expected.size && mem_equal_secret(sent.at, expected.bytes, sent.size);
	buf_fini(&expected);
	if (same)
		return true;
	/* With -PLUS this is what a man in the middle looks like. */
	if (server->plus)
		return error_set(error, "28000", "SCRAM channel binding check failed");
	return scram_malformed(error, "Unexpected channel-binding attribute in the client-final-message.");
}

/* The proof is the last attribute; extensions may stand before it. */
static bool read_proof(struct scram_server *server, struct scram_span *rest, struct error *error)
{
	struct scram_span proof, extension;
	size_t size = 0;

	while (rest->size > 1 && rest->at[0] != 'p' && rest->at[1] == '=')
		if (!scram_attribute(rest, rest->at[0], &extension))
			break;
	const char *begin = rest->at;
	if (!scram_attribute(rest, 'p', &proof))
		return scram_malformed(error, "Proof expected.");
	if (proof.at + proof.size != rest->at || rest->size)
		return scram_malformed(error, "Garbage found at the end of the client-final-message.");
	if (!base64_decode(proof.at, proof.size, server->proof, SCRAM_KEY_SIZE, &size) || size != SCRAM_KEY_SIZE)
		return scram_malformed(error, "Malformed proof in the client-final-message.");
	rest->at = begin;
	return true;
}

bool scram_server_final(struct scram_server *server, const char *message, size_t size, struct error *error)
{
	struct scram_span rest = { .at = message, .size = size }, binding, nonce;

	if (memchr(message, '\0', size))
		return scram_malformed(error, "The message contains a zero byte.");
	if (!scram_attribute(&rest, 'c', &binding))
		return scram_malformed(error, "Channel binding expected.");
	if (!check_binding(server, binding, error))
		return false;
	if (!scram_attribute(&rest, 'r', &nonce))
		return scram_malformed(error, "Nonce expected.");
	if (nonce.size != server->nonce.size || memcmp(nonce.at, server->nonce.bytes, nonce.size) != 0)
		return scram_malformed(error, "The nonce does not match.");
	if (!read_proof(server, &rest, error))
		return false;
	/* client-final-message-without-proof ends before the comma that precedes the proof. */
	buf_append_char(&server->auth_message, ',');
	buf_append(&server->auth_message, message, (size_t)(rest.at - message) - 1);
	return true;
}

bool scram_server_verify(const struct scram_server *server, const struct scram_verifier *verifier,
	struct scram_keys *keys, struct buf *reply)
{
	const struct buf *auth_message = &server->auth_message;
	unsigned char signature[SCRAM_KEY_SIZE], stored_key[SCRAM_KEY_SIZE];

	scram_hmac(verifier->stored_key, SCRAM_KEY_SIZE, auth_message->bytes, auth_message->size, signature);
	for (size_t i = 0; i < SCRAM_KEY_SIZE; i++)
		keys->client_key[i] = server->proof[i] ^ signature[i];
	scram_stored_key(keys->client_key, stored_key);
	bool proved = mem_equal_secret(stored_key, verifier->stored_key, SCRAM_KEY_SIZE) &&
		scram_salt_equal(&server->salt, &verifier->salt);
	if (!proved) {
		mem_wipe(keys, sizeof(*keys));
		return false;
	}
	memcpy(keys->server_key, verifier->server_key, SCRAM_KEY_SIZE);
	scram_hmac(verifier->server_key, SCRAM_KEY_SIZE, auth_message->bytes, auth_message->size, signature);
	buf_append_text(reply, "v=");
	base64_append(reply, signature, sizeof(signature));
	return true;
}
