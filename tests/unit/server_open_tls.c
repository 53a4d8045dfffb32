/* What comes of sslmode with servers that do, do not, or pretend to speak TLS. */
#include "server_fixture.h"

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "login_certs.h"

static void assert_failed(const struct server_opened *opened, const char *sqlstate, const char *text)
{
	assert_null(opened->server);
	assert_string_equal(opened->error.sqlstate, sqlstate);
	if (!strstr(opened->error.text, text))
		fail_msg("\"%s\" does not say \"%s\"", opened->error.text, text);
}

static void read_ssl_request(int fd)
{
	struct buf packet = { 0 };

	fake_read_startup(fd, &packet);
	CHECK(packet.size == 8 && wire_u32(packet.bytes + 4) == WIRE_PROTOCOL(1234, 5679));
	buf_fini(&packet);
}

/* --- Answers in the clear --- */

static void without_tls(int fd)
{
	read_ssl_request(fd);
	fake_send(fd, "N", 1);
	struct buf packet = { 0 };
	char length[4];

	/* Either a startup packet, or nothing more. */
	if (!fake_read(fd, length, sizeof(length)))
		return;
	CHECK(fake_read(fd, buf_reserve(&packet, wire_u32(length)), wire_u32(length) - 4));
	packet.size = 0;
	fake_put_welcome(&packet);
	fake_send_buf(fd, &packet);
	fake_wait_end(fd);
}

static void require_takes_no_for_an_error(void **unused)
{
	(void)unused;
	fixture_start(without_tls, NULL, "server_tls_sslmode = require");
	const struct server_opened *opened = fixture_open();

	assert_failed(opened, "08001", "server does not support TLS");
	assert_false(opened->from_server);
	fixture_stop();
}

static void prefer_goes_on_in_the_clear(void **unused)
{
	(void)unused;
	fixture_start(without_tls, NULL, "server_tls_sslmode = prefer");
	const struct server_opened *opened = fixture_open();

	assert_non_null(opened->server);
	assert_false(opened->server->tls);
	assert_int_equal(fixture_connections(), 1);
	fixture_stop();
}

static _Atomic(const char *) clear_answer;

static void answering_in_the_clear(int fd)
{
	read_ssl_request(fd);
	fake_send(fd, clear_answer, strlen(clear_answer));
	fake_wait_end(fd);
}

/* CVE-2021-23222: they would be taken for what the server said inside TLS. */
static void bytes_injected_behind_the_answer_are_an_error(void **unused)
{
	static const char *const answers[] = { "SE", "NR", "SR\1\2\3", "x", "R" };

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		clear_answer = answers[i];
		fixture_start(answering_in_the_clear, NULL, "server_tls_sslmode = require");
		assert_failed(fixture_open(), "08P01", "unexpected bytes from the server in answer to SSLRequest");
		fixture_stop();
	}
}

static void error_in_the_clear(int fd)
{
	struct buf out = { 0 };

	read_ssl_request(fd);
	wire_put_error(&out, &(struct wire_error){ .severity = "FATAL", .sqlstate = "53300", .message = "too\nmany" });
	fake_send_buf(fd, &out);
	fake_wait_end(fd);
}

static void an_error_before_tls_is_shown_but_not_trusted(void **unused)
{
	(void)unused;
	fixture_start(error_in_the_clear, NULL, "server_tls_sslmode = prefer");
	const struct server_opened *opened = fixture_open();

	assert_failed(opened, "08001", "which is not authenticated: \"too?many\"");
	assert_false(opened->from_server);
	assert_int_equal(opened->error_body.size, 0);
	fixture_stop();
}

static void a_bare_text_before_tls_is_shown_too(void **unused)
{
	(void)unused;
	clear_answer = "Ecould not fork\n";
	fixture_start(answering_in_the_clear, NULL, "server_tls_sslmode = require");
	assert_failed(fixture_open(), "08001", "not authenticated: \"could not fork?\"");
	fixture_stop();
}

/* --- Real TLS --- */

static _Atomic unsigned plain_logins, tls_logins, resumed;
static _Atomic bool refuses_plain, refuses_tls, breaks_handshake;

static void put_refusal(struct buf *out)
{
	wire_put_error(out, &(struct wire_error){ .severity = "FATAL", .sqlstate = "28000",
		.message = "no pg_hba.conf entry" });
}

static SSL *handshake(int fd, SSL_CTX *ssl_ctx)
{
	SSL *ssl = SSL_new(ssl_ctx);

	CHECK(ssl && SSL_set_fd(ssl, fd));
	if (SSL_accept(ssl) == 1)
		return ssl;
	SSL_free(ssl);
	return NULL;
}

static void login_over_tls(SSL *ssl)
{
	char bytes[1024];
	struct buf out = { 0 };

	if (SSL_session_reused(ssl))
		atomic_fetch_add(&resumed, 1);
	int got = SSL_read(ssl, bytes, sizeof(bytes));

	/* A startup packet, or a cancel request, whose answer is the end. */
	if (got < 8 || wire_u32(bytes + 4) != WIRE_PROTOCOL(3, 0))
		return;
	atomic_fetch_add(&tls_logins, 1);
	if (refuses_tls)
		put_refusal(&out);
	else
		fake_put_welcome(&out);
	CHECK(SSL_write(ssl, out.bytes, (int)out.size) == (int)out.size);
	buf_fini(&out);
	while (!refuses_tls && SSL_read(ssl, bytes, sizeof(bytes)) > 0)
		continue;
}

static SSL_CTX *server_ctx;

static void speaking_tls(int fd)
{
	struct buf packet = { 0 };

	fake_read_startup(fd, &packet);
	bool tls = wire_u32(packet.bytes + 4) == WIRE_PROTOCOL(1234, 5679);

	packet.size = 0;
	if (!tls) {
		atomic_fetch_add(&plain_logins, 1);
		if (refuses_plain)
			put_refusal(&packet);
		else
			fake_put_welcome(&packet);
		fake_send_buf(fd, &packet);
		if (!refuses_plain)
			fake_wait_end(fd);
		return;
	}
	buf_fini(&packet);
	fake_send(fd, "S", 1);
	if (breaks_handshake)
		return;
	SSL *ssl = handshake(fd, server_ctx);

	if (!ssl)
		return;
	login_over_tls(ssl);
	SSL_shutdown(ssl);
	SSL_free(ssl);
}

static void start_tls(const char *host, const char *sslmode, bool trusted)
{
	char lines[256];

	snprintf(lines, sizeof(lines), "server_tls_sslmode = %s\n%s%s", sslmode, trusted ? "server_tls_ca_file = " : "",
		trusted ? certs_file("ca.crt") : "");
	plain_logins = tls_logins = resumed = 0;
	refuses_plain = refuses_tls = breaks_handshake = false;
	fixture_start_at(speaking_tls, host, 0, NULL, lines);
}

static void tls_is_used_where_it_is_asked_for(void **unused)
{
	static const struct { const char *sslmode; bool trusted, tls; } cases[] = {
		{ "disable", false, false }, { "allow", false, false }, { "prefer", false, true }, { "require", false, true },
		{ "verify-ca", true, true }, { "verify-full", true, true },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start_tls("localhost", cases[i].sslmode, cases[i].trusted);
		const struct server_opened *opened = fixture_open();

		assert_non_null(opened->server);
		assert_int_equal(opened->server->tls, cases[i].tls);
		assert_int_equal(tls_logins, cases[i].tls);
		fixture_stop();
	}
}

static void a_certificate_nobody_vouches_for_is_refused(void **unused)
{
	(void)unused;
	start_tls("localhost", "verify-ca", false);
	assert_failed(fixture_open(), "08006", "certificate: ");
	assert_int_equal(tls_logins, 0);
	fixture_stop();
}

/* The certificate says "localhost". */
static void verify_full_holds_the_certificate_to_the_hosts_name(void **unused)
{
	(void)unused;
	start_tls("127.0.0.1", "verify-full", true);
	assert_failed(fixture_open(), "08006", "certificate: ");
	fixture_stop();
	start_tls("127.0.0.1", "verify-ca", true);
	assert_non_null(fixture_open()->server);
	fixture_stop();
}

static void allow_turns_to_tls_when_refused(void **unused)
{
	(void)unused;
	start_tls("127.0.0.1", "allow", false);
	refuses_plain = true;
	const struct server_opened *opened = fixture_open();

	assert_non_null(opened->server);
	assert_true(opened->server->tls);
	assert_false(opened->from_server);
	assert_int_equal(opened->error_body.size, 0);
	assert_int_equal(plain_logins, 1);
	fixture_stop();
}

static void prefer_turns_to_plain_when_refused(void **unused)
{
	(void)unused;
	start_tls("127.0.0.1", "prefer", false);
	refuses_tls = true;
	const struct server_opened *opened = fixture_open();

	assert_non_null(opened->server);
	assert_false(opened->server->tls);
	assert_int_equal(tls_logins, 1);
	fixture_stop();
}

static void prefer_turns_to_plain_when_the_handshake_fails(void **unused)
{
	(void)unused;
	start_tls("127.0.0.1", "prefer", false);
	breaks_handshake = true;
	assert_non_null(fixture_open()->server);
	fixture_stop();
	start_tls("127.0.0.1", "require", false);
	breaks_handshake = true;
	assert_failed(fixture_open(), "08006", "TLS handshake failed");
	assert_int_equal(plain_logins, 0);
	fixture_stop();
}

static void a_refusal_both_ways_is_told_once(void **unused)
{
	(void)unused;
	start_tls("127.0.0.1", "allow", false);
	refuses_plain = refuses_tls = true;
	const struct server_opened *opened = fixture_open();

	assert_failed(opened, "28000", "no pg_hba.conf entry");
	assert_true(opened->from_server);
	assert_int_equal(fixture_connections(), 2);
	assert_int_equal(fixture_answers(), 1);
	fixture_stop();
}

static void a_second_connection_resumes_the_session(void **unused)
{
	(void)unused;
	start_tls("localhost", "verify-full", true);
	/* The ticket comes right behind the handshake, ahead of what the login reads. */
	assert_non_null(fixture_open()->server);
	assert_int_equal(resumed, 0);
	assert_non_null(fixture_open()->server);
	assert_int_equal(resumed, 1);
	server_tls_reload();
	assert_non_null(fixture_open()->server);
	assert_int_equal(resumed, 1);
	fixture_stop();
}

static void cancelled(void *arg)
{
	atomic_store((_Atomic bool *)arg, true);
}

static void a_cancel_goes_over_tls_as_the_connection_did(void **unused)
{
	_Atomic bool done = false;

	(void)unused;
	start_tls("localhost", "require", false);
	const struct server_opened *opened = fixture_open();

	assert_non_null(opened->server);
	server_cancel(opened->server, fixture_loop(), cancelled, &done);
	while (!atomic_load(&done))
		usleep(1000);
	assert_int_equal(plain_logins, 0);
	fixture_stop();
}

static int make_context(void **unused)
{
	(void)unused;
	server_ctx = SSL_CTX_new(TLS_server_method());
	CHECK(SSL_CTX_use_certificate_chain_file(server_ctx, certs_file("server.crt")) == 1);
	CHECK(SSL_CTX_use_PrivateKey_file(server_ctx, certs_file("server.key"), SSL_FILETYPE_PEM) == 1);
	return 0;
}

static int free_context(void **unused)
{
	(void)unused;
	SSL_CTX_free(server_ctx);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(require_takes_no_for_an_error),
		cmocka_unit_test(prefer_goes_on_in_the_clear),
		cmocka_unit_test(bytes_injected_behind_the_answer_are_an_error),
		cmocka_unit_test(an_error_before_tls_is_shown_but_not_trusted),
		cmocka_unit_test(a_bare_text_before_tls_is_shown_too),
		cmocka_unit_test(tls_is_used_where_it_is_asked_for),
		cmocka_unit_test(a_certificate_nobody_vouches_for_is_refused),
		cmocka_unit_test(verify_full_holds_the_certificate_to_the_hosts_name),
		cmocka_unit_test(allow_turns_to_tls_when_refused),
		cmocka_unit_test(prefer_turns_to_plain_when_refused),
		cmocka_unit_test(prefer_turns_to_plain_when_the_handshake_fails),
		cmocka_unit_test(a_refusal_both_ways_is_told_once),
		cmocka_unit_test(a_second_connection_resumes_the_session),
		cmocka_unit_test(a_cancel_goes_over_tls_as_the_connection_did),
	};

	return cmocka_run_group_tests(tests, make_context, free_context);
}
