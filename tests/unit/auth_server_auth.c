#include "auth_fixture.h"

#include "credentials_internal.h"
#include "pgweir/mem.h"
#include "pgweir/server_auth.h"
#include "scram.h"

struct login {
	struct server_auth *auth;
	struct buf answer;
	struct error error;
};

static struct login begin(const char *password, const char *md5, const struct scram_keys *keys, bool tls, bool plain_allowed)
{
	struct credentials *credentials = credentials_make("md5_user", password, md5, keys);
	struct login login = { .auth = server_auth_new(credentials, tls, tls ? "0123456789abcdef" : NULL, tls ? 16 : 0,
		plain_allowed) };

	credentials_unref(&credentials);
	return login;
}

static void end(struct login *login)
{
	server_auth_free(&login->auth);
	buf_fini(&login->answer);
}

static enum server_auth_step message(struct login *login, uint32_t code, const void *body, size_t size)
{
	buf_fini(&login->answer);
	return server_auth_message(login->auth, code, body, size, &login->answer, &login->error);
}

static void a_server_that_trusts_us_is_taken_at_its_word(void **state)
{
	struct login login = begin(NULL, NULL, NULL, false, false);

	(void)state;
	assert_int_equal(message(&login, 0, NULL, 0), SERVER_AUTH_OK);
	end(&login);
}

static void a_cleartext_password_goes_out_over_tls_only(void **state)
{
	struct login plain = begin("secret", NULL, NULL, false, false);
	struct login allowed = begin("secret", NULL, NULL, false, true);
	struct login tls = begin("secret", NULL, NULL, true, false);

	(void)state;
	assert_int_equal(message(&plain, 3, NULL, 0), SERVER_AUTH_FAILED);
	assert_int_equal(plain.answer.size, 0);
	assert_int_equal(message(&allowed, 3, NULL, 0), SERVER_AUTH_SEND);
	assert_int_equal(message(&tls, 3, NULL, 0), SERVER_AUTH_SEND);
	assert_int_equal(tls.answer.size, 7);
	assert_string_equal(tls.answer.bytes, "secret");
	assert_int_equal(message(&tls, 0, NULL, 0), SERVER_AUTH_OK);
	end(&plain);
	end(&allowed);
	end(&tls);
}

/* The answers of libpq to the same salt. */
static void md5_is_answered_from_a_password_and_from_its_hash_alike(void **state)
{
	struct login password = begin("secret", NULL, NULL, false, false);
	struct login hash = begin(NULL, MD5_OF_SECRET, NULL, false, false);

	(void)state;
	assert_int_equal(message(&password, 5, "\x01\x02\x03\x04", 4), SERVER_AUTH_SEND);
	assert_int_equal(message(&hash, 5, "\x01\x02\x03\x04", 4), SERVER_AUTH_SEND);
	assert_int_equal(password.answer.size, 36);
	assert_string_equal(password.answer.bytes, hash.answer.bytes);
	assert_int_equal(message(&hash, 0, NULL, 0), SERVER_AUTH_OK);
	end(&password);
	end(&hash);
}

static void what_credentials_cannot_do_is_named(void **state)
{
	static const struct { uint32_t code; const char *body; size_t size; const char *text; } cases[] = {
		{ 3, "", 0, "cleartext password" }, { 10, "SCRAM-SHA-256\0", 15, "scram-sha-256" },
		{ 7, "", 0, "GSSAPI" }, { 9, "", 0, "SSPI" }, { 2, "", 0, "KerberosV5" }, { 77, "", 0, "number 77" },
		{ 10, "OAUTHBEARER\0", 13, "no SASL mechanism" }, { 10, "SCRAM-SHA-256", 13, "malformed" }, { 10, "", 0, "malformed" },
		{ 5, "123", 3, "salt" }, { 11, "r=", 2, "out of turn" }, { 12, "v=", 2, "out of turn" }, { 8, "", 0, "out of turn" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct login login = begin(NULL, MD5_OF_SECRET, NULL, true, true);

		assert_int_equal(message(&login, cases[i].code, cases[i].body, cases[i].size), SERVER_AUTH_FAILED);
		assert_non_null(strstr(login.error.text, cases[i].text));
		assert_null(strstr(login.error.text, MD5_OF_SECRET));
		end(&login);
	}
}

/* A server's SCRAM, played by our own server side. */
struct played_server {
	struct scram_server scram;
	struct scram_verifier verifier;
	struct buf first, final;
};

static void play_begin(struct played_server *server, struct login *login, bool plus)
{
	static const char list[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
	struct error error;

	assert_true(scram_verifier_parse(SCRAM_VERIFIER_PENCIL, &server->verifier));
	if (plus) {
		memcpy(server->scram.binding, "0123456789abcdef", 16);
		server->scram.binding_size = 16;
	}
	assert_int_equal(message(login, 10, plus ? list : list + 19, sizeof(list) - (plus ? 0 : 19)), SERVER_AUTH_SEND);
	const char *mechanism = login->answer.bytes;
	const char *body = mechanism + strlen(mechanism) + 5;
	assert_string_equal(mechanism, plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256");
	assert_true(scram_server_first(&server->scram, mechanism, body, login->answer.size - (size_t)(body - mechanism),
		&server->verifier.salt, &server->first, &error));
}

static bool play_final(struct played_server *server, struct login *login)
{
	struct scram_keys keys;
	struct error error;

	assert_int_equal(message(login, 11, server->first.bytes, server->first.size), SERVER_AUTH_SEND);
	return scram_server_final(&server->scram, login->answer.bytes, login->answer.size, &error) &&
		scram_server_verify(&server->scram, &server->verifier, &keys, &server->final);
}

static void play_end(struct played_server *server)
{
	scram_server_fini(&server->scram);
	buf_fini(&server->first);
	buf_fini(&server->final);
}

static void scram_logs_in(bool tls, const char *password, const struct scram_keys *keys)
{
	struct login login = begin(password, NULL, keys, tls, false);
	struct played_server server = { 0 };

	play_begin(&server, &login, tls);
	assert_true(play_final(&server, &login));
	assert_int_equal(message(&login, 12, server.final.bytes, server.final.size), SERVER_AUTH_QUIET);
	assert_int_equal(message(&login, 0, NULL, 0), SERVER_AUTH_OK);
	play_end(&server);
	end(&login);
}

static void scram_logs_in_with_a_password_with_and_without_binding(void **state)
{
	(void)state;
	scram_logs_in(false, "pencil", NULL);
	scram_logs_in(true, "pencil", NULL);
}

static void scram_logs_in_with_a_clients_keys(void **state)
{
	struct scram_verifier verifier;
	struct scram_keys keys;

	(void)state;
	assert_true(scram_verifier_parse(SCRAM_VERIFIER_PENCIL, &verifier));
	scram_keys_derive("pencil", &verifier.salt, &keys);
	scram_logs_in(false, NULL, &keys);
	scram_logs_in(true, NULL, &keys);
}

/* Whoever stands in the middle must not get our password by asking for it in a weaker way. */
static void once_scram_has_begun_nothing_weaker_is_answered(void **state)
{
	static const struct { uint32_t code; const char *body; size_t size; } weaker[] = {
		{ 0, "", 0 }, { 3, "", 0 }, { 5, "1234", 4 }, { 10, "SCRAM-SHA-256\0", 15 }, { 12, "v=AAAA", 6 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(weaker); i++) {
		struct login login = begin("pencil", NULL, NULL, true, true);
		struct played_server server = { 0 };

		play_begin(&server, &login, true);
		assert_int_equal(message(&login, weaker[i].code, weaker[i].body, weaker[i].size), SERVER_AUTH_FAILED);
		assert_int_equal(login.answer.size, 0);
		/* And it stays that way. */
		assert_int_equal(message(&login, 0, NULL, 0), SERVER_AUTH_FAILED);
		play_end(&server);
		end(&login);
	}
}

static void ok_without_the_servers_signature_is_refused(void **state)
{
	struct login login = begin("pencil", NULL, NULL, false, false);
	struct played_server server = { 0 };

	(void)state;
	play_begin(&server, &login, false);
	assert_true(play_final(&server, &login));
	assert_int_equal(message(&login, 0, NULL, 0), SERVER_AUTH_FAILED);
	assert_string_equal(login.error.sqlstate, "08P01");
	play_end(&server);
	end(&login);
}

static void a_wrong_signature_is_refused(void **state)
{
	struct login login = begin("pencil", NULL, NULL, false, false);
	struct played_server server = { 0 };

	(void)state;
	play_begin(&server, &login, false);
	server.verifier.server_key[3] ^= 4;
	assert_true(play_final(&server, &login));
	assert_int_equal(message(&login, 12, server.final.bytes, server.final.size), SERVER_AUTH_FAILED);
	assert_string_equal(login.error.sqlstate, "28P01");
	play_end(&server);
	end(&login);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_that_trusts_us_is_taken_at_its_word),
		cmocka_unit_test(a_cleartext_password_goes_out_over_tls_only),
		cmocka_unit_test(md5_is_answered_from_a_password_and_from_its_hash_alike),
		cmocka_unit_test(what_credentials_cannot_do_is_named),
		cmocka_unit_test(scram_logs_in_with_a_password_with_and_without_binding),
		cmocka_unit_test(scram_logs_in_with_a_clients_keys),
		cmocka_unit_test(once_scram_has_begun_nothing_weaker_is_answered),
		cmocka_unit_test(ok_without_the_servers_signature_is_refused),
		cmocka_unit_test(a_wrong_signature_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
