#include "auth_fixture.h"

#include "pgweir/mem.h"
#include "saslprep.h"
#include "scram.h"

#define PASSWORD "pencil"
static const char binding_bytes[] = "a hash of the certificate, 32 b.";

/* Both sides of an exchange, and what passes between them. */
struct exchange {
	struct scram_server server;
	struct scram_client client;
	struct scram_verifier verifier;
	struct scram_keys proved;
	struct buf client_first, server_first, client_final, server_final;
	struct error error;
};

static int set_up(void **state)
{
	struct exchange *exchange = NEW(struct exchange);

	assert_true(scram_verifier_parse(SCRAM_VERIFIER_PENCIL, &exchange->verifier));
	exchange->client.password = PASSWORD;
	*state = exchange;
	return 0;
}

static int tear_down(void **state)
{
	struct exchange *exchange = *state;

	scram_server_fini(&exchange->server);
	scram_client_fini(&exchange->client);
	buf_fini(&exchange->client_first);
	buf_fini(&exchange->server_first);
	buf_fini(&exchange->client_final);
	buf_fini(&exchange->server_final);
	mem_free(exchange);
	scram_cache_wipe();
	return 0;
}

static void bind_both(struct exchange *exchange)
{
	exchange->server.binding_size = exchange->client.binding_size = 32;
	memcpy(exchange->server.binding, binding_bytes, 32);
	memcpy(exchange->client.binding, binding_bytes, 32);
}

static bool begin(struct exchange *exchange)
{
	const char *mechanism = scram_client_first(&exchange->client, exchange->server.binding_size > 0,
		&exchange->client_first);

	return scram_server_first(&exchange->server, mechanism, exchange->client_first.bytes, exchange->client_first.size,
		&exchange->verifier.salt, &exchange->server_first, &exchange->error);
}

static bool answer(struct exchange *exchange)
{
	return scram_client_final(&exchange->client, exchange->server_first.bytes, exchange->server_first.size,
		&exchange->client_final, &exchange->error);
}

static bool finish(struct exchange *exchange)
{
	return scram_server_final(&exchange->server, exchange->client_final.bytes, exchange->client_final.size,
		&exchange->error) &&
		scram_server_verify(&exchange->server, &exchange->verifier, &exchange->proved, &exchange->server_final);
}

static bool client_believes(struct exchange *exchange)
{
	return scram_client_verify(&exchange->client, exchange->server_final.bytes, exchange->server_final.size,
		&exchange->error);
}

static bool first(struct exchange *exchange, const char *mechanism, const char *message)
{
	return scram_server_first(&exchange->server, mechanism, message, strlen(message), &exchange->verifier.salt,
		&exchange->server_first, &exchange->error);
}

/* RFC 7677, section 3. */
static void the_rfc_7677_example_comes_out_byte_by_byte(void **state)
{
	struct exchange *exchange = *state;
	const char *client_final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
		"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
	struct scram_salt *salt = &exchange->verifier.salt;
	struct scram_keys keys;

	*salt = (struct scram_salt){ .iterations = 4096, .size = 16 };
	memcpy(salt->bytes, "\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81", 16);
	scram_keys_derive("pencil", salt, &keys);
	scram_verifier_from_keys(salt, &keys, &exchange->verifier);
	exchange->server.fixed_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

	assert_true(first(exchange, "SCRAM-SHA-256", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
	buf_append_char(&exchange->server_first, '\0');
	assert_string_equal(exchange->server_first.bytes,
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	buf_append_text(&exchange->client_final, client_final);
	assert_true(finish(exchange));
	buf_append_char(&exchange->server_final, '\0');
	assert_string_equal(exchange->server_final.bytes, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

static void a_verifier_made_by_postgres_is_derived_alike(void **state)
{
	struct exchange *exchange = *state;
	struct scram_verifier made;
	struct scram_keys keys;

	scram_keys_derive(PASSWORD, &exchange->verifier.salt, &keys);
	scram_verifier_from_keys(&exchange->verifier.salt, &keys, &made);
	char *text = scram_verifier_format(&made);
	assert_string_equal(text, SCRAM_VERIFIER_PENCIL);
	mem_free(text);
}

/* Ordinal indicator, roman numeral nine and the ligature fi become "a", "IX" and "fi". The verifier is PostgreSQL's. */
static void saslprep_agrees_with_postgres(void **state)
{
	const char *text = "SCRAM-SHA-256$4096:tlpL9bN2MD52RBKDmwJy5w==$DAdJeH9jlaYAn6E+BoGQzFpc2CeTylbpA9fYlKjVoww=:"
		"7ar8UGKL0ovPSvLW7zDBIvccNzcW9YjSXZzIkqY6yrU=";
	struct scram_verifier verifier, made;
	struct scram_keys keys;

	(void)state;
	assert_true(scram_verifier_parse(text, &verifier));
	scram_keys_derive("pass\u00aaw\u2168\ufb01", &verifier.salt, &keys);
	scram_verifier_from_keys(&verifier.salt, &keys, &made);
	assert_memory_equal(made.stored_key, verifier.stored_key, SCRAM_KEY_SIZE);
}

static void a_password_that_cannot_be_prepared_is_taken_as_it_is(void **state)
{
	static const char *const passwords[] = { "not \xff utf-8", "bell\a", "unassigned \u0221", "\u00ad", "tone \u0340", "tone \u0341" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		char *prepared = saslprep(passwords[i]);

		assert_string_equal(prepared, passwords[i]);
		mem_secret_free(prepared);
	}
}

static void an_exchange_without_binding_ends_with_both_sides_convinced(void **state)
{
	struct exchange *exchange = *state;

	assert_true(begin(exchange));
	assert_true(answer(exchange));
	assert_true(finish(exchange));
	assert_true(client_believes(exchange));
	assert_int_equal(exchange->client.binding_flag, 'n');
}

static void an_exchange_with_binding_ends_with_both_sides_convinced(void **state)
{
	struct exchange *exchange = *state;

	bind_both(exchange);
	assert_true(begin(exchange));
	assert_true(exchange->server.plus);
	assert_true(answer(exchange));
	assert_true(finish(exchange));
	assert_true(client_believes(exchange));
}

/* What pass-through needs: the keys that a client's proof reveals log in where the verifier is the same. */
static void the_keys_a_proof_reveals_log_in_elsewhere(void **state)
{
	struct exchange *exchange = *state;
	struct exchange second = { .verifier = exchange->verifier };

	assert_true(begin(exchange) && answer(exchange) && finish(exchange));
	second.client.keys = exchange->proved;
	assert_true(begin(&second) && answer(&second) && finish(&second) && client_believes(&second));
	scram_server_fini(&second.server);
	scram_client_fini(&second.client);
	buf_fini(&second.client_first);
	buf_fini(&second.server_first);
	buf_fini(&second.client_final);
	buf_fini(&second.server_final);
}

static void a_wrong_password_does_not_match(void **state)
{
	struct exchange *exchange = *state;

	exchange->client.password = "pencils";
	assert_true(begin(exchange) && answer(exchange));
	assert_false(finish(exchange));
	assert_string_equal(exchange->error.text, "");
	assert_int_equal(exchange->server_final.size, 0);
}

/* A man in the middle has another certificate, so the client binds to other bytes. */
static void another_certificate_fails_the_binding_check(void **state)
{
	struct exchange *exchange = *state;

	bind_both(exchange);
	exchange->client.binding[5] ^= 1;
	assert_true(begin(exchange) && answer(exchange));
	assert_false(finish(exchange));
	assert_string_equal(exchange->error.sqlstate, "28000");
}

/* A man in the middle has struck -PLUS off the list. */
static void a_client_that_missed_the_offer_of_binding_is_refused(void **state)
{
	struct exchange *exchange = *state;

	bind_both(exchange);
	assert_string_equal(scram_client_first(&exchange->client, false, &exchange->client_first), "SCRAM-SHA-256");
	assert_int_equal(exchange->client_first.bytes[0], 'y');
	buf_append_char(&exchange->client_first, '\0');
	assert_false(first(exchange, "SCRAM-SHA-256", exchange->client_first.bytes));
	assert_string_equal(exchange->error.sqlstate, "28000");
}

static void every_changed_byte_of_client_final_is_refused(void **state)
{
	struct exchange *exchange = *state;

	bind_both(exchange);
	assert_true(begin(exchange) && answer(exchange));
	for (size_t i = 0; i < exchange->client_final.size; i++) {
		struct scram_server server = exchange->server;
		struct buf reply = { 0 };

		server.nonce = server.auth_message = (struct buf){ 0 };
		buf_append(&server.nonce, exchange->server.nonce.bytes, exchange->server.nonce.size);
		buf_append(&server.auth_message, exchange->server.auth_message.bytes, exchange->server.auth_message.size);
		exchange->client_final.bytes[i] ^= 1;
		bool proved = scram_server_final(&server, exchange->client_final.bytes, exchange->client_final.size,
			&exchange->error) && scram_server_verify(&server, &exchange->verifier, &exchange->proved, &reply);
		assert_false(proved);
		exchange->client_final.bytes[i] ^= 1;
		scram_server_fini(&server);
		buf_fini(&reply);
	}
	assert_true(finish(exchange));
}

static void malformed_first_messages_are_protocol_violations(void **state)
{
	static const struct { const char *mechanism, *message, *sqlstate; } cases[] = {
		{ "SCRAM-SHA-1", "n,,n=,r=abc", "08P01" },
		{ "SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=abc", "08P01" },   /* Not offered here. */
		{ "SCRAM-SHA-256", "", "08P01" },
		{ "SCRAM-SHA-256", "n", "08P01" },
		{ "SCRAM-SHA-256", "n,", "08P01" },
		{ "SCRAM-SHA-256", "n,,", "08P01" },
		{ "SCRAM-SHA-256", "x,,n=,r=abc", "08P01" },
		{ "SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abc", "08P01" },
		{ "SCRAM-SHA-256", "n,a=somebody,n=,r=abc", "0A000" },
		{ "SCRAM-SHA-256", "n,,m=x,n=,r=abc", "0A000" },
		{ "SCRAM-SHA-256", "n,,r=abc", "08P01" },
		{ "SCRAM-SHA-256", "n,,n=", "08P01" },
		{ "SCRAM-SHA-256", "n,,n=,r=", "08P01" },
		{ "SCRAM-SHA-256", "n,,n=,r=a\tb", "08P01" },
		{ "SCRAM-SHA-256", "nn,n=,r=abc", "08P01" },
	};
	struct exchange *exchange = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scram_server server = { 0 };

		assert_false(scram_server_first(&server, cases[i].mechanism, cases[i].message, strlen(cases[i].message),
			&exchange->verifier.salt, &exchange->server_first, &exchange->error));
		assert_string_equal(exchange->error.sqlstate, cases[i].sqlstate);
		scram_server_fini(&server);
	}
}

static void with_plus_only_its_own_binding_is_taken(void **state)
{
	static const char *const messages[] = { "n,,n=,r=abc", "y,,n=,r=abc", "p=tls-unique,,n=,r=abc", "p=tls-server-end-point" };
	struct exchange *exchange = *state;

	bind_both(exchange);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		assert_false(first(exchange, "SCRAM-SHA-256-PLUS", messages[i]));
		assert_string_equal(exchange->error.sqlstate, "08P01");
	}
}

static void malformed_final_messages_are_protocol_violations(void **state)
{
	static const char *const formats[] = {
		"", "c=biws", "c=biws,r=%s", "c=biws,r=%s,p=", "c=biws,r=%s,p=AAAA", "c=eSws,r=%s,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=biws,r=x%s,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "c=biws,r=%s,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,",
		"c=biws,r=%s,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=,x=1", "c=biws,r=%s,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndV",
		"r=%s,c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	};
	struct exchange *exchange = *state;

	assert_true(begin(exchange));
	char *nonce = mem_strndup(exchange->server.nonce.bytes, exchange->server.nonce.size);
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct buf message = { 0 };
		const char *mark = strstr(formats[i], "%s");

		buf_append(&message, formats[i], mark ? (size_t)(mark - formats[i]) : strlen(formats[i]));
		if (mark) {
			buf_append_text(&message, nonce);
			buf_append_text(&message, mark + 2);
		}
		buf_append_char(&message, '\0');
		assert_false(scram_server_final(&exchange->server, message.bytes, message.size - 1, &exchange->error));
		assert_string_equal(exchange->error.sqlstate, "08P01");
		buf_fini(&message);
	}
	mem_free(nonce);
}

static void a_hostile_first_message_of_the_server_is_refused(void **state)
{
	static const char *const messages[] = {
		"r=mine,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",                /* Nothing added to our nonce. */
		"r=theirs,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"r=mineandmore,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=10000001",
		"r=mineandmore,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999999999",
		"r=mineandmore,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
		"r=mineandmore,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-5",
		"r=mineandmore,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=",
		"r=mineandmore,s=W22ZaJ0SNY7soEsUEjb6gQ==",
		"r=mineandmore,s=,i=4096",
		"r=mineandmore,s=!!!!,i=4096",
		"r=mine\x01more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		"", "r=", "s=W22ZaJ0SNY7soEsUEjb6gQ==",
	};
	struct exchange *exchange = *state;

	exchange->client.fixed_nonce = "mine";
	scram_client_first(&exchange->client, false, &exchange->client_first);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		assert_false(scram_client_final(&exchange->client, messages[i], strlen(messages[i]), &exchange->client_final,
			&exchange->error));
		assert_string_equal(exchange->error.sqlstate, "08P01");
	}
	assert_int_equal(exchange->client_final.size, 0);
}

static void a_server_that_does_not_know_the_password_is_found_out(void **state)
{
	struct exchange *exchange = *state;
	struct scram_verifier other = exchange->verifier;

	other.server_key[0] ^= 1;
	assert_true(begin(exchange) && answer(exchange));
	exchange->verifier = other;
	assert_true(finish(exchange));
	assert_false(client_believes(exchange));
	assert_string_equal(exchange->error.sqlstate, "28P01");
	assert_false(scram_client_verify(&exchange->client, "e=other-error", 13, &exchange->error));
	assert_false(scram_client_verify(&exchange->client, "v=", 2, &exchange->error));
	assert_false(scram_client_verify(&exchange->client, "", 0, &exchange->error));
}

static void malformed_verifiers_are_not_taken(void **state)
{
	static const char *const texts[] = {
		"", "SCRAM-SHA-256", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096", "SCRAM-SHA-256$4096:c2FsdA==",
		"SCRAM-SHA-256$0:rPnOm5kla5sBvPew4WPygg==$m90PqiWRR56QPlbfWSoluGiGabHkgO1IRt4SxBVbm/E=:1755OxLGqq93up/5iTh7byenSOssJvj58CN1fNdWzsQ=",
		"SCRAM-SHA-256$-1:rPnOm5kla5sBvPew4WPygg==$m90PqiWRR56QPlbfWSoluGiGabHkgO1IRt4SxBVbm/E=:1755OxLGqq93up/5iTh7byenSOssJvj58CN1fNdWzsQ=",
		"SCRAM-SHA-256$99999999999:rPnOm5kla5sBvPew4WPygg==$m90PqiWRR56QPlbfWSoluGiGabHkgO1IRt4SxBVbm/E=:1755OxLGqq93up/5iTh7byenSOssJvj58CN1fNdWzsQ=",
		"SCRAM-SHA-256$4096:$m90PqiWRR56QPlbfWSoluGiGabHkgO1IRt4SxBVbm/E=:1755OxLGqq93up/5iTh7byenSOssJvj58CN1fNdWzsQ=",
		"SCRAM-SHA-256$4096:rPnOm5kla5sBvPew4WPygg==$m90P:1755OxLGqq93up/5iTh7byenSOssJvj58CN1fNdWzsQ=",
		SCRAM_VERIFIER_PENCIL "=", SCRAM_VERIFIER_PENCIL "x",
	};
	struct scram_verifier verifier;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(scram_verifier_parse(texts[i], &verifier));
}

/* 4096 rounds are paid once; different passwords and salts stay apart. */
static void cached_keys_are_those_that_were_derived(void **state)
{
	struct exchange *exchange = *state;
	struct scram_salt other = exchange->verifier.salt;
	struct scram_keys derived, cached;

	other.bytes[0] ^= 1;
	scram_keys_derive(PASSWORD, &exchange->verifier.salt, &derived);
	for (int i = 0; i < 2; i++) {
		scram_cached_keys("another", &exchange->verifier.salt, &cached);
		assert_memory_not_equal(&cached, &derived, sizeof(derived));
		scram_cached_keys(PASSWORD, &other, &cached);
		assert_memory_not_equal(&cached, &derived, sizeof(derived));
		scram_cached_keys(PASSWORD, &exchange->verifier.salt, &cached);
		assert_memory_equal(&cached, &derived, sizeof(derived));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_rfc_7677_example_comes_out_byte_by_byte),
		TEST(a_verifier_made_by_postgres_is_derived_alike),
		TEST(saslprep_agrees_with_postgres),
		TEST(a_password_that_cannot_be_prepared_is_taken_as_it_is),
		TEST(an_exchange_without_binding_ends_with_both_sides_convinced),
		TEST(an_exchange_with_binding_ends_with_both_sides_convinced),
		TEST(the_keys_a_proof_reveals_log_in_elsewhere),
		TEST(a_wrong_password_does_not_match),
		TEST(another_certificate_fails_the_binding_check),
		TEST(a_client_that_missed_the_offer_of_binding_is_refused),
		TEST(every_changed_byte_of_client_final_is_refused),
		TEST(malformed_first_messages_are_protocol_violations),
		TEST(with_plus_only_its_own_binding_is_taken),
		TEST(malformed_final_messages_are_protocol_violations),
		TEST(a_hostile_first_message_of_the_server_is_refused),
		TEST(a_server_that_does_not_know_the_password_is_found_out),
		TEST(malformed_verifiers_are_not_taken),
		TEST(cached_keys_are_those_that_were_derived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
