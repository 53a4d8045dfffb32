/* Failure story: the server is not trusted. Each of its messages is legal in one phase only, so that it cannot go back
 * to a weaker method once it has begun a stronger one; a cleartext password leaves only over TLS or where the
 * administrator allowed it; and after SCRAM, Ok counts only when the server's signature has been verified. */
#include "pgweir/server_auth.h"

#include <string.h>

#include "md5.h"
#include "pgweir/mem.h"
#include "scram.h"

enum phase {
	PHASE_START,
	PHASE_PASSWORD_SENT,    /* Cleartext or md5: only Ok can follow. */
	PHASE_SCRAM_FIRST,      /* client-first-message is sent. */
	PHASE_SCRAM_FINAL,      /* client-final-message is sent. */
	PHASE_SCRAM_VERIFIED,
	PHASE_DONE,
};

struct server_auth {
	enum phase phase;
	struct credentials *credentials;
	bool tls, plain_allowed;
	struct scram_client scram;
};

/* A message's body, and where the answer or the error goes. */
struct exchange {
	const char *body;
	size_t size;
	struct buf *answer;
	struct error *error;
};

struct server_auth *server_auth_new(struct credentials *credentials, bool tls, const void *binding, size_t binding_size,
	bool plain_allowed)
{
	struct server_auth *server_auth = NEW(struct server_auth);

	server_auth->credentials = credentials_ref(credentials);
	server_auth->tls = tls;
	server_auth->plain_allowed = plain_allowed;
	if (tls && binding_size && binding_size <= SCRAM_BINDING_MAX) {
		memcpy(server_auth->scram.binding, binding, binding_size);
		server_auth->scram.binding_size = binding_size;
	}
	return server_auth;
}

void server_auth_free(struct server_auth **server_auth)
{
	struct server_auth *gone = *server_auth;

	*server_auth = NULL;
	if (!gone)
		return;
	scram_client_fini(&gone->scram);
	credentials_unref(&gone->credentials);
	mem_free(gone);
}

static enum server_auth_step protocol_error(struct exchange *exchange, const char *what)
{
	error_set(exchange->error, "08P01", "the server sent %s", what);
	return SERVER_AUTH_FAILED;
}

static enum server_auth_step no_secret(struct server_auth *server_auth, struct exchange *exchange, const char *method)
{
	const struct credentials *credentials = server_auth->credentials;
	const char *have = credentials->md5 ? "only an md5 hash is known"
		: credentials->has_scram_keys ? "only SCRAM keys are known" : "no password is known";

	error_set(exchange->error, "28P01", "the server asks for %s authentication of user \"%s\", for which %s",
		method, credentials->user, have);
	return SERVER_AUTH_FAILED;
}

static enum server_auth_step take_ok(struct server_auth *server_auth, struct exchange *exchange)
{
	(void)exchange;
	server_auth->phase = PHASE_DONE;
	return SERVER_AUTH_OK;
}

static enum server_auth_step take_cleartext(struct server_auth *server_auth, struct exchange *exchange)
{
	if (!server_auth->credentials->password)
		return no_secret(server_auth, exchange, "cleartext password");
	if (!server_auth->tls && !server_auth->plain_allowed) {
		error_set(exchange->error, "28000", "the server asks for a cleartext password without TLS: refused");
		return SERVER_AUTH_FAILED;
	}
	buf_append_cstring(exchange->answer, server_auth->credentials->password);
	server_auth->phase = PHASE_PASSWORD_SENT;
	return SERVER_AUTH_SEND;
}

static enum server_auth_step take_md5(struct server_auth *server_auth, struct exchange *exchange)
{
	const struct credentials *credentials = server_auth->credentials;
	char stored[MD5_TEXT_SIZE], answer[MD5_TEXT_SIZE];

	if (exchange->size != MD5_SALT_SIZE)
		return protocol_error(exchange, "an md5 salt of a wrong size");
	if (!credentials->password && !credentials->md5)
		return no_secret(server_auth, exchange, "md5");
	bool able = credentials->password ? md5_stored(credentials->password, credentials->user, stored) : true;
	able = able && md5_answer(credentials->password ? stored : credentials->md5, exchange->body, answer);
	mem_wipe(stored, sizeof(stored));
	if (!able) {
		error_set(exchange->error, "28000", "the server asks for md5 authentication, which this machine's libcrypto refuses");
		return SERVER_AUTH_FAILED;
	}
	buf_append_cstring(exchange->answer, answer);
	mem_wipe(answer, sizeof(answer));
	server_auth->phase = PHASE_PASSWORD_SENT;
	return SERVER_AUTH_SEND;
}

/* A list of names, each with its end, then an empty one. False: malformed. */
static bool read_mechanisms(const struct exchange *exchange, bool *scram, bool *plus)
{
	const char *at = exchange->body, *end = at + exchange->size;

	while (at < end && *at) {
		const char *stop = memchr(at, '\0', (size_t)(end - at));

		if (!stop)
			return false;
		*scram = *scram || strcmp(at, SCRAM_PLAIN_MECHANISM) == 0;
		*plus = *plus || strcmp(at, SCRAM_PLUS_MECHANISM) == 0;
		at = stop + 1;
	}
	return at < end;
}

static enum server_auth_step take_sasl(struct server_auth *server_auth, struct exchange *exchange)
{
	const struct credentials *credentials = server_auth->credentials;
	struct scram_client *client = &server_auth->scram;
	struct buf message = { 0 };
	bool scram = false, plus = false;

	if (!read_mechanisms(exchange, &scram, &plus))
		return protocol_error(exchange, "a malformed list of SASL mechanisms");
	if (!scram && !(plus && client->binding_size)) {
		error_set(exchange->error, "28000", "the server offers no SASL mechanism that pgweir has");
		return SERVER_AUTH_FAILED;
	}
	if (!credentials->password && !credentials->has_scram_keys)
		return no_secret(server_auth, exchange, "scram-sha-256");
	client->password = credentials->password;
	memcpy(client->keys.client_key, credentials->scram_client_key, SCRAM_KEY_SIZE);
	memcpy(client->keys.server_key, credentials->scram_server_key, SCRAM_KEY_SIZE);
	buf_append_cstring(exchange->answer, scram_client_first(client, plus, &message));
	buf_append_u32(exchange->answer, (uint32_t)message.size);
	buf_append(exchange->answer, message.bytes, message.size);
	buf_fini(&message);
	server_auth->phase = PHASE_SCRAM_FIRST;
	return SERVER_AUTH_SEND;
}

static enum server_auth_step take_sasl_continue(struct server_auth *server_auth, struct exchange *exchange)
{
	if (!scram_client_final(&server_auth->scram, exchange->body, exchange->size, exchange->answer, exchange->error)) {
		error_prepend(exchange->error, "login to the server");
		return SERVER_AUTH_FAILED;
	}
	server_auth->phase = PHASE_SCRAM_FINAL;
	return SERVER_AUTH_SEND;
}

static enum server_auth_step take_sasl_final(struct server_auth *server_auth, struct exchange *exchange)
{
	if (!scram_client_verify(&server_auth->scram, exchange->body, exchange->size, exchange->error)) {
		error_prepend(exchange->error, "login to the server");
		return SERVER_AUTH_FAILED;
	}
	server_auth->phase = PHASE_SCRAM_VERIFIED;
	return SERVER_AUTH_QUIET;
}

#define IN(phase) (1u << (phase))

/* "Message Formats, Authentication…". Without a handler: a method that pgweir does not have. */
static const struct message {
	uint32_t code;
	unsigned phases;
	const char *name;
	enum server_auth_step (*take)(struct server_auth *server_auth, struct exchange *exchange);
} messages[] = {
	{ 0, IN(PHASE_START) | IN(PHASE_PASSWORD_SENT) | IN(PHASE_SCRAM_VERIFIED), "AuthenticationOk", take_ok },
	{ 2, IN(PHASE_START), "KerberosV5", NULL },
	{ 3, IN(PHASE_START), "AuthenticationCleartextPassword", take_cleartext },
	{ 5, IN(PHASE_START), "AuthenticationMD5Password", take_md5 },
	{ 6, IN(PHASE_START), "SCM", NULL },
	{ 7, IN(PHASE_START), "GSSAPI", NULL },
	{ 8, 0, "AuthenticationGSSContinue", NULL },
	{ 9, IN(PHASE_START), "SSPI", NULL },
	{ 10, IN(PHASE_START), "AuthenticationSASL", take_sasl },
	{ 11, IN(PHASE_SCRAM_FIRST), "AuthenticationSASLContinue", take_sasl_continue },
	{ 12, IN(PHASE_SCRAM_FINAL), "AuthenticationSASLFinal", take_sasl_final },
};

static const struct message *find_message(uint32_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		if (messages[i].code == code)
			return &messages[i];
	return NULL;
}

enum server_auth_step server_auth_message(struct server_auth *server_auth, uint32_t code, const void *body, size_t size,
	struct buf *answer, struct error *error)
{
	const struct message *message = find_message(code);
	struct exchange exchange = { .body = size ? body : "", .size = size, .answer = answer, .error = error };
	enum server_auth_step step = SERVER_AUTH_FAILED;

	if (!message)
		error_set(error, "0A000", "the server asks for an unknown method of authentication, number %u", code);
	else if (!(message->phases & IN(server_auth->phase)))
		error_set(error, "08P01", "the server sent %s out of turn", message->name);
	else if (!message->take)
		error_set(error, "0A000", "the server asks for %s authentication, which pgweir does not have", message->name);
	else
		step = message->take(server_auth, &exchange);
	if (step == SERVER_AUTH_FAILED)
		server_auth->phase = PHASE_DONE;
	return step;
}
