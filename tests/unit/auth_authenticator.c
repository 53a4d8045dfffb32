/* The methods by which clients prove who they are, message by message. */
#include "auth_login_fixture.h"

#include "md5.h"
#include "pgweir/mem.h"

/* --- trust --- */

static void trust_asks_nothing_and_proves_nothing(void **state)
{
	struct auth_request request = request_of("anybody");
	struct authenticator *login = new_login(&request);

	(void)state;
	fixture_config.auth_type = AUTH_TYPE_TRUST;
	assert_int_equal(authenticator_start(login), AUTH_GRANTED);
	assert_int_equal(authenticator_code(login), 0);
	assert_null(authenticator_take_proved(login));
	authenticator_free(&login);
}

/* --- plain --- */

static enum auth_step log_in_by_password(const char *user, const char *password, bool keep)
{
	struct auth_request request = request_of(user);
	struct authenticator *login = new_login(&request);

	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	assert_int_equal(authenticator_code(login), 3);
	assert_int_equal(authenticator_body(login)->size, 0);
	enum auth_step step = answer_text(login, password);
	if (step == AUTH_DENIED) {
		assert_wrong_password(login, step, user);
	} else if (keep) {
		struct credentials *proved = authenticator_take_proved(login);

		assert_string_equal(proved->password, password);
		credentials_unref(&proved);
	}
	authenticator_free(&login);
	return step;
}

static void plain_compares_with_each_kind_of_secret(void **state)
{
	(void)state;
	fixture_config.auth_type = AUTH_TYPE_PLAIN;
	fixture_config.auth_plain_without_tls = true;
	assert_int_equal(log_in_by_password("plain_user", "pencil", true), AUTH_GRANTED);
	assert_int_equal(log_in_by_password("md5_user", "secret", true), AUTH_GRANTED);
	assert_int_equal(log_in_by_password("scram_user", "pencil", true), AUTH_GRANTED);
	assert_int_equal(log_in_by_password("plain_user", "pencils", false), AUTH_DENIED);
	assert_int_equal(log_in_by_password("md5_user", "pencil", false), AUTH_DENIED);
	assert_int_equal(log_in_by_password("scram_user", "secret", false), AUTH_DENIED);
	assert_int_equal(log_in_by_password("nobody", "pencil", false), AUTH_DENIED);
	/* Nor is a hash a password. */
	assert_int_equal(log_in_by_password("md5_user", MD5_OF_SECRET, false), AUTH_DENIED);
	assert_int_equal(log_in_by_password("scram_user", SCRAM_VERIFIER_PENCIL, false), AUTH_DENIED);
}

static void plain_is_refused_without_tls(void **state)
{
	struct auth_request request = request_of("plain_user");
	struct authenticator *login = new_login(&request);

	(void)state;
	fixture_config.auth_type = AUTH_TYPE_PLAIN;
	assert_denied(login, authenticator_start(login), "28000",
		"a cleartext password is not asked for without TLS: connect with TLS");
	authenticator_free(&login);

	request.tls = true;
	login = new_login(&request);
	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	authenticator_free(&login);

	login_address = fixture_address(NULL);
	request.tls = false;
	login = new_login(&request);
	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	authenticator_free(&login);
}

static void a_password_message_is_one_text_with_its_end(void **state)
{
	static const struct { const char *body; size_t size; const char *sqlstate; } cases[] = {
		{ "", 0, "08P01" }, { "pencil", 6, "08P01" }, { "pencil\0x", 9, "08P01" }, { "", 1, "28P01" },
	};

	(void)state;
	fixture_config.auth_type = AUTH_TYPE_PLAIN;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth_request request = request_of("plain_user");
		request.tls = true;
		struct authenticator *login = new_login(&request);

		assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
		assert_int_equal(authenticator_answer(login, cases[i].body, cases[i].size), AUTH_DENIED);
		assert_string_equal(authenticator_error(login)->sqlstate, cases[i].sqlstate);
		authenticator_free(&login);
	}
}

/* --- md5 --- */

static enum auth_step log_in_by_md5(const char *user, const char *password, struct credentials **proved)
{
	struct auth_request request = request_of(user);
	struct authenticator *login = new_login(&request);
	char stored[MD5_TEXT_SIZE], answer[MD5_TEXT_SIZE];

	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	assert_int_equal(authenticator_code(login), 5);
	assert_int_equal(authenticator_body(login)->size, 4);
	assert_true(md5_stored(password, user, stored));
	assert_true(md5_answer(stored, authenticator_body(login)->bytes, answer));
	enum auth_step step = answer_text(login, answer);
	if (step == AUTH_DENIED)
		assert_wrong_password(login, step, user);
	if (proved)
		*proved = authenticator_take_proved(login);
	authenticator_free(&login);
	return step;
}

static void md5_compares_with_passwords_and_hashes(void **state)
{
	struct credentials *of_plain, *of_md5;

	(void)state;
	fixture_config.auth_type = AUTH_TYPE_MD5;
	assert_int_equal(log_in_by_md5("plain_user", "pencil", &of_plain), AUTH_GRANTED);
	assert_string_equal(of_plain->password, "pencil");
	assert_int_equal(log_in_by_md5("md5_user", "secret", &of_md5), AUTH_GRANTED);
	assert_string_equal(of_md5->md5, MD5_OF_SECRET);
	assert_null(of_md5->password);
	assert_int_equal(log_in_by_md5("plain_user", "secret", NULL), AUTH_DENIED);
	assert_int_equal(log_in_by_md5("md5_user", "pencil", NULL), AUTH_DENIED);
	credentials_unref(&of_plain);
	credentials_unref(&of_md5);
}

static void under_md5_a_user_with_a_verifier_logs_in_by_scram(void **state)
{
	(void)state;
	fixture_config.auth_type = AUTH_TYPE_MD5;
	assert_int_equal(log_in_by_scram("scram_user", "pencil"), AUTH_GRANTED);
	assert_int_equal(log_in_by_scram("scram_user", "pencils"), AUTH_DENIED);
}

/* Or the method asked for would tell who exists. */
static void an_unknown_user_is_asked_as_most_users_are(void **state)
{
	(void)state;
	fixture_config.auth_type = AUTH_TYPE_MD5;
	fixture_load("\"a\" \"pw\"\n\"b\" \"pw\"\n", NULL, NULL);
	assert_int_equal(log_in_by_md5("nobody", "pw", NULL), AUTH_DENIED);
	fixture_load("\"a\" \"" SCRAM_VERIFIER_PENCIL "\"\n", NULL, NULL);
	assert_int_equal(log_in_by_scram("nobody", "pencil"), AUTH_DENIED);
}

/* --- scram-sha-256 --- */

static void scram_compares_with_passwords_and_verifiers(void **state)
{
	(void)state;
	assert_int_equal(log_in_by_scram("plain_user", "pencil"), AUTH_GRANTED);
	assert_int_equal(log_in_by_scram("scram_user", "pencil"), AUTH_GRANTED);
	assert_int_equal(log_in_by_scram("plain_user", "pencils"), AUTH_DENIED);
	assert_int_equal(log_in_by_scram("scram_user", "pencils"), AUTH_DENIED);
	assert_int_equal(log_in_by_scram("nobody", "pencil"), AUTH_DENIED);
}

static void an_md5_hash_cannot_serve_scram(void **state)
{
	(void)state;
	assert_int_equal(log_in_by_scram("md5_user", "secret"), AUTH_DENIED);
}

static void scram_with_binding_is_offered_and_taken_over_tls(void **state)
{
	static const char list[] = "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0";
	struct auth_request request = request_of("scram_user");

	(void)state;
	request.tls = true;
	request.binding = login_binding;
	request.binding_size = sizeof(login_binding);
	struct authenticator *login = new_login(&request);

	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	assert_int_equal(authenticator_body(login)->size, sizeof(list));
	assert_memory_equal(authenticator_body(login)->bytes, list, sizeof(list));
	assert_int_equal(play_scram(login, "pencil", true), AUTH_GRANTED);
	authenticator_free(&login);

	/* A client without binding may log in too. */
	login = new_login(&request);
	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	assert_int_equal(play_scram(login, "pencil", false), AUTH_GRANTED);
	authenticator_free(&login);
}

static void what_scram_proved_is_what_a_server_needs(void **state)
{
	struct auth_request request = request_of("scram_user");
	struct authenticator *login = new_login(&request);
	struct scram_verifier verifier;
	struct scram_keys keys;

	(void)state;
	assert_true(scram_verifier_parse(SCRAM_VERIFIER_PENCIL, &verifier));
	scram_keys_derive("pencil", &verifier.salt, &keys);
	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	assert_int_equal(play_scram(login, "pencil", false), AUTH_GRANTED);
	struct credentials *proved = authenticator_take_proved(login);

	assert_string_equal(proved->user, "scram_user");
	assert_true(proved->has_scram_keys);
	assert_null(proved->password);
	assert_memory_equal(proved->scram_client_key, keys.client_key, SCRAM_KEY_SIZE);
	assert_memory_equal(proved->scram_server_key, keys.server_key, SCRAM_KEY_SIZE);
	assert_null(authenticator_take_proved(login));
	credentials_unref(&proved);
	authenticator_free(&login);
}

static void first_challenge(const char *user, char *text, size_t size)
{
	struct auth_request request = request_of(user);
	struct authenticator *login = new_login(&request);
	struct scram_client client = { .fixed_nonce = "nonce" };

	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	assert_int_equal(send_first(login, &client, false), AUTH_CHALLENGE);
	const struct buf *body = authenticator_body(login);
	char *message = mem_strndup(body->bytes, body->size);
	snprintf(text, size, "%s", strstr(message, ",s="));
	mem_free(message);
	scram_client_fini(&client);
	authenticator_free(&login);
}

/* A salt that changed with every try would tell that there is no such user. */
static void the_salt_of_a_user_is_stable_whether_it_exists_or_not(void **state)
{
	static const char *const users[] = { "nobody", "plain_user", "scram_user", "md5_user" };
	char first[256], second[256], other[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		first_challenge(users[i], first, sizeof(first));
		first_challenge(users[i], second, sizeof(second));
		first_challenge("somebody else", other, sizeof(other));
		assert_string_equal(first, second);
		assert_string_not_equal(first, other);
		assert_int_equal(strlen(first), strlen(other));
	}
}

static void a_client_may_have_itself_asked_before_its_first_message(void **state)
{
	struct auth_request request = request_of("scram_user");
	struct authenticator *login = new_login(&request);
	struct scram_client client = { .password = "pencil" };
	struct buf message = { 0 };

	(void)state;
	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	assert_int_equal(authenticator_answer(login, "SCRAM-SHA-256\0\xff\xff\xff\xff", 18), AUTH_CHALLENGE);
	assert_int_equal(authenticator_code(login), 11);
	assert_int_equal(authenticator_body(login)->size, 0);
	scram_client_first(&client, false, &message);
	assert_int_equal(authenticator_answer(login, message.bytes, message.size), AUTH_CHALLENGE);
	assert_int_equal(send_final(login, &client), AUTH_GRANTED);
	scram_client_fini(&client);
	buf_fini(&message);
	authenticator_free(&login);
}

static void malformed_sasl_messages_are_protocol_violations(void **state)
{
	static const struct { const char *body; size_t size; } cases[] = {
		{ "", 0 }, { "SCRAM-SHA-256", 13 }, { "SCRAM-SHA-256\0", 14 }, { "SCRAM-SHA-256\0\0\0\0", 17 },
		{ "SCRAM-SHA-256\0\0\0\0\xff" "n,,n=,r=abc", 29 }, { "SCRAM-SHA-256\0\xff\xff\xff\xffn", 19 },
		{ "SCRAM-SHA-256\0\x7f\xff\xff\xffn", 19 }, { "MD5\0\0\0\0\x0bn,,n=,r=abc", 19 },
		{ "SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=a\0c", 29 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct auth_request request = request_of("scram_user");
		struct authenticator *login = new_login(&request);

		assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
		assert_int_equal(authenticator_answer(login, cases[i].body, cases[i].size), AUTH_DENIED);
		assert_string_equal(authenticator_error(login)->sqlstate, "08P01");
		assert_int_equal(authenticator_body(login)->size, 0);
		authenticator_free(&login);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOGIN_TEST(trust_asks_nothing_and_proves_nothing),
		LOGIN_TEST(plain_compares_with_each_kind_of_secret),
		LOGIN_TEST(plain_is_refused_without_tls),
		LOGIN_TEST(a_password_message_is_one_text_with_its_end),
		LOGIN_TEST(md5_compares_with_passwords_and_hashes),
		LOGIN_TEST(under_md5_a_user_with_a_verifier_logs_in_by_scram),
		LOGIN_TEST(an_unknown_user_is_asked_as_most_users_are),
		LOGIN_TEST(scram_compares_with_passwords_and_verifiers),
		LOGIN_TEST(an_md5_hash_cannot_serve_scram),
		LOGIN_TEST(scram_with_binding_is_offered_and_taken_over_tls),
		LOGIN_TEST(what_scram_proved_is_what_a_server_needs),
		LOGIN_TEST(the_salt_of_a_user_is_stable_whether_it_exists_or_not),
		LOGIN_TEST(a_client_may_have_itself_asked_before_its_first_message),
		LOGIN_TEST(malformed_sasl_messages_are_protocol_violations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
