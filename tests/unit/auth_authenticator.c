#include "auth_fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "md5.h"
#include "pgweir/authenticator.h"
#include "pgweir/clock.h"
#include "pgweir/lease.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "scram.h"
#include "throttle.h"

#define USERLIST \
	"\"plain_user\" \"pencil\"\n" \
	"\"scram_user\" \"" SCRAM_VERIFIER_PENCIL "\"\n" \
	"\"md5_user\" \"" MD5_OF_SECRET "\"\n"

static const char binding_bytes[32] = "a hash of the certificate, 32 by";
static struct config_database database = { .name = (char *)"app" };
static struct sockaddr_storage address;

static int set_up(void **state)
{
	(void)state;
	fixture_config = (struct config){ .auth_type = AUTH_TYPE_SCRAM_SHA_256 };
	fixture_load(USERLIST, NULL, NULL);
	throttle_reset();
	clock_fake(1000000);
	address = fixture_address("192.0.2.1");
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	auth_stop();
	clock_fake(0);
	assert_int_equal(fixture_references, 0);
	return 0;
}

static void never_called(enum auth_step step, void *arg)
{
	(void)arg;
	fail_msg("called back with %d", step);
}

static struct auth_request request_of(const char *user)
{
	return (struct auth_request){
		.config = &fixture_config,
		.database = &database,
		.database_name = "app",
		.user = user,
		.address = &address,
		.peer_uid = (uid_t)-1,
	};
}

static struct authenticator *new_login(const struct auth_request *request)
{
	return authenticator_new(request, NULL, never_called, NULL);
}

static void assert_denied(struct authenticator *login, enum auth_step step, const char *sqlstate, const char *text)
{
	assert_int_equal(step, AUTH_DENIED);
	assert_string_equal(authenticator_error(login)->sqlstate, sqlstate);
	assert_string_equal(authenticator_error(login)->text, text);
}

static void assert_wrong_password(struct authenticator *login, enum auth_step step, const char *user)
{
	char text[128];

	snprintf(text, sizeof(text), "password authentication failed for user \"%s\"", user);
	assert_denied(login, step, "28P01", text);
}

static enum auth_step answer_text(struct authenticator *login, const char *text)
{
	return authenticator_answer(login, text, strlen(text) + 1);
}

/* --- A client's SCRAM, played by our own client side --- */

static enum auth_step send_first(struct authenticator *login, struct scram_client *client, bool plus)
{
	struct buf message = { 0 }, body = { 0 };

	buf_append_cstring(&body, scram_client_first(client, plus, &message));
	buf_append_u32(&body, (uint32_t)message.size);
	buf_append(&body, message.bytes, message.size);
	enum auth_step step = authenticator_answer(login, body.bytes, body.size);
	buf_fini(&message);
	buf_fini(&body);
	return step;
}

static enum auth_step send_final(struct authenticator *login, struct scram_client *client)
{
	const struct buf *challenge = authenticator_body(login);
	struct buf message = { 0 };
	struct error error;

	assert_int_equal(authenticator_code(login), 11);
	assert_true(scram_client_final(client, challenge->bytes, challenge->size, &message, &error));
	enum auth_step step = authenticator_answer(login, message.bytes, message.size);
	buf_fini(&message);
	return step;
}

/* From the first challenge to the verdict. */
static enum auth_step play_scram(struct authenticator *login, const char *password, bool plus)
{
	struct scram_client client = { .password = password };
	struct error error;

	if (plus) {
		memcpy(client.binding, binding_bytes, sizeof(binding_bytes));
		client.binding_size = sizeof(binding_bytes);
	}
	assert_int_equal(authenticator_code(login), 10);
	assert_int_equal(send_first(login, &client, plus), AUTH_CHALLENGE);
	enum auth_step step = send_final(login, &client);
	if (step == AUTH_GRANTED) {
		const struct buf *final = authenticator_body(login);

		assert_int_equal(authenticator_code(login), 12);
		assert_true(scram_client_verify(&client, final->bytes, final->size, &error));
	}
	scram_client_fini(&client);
	return step;
}

static enum auth_step log_in_by_scram(const char *user, const char *password)
{
	struct auth_request request = request_of(user);
	struct authenticator *login = new_login(&request);

	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	enum auth_step step = play_scram(login, password, false);
	if (step == AUTH_DENIED)
		assert_wrong_password(login, step, user);
	authenticator_free(&login);
	return step;
}

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

	address = fixture_address(NULL);
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
	request.binding = binding_bytes;
	request.binding_size = sizeof(binding_bytes);
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

/* --- cert --- */

static enum auth_step log_in_by_cert(const char *user, const char *common_name, const char *error)
{
	struct auth_request request = request_of(user);

	request.tls = true;
	request.common_name = common_name;
	struct authenticator *login = new_login(&request);
	enum auth_step step = authenticator_start(login);
	if (error)
		assert_denied(login, step, "28000", error);
	authenticator_free(&login);
	return step;
}

static void a_certificate_speaks_for_its_name_and_for_those_of_the_map(void **state)
{
	(void)state;
	fixture_config.auth_type = AUTH_TYPE_CERT;
	assert_int_equal(log_in_by_cert("alice", "alice", NULL), AUTH_GRANTED);
	log_in_by_cert("alice", NULL, "connection requires a valid client certificate");
	log_in_by_cert("alice", "Alice", "certificate authentication failed for user \"alice\"");
	fixture_load(USERLIST, NULL, "cert /^(.*)@example\\.com$ \\1\n");
	assert_int_equal(log_in_by_cert("alice", "alice@example.com", NULL), AUTH_GRANTED);
	assert_int_equal(log_in_by_cert("alice", "alice", NULL), AUTH_GRANTED);
	log_in_by_cert("alice", "bob@example.com", "certificate authentication failed for user \"alice\"");
}

/* --- hba --- */

static enum auth_step start_by_rules(const char *rules, const char *from, bool tls, const char *user, uint32_t code,
	const char *error)
{
	fixture_config.auth_type = AUTH_TYPE_HBA;
	fixture_load(USERLIST, rules, NULL);
	address = fixture_address(from);

	struct auth_request request = request_of(user);
	request.tls = tls;
	struct authenticator *login = new_login(&request);
	enum auth_step step = authenticator_start(login);

	if (error)
		assert_denied(login, step, "28000", error);
	else
		assert_int_equal(authenticator_code(login), code);
	authenticator_free(&login);
	return step;
}

static void rules_choose_the_method(void **state)
{
	static const char rules[] =
		"local   all all               trust\n"
		"hostssl all all 10.0.0.0/8    password\n"
		"host    all all 10.0.0.0/8    md5\n"
		"host    all all 192.0.2.66/32 reject\n"
		"host    app all 192.0.2.0/24  scram-sha-256\n";

	(void)state;
	assert_int_equal(start_by_rules(rules, NULL, false, "x", 0, NULL), AUTH_GRANTED);
	assert_int_equal(start_by_rules(rules, "10.1.2.3", true, "x", 3, NULL), AUTH_CHALLENGE);
	assert_int_equal(start_by_rules(rules, "10.1.2.3", false, "md5_user", 5, NULL), AUTH_CHALLENGE);
	assert_int_equal(start_by_rules(rules, "192.0.2.1", false, "x", 10, NULL), AUTH_CHALLENGE);
	assert_int_equal(start_by_rules(rules, "::ffff:192.0.2.1", false, "x", 10, NULL), AUTH_CHALLENGE);
	start_by_rules(rules, "192.0.2.66", false, "x", 0,
		"pg_hba.conf rejects connection for host \"192.0.2.66\", user \"x\", database \"app\", no encryption");
	start_by_rules(rules, "::1", true, "x", 0,
		"no pg_hba.conf entry for host \"::1\", user \"x\", database \"app\", SSL encryption");
	start_by_rules("hostssl all all all trust\n", NULL, false, "x", 0,
		"no pg_hba.conf entry for host \"[local]\", user \"x\", database \"app\", no encryption");
}

static void a_rule_may_ask_for_a_certificate_besides(void **state)
{
	(void)state;
	start_by_rules("hostssl all all all trust clientcert=verify-ca\n", "192.0.2.1", true, "x", 0,
		"connection requires a valid client certificate");
}

static void peer_asks_the_operating_system(void **state)
{
	struct auth_request request = request_of("root");

	(void)state;
	fixture_config.auth_type = AUTH_TYPE_HBA;
	fixture_load(USERLIST, "local all mapped peer map=m\nlocal all all peer\n", "m root mapped\n");
	address = fixture_address(NULL);
	request.peer_uid = 0;
	struct authenticator *same = new_login(&request);
	assert_int_equal(authenticator_start(same), AUTH_GRANTED);

	request.user = "other";
	struct authenticator *other = new_login(&request);
	assert_denied(other, authenticator_start(other), "28000", "peer authentication failed for user \"other\"");

	request.user = "mapped";
	struct authenticator *mapped = new_login(&request);
	assert_int_equal(authenticator_start(mapped), AUTH_GRANTED);
	authenticator_free(&same);
	authenticator_free(&other);
	authenticator_free(&mapped);
}

/* --- [user], the console, the throttle --- */

static void a_user_section_wins_over_the_file(void **state)
{
	struct config_user users[] = {
		{ .name = (char *)"plain_user", .password = (char *)"towards the server", .client_password = (char *)"eraser" },
		{ .name = (char *)"section_user", .password = (char *)"ruler" },
	};

	(void)state;
	fixture_config.users = users;
	fixture_config.user_count = ARRAY_LEN(users);
	assert_int_equal(log_in_by_scram("plain_user", "eraser"), AUTH_GRANTED);
	assert_int_equal(log_in_by_scram("plain_user", "pencil"), AUTH_DENIED);
	assert_int_equal(log_in_by_scram("plain_user", "towards the server"), AUTH_DENIED);
	assert_int_equal(log_in_by_scram("section_user", "ruler"), AUTH_GRANTED);
}

static enum auth_step start_console(const char *user, uid_t uid, bool local)
{
	struct auth_request request = request_of(user);

	address = fixture_address(local ? NULL : "127.0.0.1");
	request.database = NULL;
	request.database_name = "pgweir";
	request.peer_uid = uid;
	struct authenticator *login = new_login(&request);
	enum auth_step step = authenticator_start(login);
	authenticator_free(&login);
	return step;
}

static void who_runs_as_we_do_may_use_the_console(void **state)
{
	(void)state;
	assert_int_equal(start_console("pgweir", geteuid(), true), AUTH_GRANTED);
	assert_int_equal(start_console("pgbouncer", geteuid(), true), AUTH_GRANTED);
	assert_int_equal(start_console("pgweir", geteuid() + 1, true), AUTH_CHALLENGE);
	assert_int_equal(start_console("pgweir", (uid_t)-1, true), AUTH_CHALLENGE);
	assert_int_equal(start_console("pgweir", geteuid(), false), AUTH_CHALLENGE);
	assert_int_equal(start_console("plain_user", geteuid(), true), AUTH_CHALLENGE);
}

static void too_many_failures_close_the_door_for_that_address_only(void **state)
{
	struct auth_request request = request_of("plain_user");

	(void)state;
	for (int i = 0; i < THROTTLE_BURST; i++)
		assert_int_equal(log_in_by_scram("plain_user", "wrong"), AUTH_DENIED);
	struct authenticator *login = new_login(&request);
	assert_denied(login, authenticator_start(login), "28000", "too many failed logins from this address");
	authenticator_free(&login);

	address = fixture_address("192.0.2.2");
	assert_int_equal(log_in_by_scram("plain_user", "pencil"), AUTH_GRANTED);
	address = fixture_address("192.0.2.1");
	clock_fake(1000000 + 1000000);
	assert_int_equal(log_in_by_scram("plain_user", "pencil"), AUTH_GRANTED);
}

/* Many logins that began before the first one failed are not judged beyond the limit. */
static void logins_side_by_side_do_not_get_around_the_limit(void **state)
{
	enum { LOGINS = THROTTLE_BURST + 5 };
	struct auth_request request = request_of("plain_user");
	struct authenticator *logins[LOGINS];

	(void)state;
	fixture_config.auth_type = AUTH_TYPE_PLAIN;
	fixture_config.auth_plain_without_tls = true;
	for (int i = 0; i < LOGINS; i++) {
		logins[i] = new_login(&request);
		assert_int_equal(authenticator_start(logins[i]), AUTH_CHALLENGE);
	}
	for (int i = 0; i < LOGINS; i++) {
		assert_int_equal(answer_text(logins[i], "wrong"), AUTH_DENIED);
		assert_string_equal(authenticator_error(logins[i])->sqlstate, i < THROTTLE_BURST ? "28P01" : "28000");
		authenticator_free(&logins[i]);
	}
}

/* --- Secrets that rotate --- */

static struct config_user rotated = { .name = (char *)"rotated", .secret = (char *)"s" };
static struct config_secret section = { .name = (char *)"s", .rotation_grace_ms = 1000 };

static void publish(const char *password)
{
	struct lease_values values = { .current = { .password = mem_secret_dup(password) } };

	assert_true(lease_publish("s", &values, NULL));
}

/* A login that has begun with the value "one", after `rotations` further ones. */
static struct authenticator *begin_and_rotate(unsigned rotations)
{
	static const char *const values[] = { "two", "three" };
	struct auth_request request = request_of("rotated");

	fixture_config.users = &rotated;
	fixture_config.secrets = &section;
	fixture_config.user_count = fixture_config.secret_count = 1;
	publish("one");
	struct authenticator *login = new_login(&request);

	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	for (unsigned i = 0; i < rotations; i++)
		publish(values[i]);
	return login;
}

static void assert_judged_after(unsigned rotations, const char *password, enum auth_step expected)
{
	struct authenticator *login = begin_and_rotate(rotations);

	assert_int_equal(play_scram(login, password, false), expected);
	authenticator_free(&login);
	lease_forget_all();
}

/* So that a client that hangs in its login has nothing remembered that is retired meanwhile. */
static void what_a_secret_says_counts_when_the_client_answers(void **state)
{
	(void)state;
	assert_judged_after(0, "one", AUTH_GRANTED);
	assert_judged_after(1, "one", AUTH_GRANTED);
	assert_judged_after(1, "two", AUTH_GRANTED);
	assert_judged_after(2, "one", AUTH_DENIED);
	assert_judged_after(2, "three", AUTH_GRANTED);
}

/* The salt that the client was told is that of the former one. */
static void a_verifier_in_a_secret_is_good_for_who_was_told_its_salt(void **state)
{
	struct auth_request request = request_of("rotated");
	struct authenticator *login;

	(void)state;
	fixture_config.users = &rotated;
	fixture_config.secrets = &section;
	fixture_config.user_count = fixture_config.secret_count = 1;
	publish(SCRAM_VERIFIER_PENCIL);
	login = new_login(&request);
	assert_int_equal(authenticator_start(login), AUTH_CHALLENGE);
	publish("two");
	assert_int_equal(play_scram(login, "pencil", false), AUTH_GRANTED);
	authenticator_free(&login);
	lease_forget_all();
}

/* --- Loading --- */

static void a_bad_file_leaves_the_former_state_and_says_all_that_is_wrong(void **state)
{
	struct config_problems problems = { 0 };

	(void)state;
	fixture_config.auth_file = (char *)"no/such/file";
	fixture_config.auth_hba_file = (char *)"no/such/rules";
	assert_false(auth_configure(&fixture_config, &problems));
	assert_int_equal(problems.count, 2);
	assert_problem(problems, 0, "no/such/file: No such file or directory");
	assert_problem(problems, 1, "no/such/rules: No such file or directory");
	fixture_config.auth_file = fixture_config.auth_hba_file = NULL;
	assert_int_equal(log_in_by_scram("plain_user", "pencil"), AUTH_GRANTED);
	config_problems_fini(&problems);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(trust_asks_nothing_and_proves_nothing),
		TEST(plain_compares_with_each_kind_of_secret),
		TEST(plain_is_refused_without_tls),
		TEST(a_password_message_is_one_text_with_its_end),
		TEST(md5_compares_with_passwords_and_hashes),
		TEST(under_md5_a_user_with_a_verifier_logs_in_by_scram),
		TEST(an_unknown_user_is_asked_as_most_users_are),
		TEST(scram_compares_with_passwords_and_verifiers),
		TEST(an_md5_hash_cannot_serve_scram),
		TEST(scram_with_binding_is_offered_and_taken_over_tls),
		TEST(what_scram_proved_is_what_a_server_needs),
		TEST(the_salt_of_a_user_is_stable_whether_it_exists_or_not),
		TEST(a_client_may_have_itself_asked_before_its_first_message),
		TEST(malformed_sasl_messages_are_protocol_violations),
		TEST(a_certificate_speaks_for_its_name_and_for_those_of_the_map),
		TEST(rules_choose_the_method),
		TEST(a_rule_may_ask_for_a_certificate_besides),
		TEST(peer_asks_the_operating_system),
		TEST(a_user_section_wins_over_the_file),
		TEST(who_runs_as_we_do_may_use_the_console),
		TEST(too_many_failures_close_the_door_for_that_address_only),
		TEST(logins_side_by_side_do_not_get_around_the_limit),
		TEST(what_a_secret_says_counts_when_the_client_answers),
		TEST(a_verifier_in_a_secret_is_good_for_who_was_told_its_salt),
		TEST(a_bad_file_leaves_the_former_state_and_says_all_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
