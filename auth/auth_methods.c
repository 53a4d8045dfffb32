/* The methods, each a row of the table at the end: how it starts, what it makes of an answer, whether that fits. */
#include <arpa/inet.h>
#include <openssl/rand.h>
#include <pwd.h>
#include <string.h>

#include "authenticator_internal.h"
#include "credentials_internal.h"
#include "ident.h"
#include "pgweir/mem.h"

static enum auth_step refuse(struct authenticator *authenticator, const char *detail)
{
	return authenticator_deny(authenticator, detail);
}

/* --- trust --- */

static enum auth_step start_trust(struct authenticator *authenticator)
{
	return authenticator_grant(authenticator);
}

/* --- cert and peer: somebody else vouches for a name --- */

/* Without a map the names must be equal; a map alone decides where the rules name one. */
static bool name_fits(const struct authenticator *authenticator, const char *name)
{
	const struct hba_verdict *verdict = &authenticator->verdict;

	if (verdict->map && ident_allows(authenticator->state->ident, verdict->map, name, authenticator->user))
		return true;
	return (!verdict->map || authenticator->config->auth_type == AUTH_TYPE_CERT) && strcmp(name, authenticator->user) == 0;
}

static enum auth_step start_cert(struct authenticator *authenticator)
{
	if (!authenticator->common_name) {
		error_set(&authenticator->error, "28000", "connection requires a valid client certificate");
		return refuse(authenticator, NULL);
	}
	if (name_fits(authenticator, authenticator->common_name))
		return authenticator_grant(authenticator);
	error_set(&authenticator->error, "28000", "certificate authentication failed for user \"%s\"", authenticator->user);
	return refuse(authenticator, authenticator->common_name);
}

static enum auth_step start_peer(struct authenticator *authenticator)
{
	char memory[4096];
	struct passwd entry, *found = NULL;
	bool known = authenticator->peer_uid != (uid_t)-1 &&
		getpwuid_r(authenticator->peer_uid, &entry, memory, sizeof(memory), &found) == 0 && found;

	if (known && name_fits(authenticator, found->pw_name))
		return authenticator_grant(authenticator);
	error_set(&authenticator->error, "28000", "peer authentication failed for user \"%s\"", authenticator->user);
	return refuse(authenticator, known ? found->pw_name : "the operating system does not say who it is");
}

/* --- plain --- */

static enum auth_step start_plain(struct authenticator *authenticator)
{
	if (authenticator->tls || authenticator->address.ss_family == AF_UNIX || authenticator->config->auth_plain_without_tls)
		return authenticator_challenge(authenticator, AUTH_CODE_CLEARTEXT);
	error_set(&authenticator->error, "28000", "a cleartext password is not asked for without TLS: connect with TLS");
	return refuse(authenticator, NULL);
}

/* The body of PasswordMessage: one text with its end. */
static bool take_password(struct authenticator *authenticator, const char *body, size_t size)
{
	if (size == 0 || memchr(body, '\0', size) != body + size - 1)
		return error_set(&authenticator->error, "08P01", "invalid password packet size");
	if (size == 1)
		return error_set(&authenticator->error, "28P01", "empty password returned by client");
	mem_secret_free(authenticator->answer);
	authenticator->answer = mem_secret_dup(body);
	return true;
}

static enum auth_step answer_password(struct authenticator *authenticator, const char *body, size_t size)
{
	if (!take_password(authenticator, body, size))
		return refuse(authenticator, NULL);
	return authenticator_judge(authenticator);
}

static bool plain_fits_plain(const char *password, const char *user, const char *secret)
{
	(void)user;
	return mem_equal_secret_text(password, secret);
}

static bool plain_fits_md5(const char *password, const char *user, const char *secret)
{
	char stored[MD5_TEXT_SIZE];

	return md5_stored(password, user, stored) && mem_equal_secret_text(stored, secret);
}

static bool plain_fits_scram(const char *password, const char *user, const char *secret)
{
	struct scram_verifier verifier, made;
	struct scram_keys keys;

	(void)user;
	if (!scram_verifier_parse(secret, &verifier))
		return false;
	scram_cached_keys(password, &verifier.salt, &keys);
	scram_verifier_from_keys(&verifier.salt, &keys, &made);
	mem_wipe(&keys, sizeof(keys));
	return mem_equal_secret(made.server_key, verifier.server_key, SCRAM_KEY_SIZE) &&
		mem_equal_secret(made.stored_key, verifier.stored_key, SCRAM_KEY_SIZE);
}

static bool verify_plain(struct authenticator *authenticator)
{
	static bool (*const fits[])(const char *password, const char *user, const char *secret) = {
		[STORED_PLAIN] = plain_fits_plain,
		[STORED_MD5] = plain_fits_md5,
		[STORED_SCRAM] = plain_fits_scram,
	};
	const struct client_secrets *secrets = &authenticator->secrets;

	for (size_t i = 0; i < secrets->count; i++) {
		const char *secret = secrets->texts[i];

		if (!fits[stored_secret_kind(secret)](authenticator->answer, authenticator->user, secret))
			continue;
		authenticator->matched = i;
		authenticator->proved = credentials_make(authenticator->user, authenticator->answer, NULL, NULL);
		return true;
	}
	return false;
}

/* --- md5 --- */

/* As PostgreSQL and PgBouncer: a user whose secret is a SCRAM verifier logs in with SCRAM under `md5` too. */
static enum auth_step start_md5(struct authenticator *authenticator)
{
	if (stored_secret_kind(authenticator->secrets.texts[0]) == STORED_SCRAM) {
		authenticator->method = &auth_methods[HBA_SCRAM];
		return authenticator->method->start(authenticator);
	}
	CHECK(RAND_bytes(authenticator->md5_salt, MD5_SALT_SIZE) == 1);
	buf_append(&authenticator->body, authenticator->md5_salt, MD5_SALT_SIZE);
	return authenticator_challenge(authenticator, AUTH_CODE_MD5);
}

static bool md5_fits(const struct authenticator *authenticator, enum stored_secret kind, const char *secret)
{
	char stored[MD5_TEXT_SIZE], expected[MD5_TEXT_SIZE];

	if (kind == STORED_PLAIN && !md5_stored(secret, authenticator->user, stored))
		return false;
	bool fits = md5_answer(kind == STORED_PLAIN ? stored : secret, authenticator->md5_salt, expected) &&
		mem_equal_secret_text(authenticator->answer, expected);
	mem_wipe(stored, sizeof(stored));
	return fits;
}

static bool verify_md5(struct authenticator *authenticator)
{
	const struct client_secrets *secrets = &authenticator->secrets;

	for (size_t i = 0; i < secrets->count; i++) {
		const char *secret = secrets->texts[i];
		enum stored_secret kind = stored_secret_kind(secret);
		bool plain = kind == STORED_PLAIN;

		if (kind == STORED_SCRAM || !md5_fits(authenticator, kind, secret))
			continue;
		authenticator->matched = i;
		authenticator->proved = credentials_make(authenticator->user, plain ? secret : NULL, plain ? NULL : secret, NULL);
		return true;
	}
	return false;
}

/* --- scram-sha-256 --- */

static void choose_salt(struct authenticator *authenticator)
{
	struct scram_verifier verifier;

	if (scram_verifier_parse(authenticator->secrets.texts[0], &verifier))
		authenticator->salt = verifier.salt;
	else
		auth_state_salt(authenticator->user, &authenticator->salt);
}

static enum auth_step start_scram(struct authenticator *authenticator)
{
	if (stored_secret_kind(authenticator->secrets.texts[0]) == STORED_MD5)
		authenticator_doom(authenticator, STORED_SCRAM, authenticator->doomed ? authenticator->detail :
			"the stored secret is an md5 hash, which cannot serve scram-sha-256");
	choose_salt(authenticator);
	scram_server_mechanisms(&authenticator->scram, &authenticator->body);
	return authenticator_challenge(authenticator, AUTH_CODE_SASL);
}

static enum auth_step begin_exchange(struct authenticator *authenticator, const char *message, size_t size)
{
	if (!scram_server_first(&authenticator->scram, authenticator->mechanism, message, size, &authenticator->salt,
		&authenticator->body, &authenticator->error))
		return refuse(authenticator, NULL);
	authenticator->scram_begun = true;
	return authenticator_challenge(authenticator, AUTH_CODE_SASL_CONTINUE);
}

/* SASLInitialResponse: the mechanism's name, the length of what follows (-1: nothing, an empty challenge is asked for),
 * and client-first-message. */
static enum auth_step answer_mechanism(struct authenticator *authenticator, const char *body, size_t size)
{
	const char *end = size ? memchr(body, '\0', size) : NULL;
	uint32_t length;

	if (!end || size - (size_t)(end + 1 - body) < sizeof(length)) {
		error_set(&authenticator->error, "08P01", "malformed SASLInitialResponse message");
		return refuse(authenticator, NULL);
	}
	const char *message = end + 1 + sizeof(length);
	size_t left = size - (size_t)(message - body);

	memcpy(&length, end + 1, sizeof(length));
	length = ntohl(length);
	if (length == UINT32_MAX ? left != 0 : length != left) {
		error_set(&authenticator->error, "08P01", "malformed SASLInitialResponse message");
		return refuse(authenticator, NULL);
	}
	mem_free(authenticator->mechanism);
	authenticator->mechanism = mem_strdup(body);
	if (length == UINT32_MAX)
		return authenticator_challenge(authenticator, AUTH_CODE_SASL_CONTINUE);
	return begin_exchange(authenticator, message, left);
}

static enum auth_step answer_scram(struct authenticator *authenticator, const char *body, size_t size)
{
	if (!authenticator->mechanism)
		return answer_mechanism(authenticator, body, size);
	if (!authenticator->scram_begun)
		return begin_exchange(authenticator, body, size);
	if (!scram_server_final(&authenticator->scram, body, size, &authenticator->error))
		return refuse(authenticator, NULL);
	return authenticator_judge(authenticator);
}

static bool scram_fits(struct authenticator *authenticator, enum stored_secret kind, const char *secret)
{
	struct scram_server *server = &authenticator->scram;
	struct scram_verifier verifier;
	struct scram_keys keys;

	if (kind == STORED_PLAIN) {
		scram_cached_keys(secret, &server->salt, &keys);
		scram_verifier_from_keys(&server->salt, &keys, &verifier);
	} else if (!scram_verifier_parse(secret, &verifier)) {
		return false;
	}
	bool fits = scram_server_verify(server, &verifier, &keys, &authenticator->body);
	/* A password serves every server; keys serve one with the same verifier. */
	if (fits && kind == STORED_PLAIN)
		authenticator->proved = credentials_make(authenticator->user, secret, NULL, NULL);
	else if (fits)
		authenticator->proved = credentials_make(authenticator->user, NULL, NULL, &keys);
	mem_wipe(&keys, sizeof(keys));
	mem_wipe(&verifier, sizeof(verifier));
	return fits;
}

static bool verify_scram(struct authenticator *authenticator)
{
	const struct client_secrets *secrets = &authenticator->secrets;

	for (size_t i = 0; i < secrets->count; i++) {
		if (!scram_fits(authenticator, stored_secret_kind(secrets->texts[i]), secrets->texts[i]))
			continue;
		authenticator->matched = i;
		authenticator->code = AUTH_CODE_SASL_FINAL;
		return true;
	}
	return false;
}

const struct auth_method auth_methods[] = {
	[HBA_TRUST] = { .name = "trust", .start = start_trust },
	[HBA_PLAIN] = { .name = "plain", .needs_secrets = true, .start = start_plain, .answer = answer_password,
		.verify = verify_plain },
	[HBA_MD5] = { .name = "md5", .needs_secrets = true, .start = start_md5, .answer = answer_password,
		.verify = verify_md5 },
	[HBA_SCRAM] = { .name = "scram-sha-256", .needs_secrets = true, .start = start_scram, .answer = answer_scram,
		.verify = verify_scram },
	[HBA_CERT] = { .name = "cert", .start = start_cert },
	[HBA_PEER] = { .name = "peer", .start = start_peer },
};
