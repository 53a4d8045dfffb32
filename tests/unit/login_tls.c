/* TLS: by request and direct, what is required of clients, and what a reload changes. */
#include "login_fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "login_certs.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"

static bool request_tls(struct client *client, const char *name)
{
	char answer;

	client_send_request(client, CODE_SSL);
	client_read(client, &answer, 1);
	assert_int_equal(answer, 'S');
	return client_tls(client, false, name);
}

static void expect_session(struct client *client, const char *user)
{
	client_startup(client, PROTOCOL_30, "user", user, "database", "app", NULL);
	struct login_session *session = login_fixture_session();

	login_session_free(&session);
	client_close(client);
}

static void direct_tls_with_alpn_becomes_a_session(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	struct client client = client_tcp();

	assert_true(client_tls(&client, true, NULL));
	expect_session(&client, "alice");
	assert_true(fake_auth_seen().tls);
}

static void direct_tls_without_alpn_is_closed(void **state)
{
	char byte;

	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	struct client client = client_tcp();

	/* With TLS 1.3 the client is done before the server has looked. */
	if (client_tls(&client, false, NULL))
		assert_true(SSL_read(client.ssl, &byte, 1) <= 0);
	login_fixture_settle(0);
	client_close(&client);
}

/* A handshake takes a millisecond, and those behind it wait for it. */
static void no_handshake_is_made_with_a_client_that_has_gone(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	BIO *hello = BIO_new(BIO_s_mem());
	char *bytes, answer;

	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), hello);
	assert_int_equal(SSL_connect(ssl), -1);
	long size = BIO_get_mem_data(hello, &bytes);

	assert_true(size > 0);
	struct client client = client_tcp_gone(bytes, (size_t)size);

	assert_true(recv(client.fd, &answer, 1, 0) <= 0);
	login_fixture_settle(0);
	client_close(&client);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

static void direct_tls_is_closed_where_there_is_no_certificate(void **state)
{
	struct client client = client_tcp();

	(void)state;
	assert_false(client_tls(&client, true, NULL));
	login_fixture_settle(0);
	client_close(&client);
}

static void no_request_for_encryption_is_taken_inside_tls(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	struct client client = client_tcp();

	assert_true(request_tls(&client, NULL));
	client_send_request(&client, CODE_SSL);
	client_expect_fatal(&client, "0A000", "unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2");
	client_close(&client);
}

static void every_byte_may_arrive_in_a_record_of_its_own(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	struct client client = client_tcp();
	struct buf body = { 0 };

	fake_auth = FAKE_AUTH_PASSWORD;
	client.slow = true;
	assert_true(request_tls(&client, NULL));
	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	assert_int_equal(client_message(&client, &body), 'R');
	client_answer(&client, fake_auth_password);
	struct login_session *session = login_fixture_session();

	login_session_free(&session);
	client_close(&client);
	buf_fini(&body);
}

/* One record holds the password and the query behind it: the query is in the TLS library, where epoll cannot see it. */
static void what_came_in_the_same_record_stays_for_the_session(void **state)
{
	static const char both[] = "p\0\0\0\13secret\0Query";
	struct buf body = { 0 };
	char bytes[8];

	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	fake_auth = FAKE_AUTH_PASSWORD;
	struct client client = client_tcp();

	assert_true(request_tls(&client, NULL));
	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	assert_int_equal(client_message(&client, &body), 'R');
	client_send(&client, both, sizeof(both) - 1);
	struct login_session *session = login_fixture_session();

	assert_true(conn_has_pending(&session->conn));
	assert_int_equal(conn_recv(&session->conn, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "Query", 5);
	login_session_free(&session);
	client_close(&client);
	buf_fini(&body);
}

static void plain_tcp_is_refused_where_tls_is_required(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	struct client client = client_tcp();

	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	client_expect_fatal(&client, "08P01", "SSL required");
	client_close(&client);
}

static void plain_tcp_is_accepted_where_tls_is_preferred(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_PREFER);
	struct client client = client_tcp();

	expect_session(&client, "alice");
}

/* A Unix socket is as private without: PostgreSQL never speaks TLS there either. */
static void local_clients_need_no_tls_and_get_none(void **state)
{
	char answer;

	(void)state;
	login_fixture_tls(SSLMODE_VERIFY_FULL);
	struct client client = client_local();

	client_send_request(&client, CODE_SSL);
	client_read(&client, &answer, 1);
	assert_int_equal(answer, 'N');
	expect_session(&client, "alice");
}

static void verify_ca_wants_a_certificate(void **state)
{
	char byte;

	(void)state;
	login_fixture_tls(SSLMODE_VERIFY_CA);
	struct client client = client_tcp();

	if (request_tls(&client, NULL))
		assert_true(SSL_read(client.ssl, &byte, 1) <= 0);
	client_close(&client);
	client = client_tcp();
	assert_true(request_tls(&client, "whoever"));
	expect_session(&client, "alice");
	assert_string_equal(fake_auth_seen().common_name, "whoever");
}

static void verify_full_wants_the_certificate_of_the_user(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_VERIFY_FULL);
	struct client client = client_tcp();

	assert_true(request_tls(&client, "alice"));
	expect_session(&client, "alice");
	client = client_tcp();
	assert_true(request_tls(&client, "mallory"));
	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	client_expect_fatal(&client, "28000", "certificate authentication failed for user \"alice\"");
	client_close(&client);
}

static void a_certificate_that_cannot_be_read_changes_nothing(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	fixture_config.client_tls.cert_file = (char[]){ "/nonexistent" };
	assert_false(login_fixture_configure());
	assert_non_null(strstr(fixture_problem, "/nonexistent"));
	struct client client = client_tcp();

	assert_true(request_tls(&client, NULL));
	expect_session(&client, "alice");
}

static void incomplete_tls_settings_are_problems(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	fixture_config.client_tls.key_file = NULL;
	assert_false(login_fixture_configure());
	assert_non_null(strstr(fixture_problem, "client_tls_key_file"));
	login_fixture_tls(SSLMODE_REQUIRE);
	fixture_config.client_tls.sslmode = SSLMODE_VERIFY_CA;
	assert_false(login_fixture_configure());
	assert_non_null(strstr(fixture_problem, "client_tls_ca_file"));
}

static void a_client_between_two_reloads_keeps_what_it_began_with(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	struct client client = client_tcp();
	char answer;

	client_send_request(&client, CODE_SSL);
	client_read(&client, &answer, 1);
	fixture_config.client_tls = (struct config_tls){ .sslmode = SSLMODE_DISABLE };
	assert_true(login_fixture_configure());
	assert_true(client_tls(&client, false, NULL));
	expect_session(&client, "alice");
}

static void say_passphrase(const char *passphrase)
{
	struct lease_values values = { .current = { .password = mem_secret_dup(passphrase) } };

	assert_true(lease_publish("key", &values, NULL));
	login_secrets_changed();
}

static void serve_encrypted_key(void)
{
	login_fixture_tls(SSLMODE_PREFER);
	fixture_config.client_tls.key_file = (char *)(uintptr_t)certs_file("encrypted.key");
	fixture_config.client_tls.key_secret = (char *)(uintptr_t)"key";
	assert_true(login_fixture_configure());
}

static void an_encrypted_key_without_a_secret_is_a_problem(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	fixture_config.client_tls.key_file = (char *)(uintptr_t)certs_file("encrypted.key");
	assert_false(login_fixture_configure());
	assert_non_null(strstr(fixture_problem, "is encrypted"));
}

static void a_key_opens_once_its_secret_has_a_value(void **state)
{
	(void)state;
	serve_encrypted_key();
	struct client client = client_tcp();

	client_send_request(&client, CODE_SSL);
	client_expect_fatal(&client, "57P03", "TLS is not ready: the secret with the passphrase of the private key has no value");
	client_close(&client);
	say_passphrase(CERTS_PASSPHRASE);
	client = client_tcp();
	assert_true(request_tls(&client, NULL));
	expect_session(&client, "alice");
	lease_forget_all();
}

/* File and secret change one after the other. */
static void a_key_opens_with_the_value_before_too(void **state)
{
	(void)state;
	say_passphrase(CERTS_PASSPHRASE);
	say_passphrase("another");
	serve_encrypted_key();
	struct client client = client_tcp();

	assert_true(request_tls(&client, NULL));
	expect_session(&client, "alice");
	say_passphrase("a third");
	assert_false(login_fixture_configure());
	assert_non_null(strstr(fixture_problem, "does not hold its passphrase"));
	client = client_tcp();
	assert_true(request_tls(&client, NULL));
	expect_session(&client, "alice");
	lease_forget_all();
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, login_fixture_setup, login_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(direct_tls_with_alpn_becomes_a_session),
		SERVED(direct_tls_without_alpn_is_closed),
		SERVED(no_handshake_is_made_with_a_client_that_has_gone),
		SERVED(direct_tls_is_closed_where_there_is_no_certificate),
		SERVED(no_request_for_encryption_is_taken_inside_tls),
		SERVED(every_byte_may_arrive_in_a_record_of_its_own),
		SERVED(what_came_in_the_same_record_stays_for_the_session),
		SERVED(plain_tcp_is_refused_where_tls_is_required),
		SERVED(plain_tcp_is_accepted_where_tls_is_preferred),
		SERVED(local_clients_need_no_tls_and_get_none),
		SERVED(verify_ca_wants_a_certificate),
		SERVED(verify_full_wants_the_certificate_of_the_user),
		SERVED(a_certificate_that_cannot_be_read_changes_nothing),
		SERVED(incomplete_tls_settings_are_problems),
		SERVED(an_encrypted_key_without_a_secret_is_a_problem),
		SERVED(a_key_opens_once_its_secret_has_a_value),
		SERVED(a_key_opens_with_the_value_before_too),
		SERVED(a_client_between_two_reloads_keeps_what_it_began_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
