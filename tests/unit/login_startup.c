/* From the first byte to the startup packet: requests, cancels, PROXY headers, and all that is refused there. */
#include "login_fixture.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char ask(struct client *client, uint32_t code)
{
	char answer;

	client_send_request(client, code);
	client_read(client, &answer, 1);
	return answer;
}

static void finish_login(struct client *client)
{
	client_startup(client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	struct login_session *session = login_fixture_session();

	login_session_free(&session);
	client_close(client);
}

static void ssl_is_declined_without_a_certificate(void **state)
{
	struct client client = client_tcp();

	(void)state;
	assert_int_equal(ask(&client, CODE_SSL), 'N');
	finish_login(&client);
}

static void gssenc_then_ssl_are_both_answered(void **state)
{
	struct client client = client_tcp();

	(void)state;
	assert_int_equal(ask(&client, CODE_GSSENC), 'N');
	assert_int_equal(ask(&client, CODE_SSL), 'N');
	finish_login(&client);
}

static void a_request_cannot_be_repeated(void **state)
{
	struct client client = client_tcp();

	(void)state;
	assert_int_equal(ask(&client, CODE_SSL), 'N');
	client_send_request(&client, CODE_SSL);
	client_expect_fatal(&client, "0A000", "unsupported frontend protocol 1234.5679: server supports 3.0 to 3.2");
	client_close(&client);
	client = client_tcp();
	assert_int_equal(ask(&client, CODE_GSSENC), 'N');
	client_send_request(&client, CODE_GSSENC);
	client_expect_fatal(&client, "0A000", "unsupported frontend protocol 1234.5680: server supports 3.0 to 3.2");
	client_close(&client);
}

/* CVE-2021-23214: what was put behind the request in the clear must not count as sent through TLS. */
static void bytes_behind_an_ssl_request_close_the_connection(void **state)
{
	static const char stuffed[] = "\0\0\0\10\4\322\26\57\0\0\0\24\0\3\0\0user\0bob\0";

	(void)state;
	login_fixture_tls(SSLMODE_PREFER);
	struct client client = client_tcp();
	char byte;

	client_send(&client, stuffed, sizeof(stuffed));
	/* Nothing is answered; the kernel may say so with a reset. */
	assert_true(recv(client.fd, &byte, 1, 0) <= 0);
	login_fixture_settle(0);
	assert_true(login_fixture_nothing_came());
	client_close(&client);
}

static void other_major_versions_are_refused(void **state)
{
	struct client client = client_tcp();

	(void)state;
	client_startup(&client, 2 << 16, "user", "alice", NULL);
	client_expect_fatal(&client, "0A000", "unsupported frontend protocol 2.0: server supports 3.0 to 3.2");
	client_close(&client);
	client = client_tcp();
	client_startup(&client, 4 << 16 | 1, "user", "alice", NULL);
	client_expect_fatal(&client, "0A000", "unsupported frontend protocol 4.1: server supports 3.0 to 3.2");
	client_close(&client);
}

static void a_packet_without_user_is_refused(void **state)
{
	struct client client = client_tcp();

	(void)state;
	client_startup(&client, PROTOCOL_30, "database", "app", NULL);
	client_expect_fatal(&client, "28000", "no PostgreSQL user name specified in startup packet");
	client_close(&client);
}

static void a_malformed_packet_is_refused(void **state)
{
	struct client client = client_tcp();

	(void)state;
	client_send(&client, "\0\0\0\15\0\3\0\0user", 13);
	client_expect_fatal(&client, "08P01", "invalid startup packet layout: expected terminator as last byte");
	client_close(&client);
}

/* Whoever sends this does not speak PostgreSQL. */
static void impossible_lengths_close_without_a_word(void **state)
{
	static const char *const starts[] = { "GET / HTTP/1.1\r\n", "\0\0\0\7\0\3\0\0", "\0\0\47\25\0\3\0\0", "\377\377\377\377\0\3\0\0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		struct client client = client_tcp();

		client_send(&client, starts[i], 8);
		assert_true(client_ended(&client));
		client_close(&client);
	}
	login_fixture_settle(0);
}

static void expect_negotiation(uint32_t asked, uint32_t minor, const char *option)
{
	struct client client = client_tcp();
	struct buf body = { 0 };

	client_startup(&client, WIRE_PROTOCOL(3, asked), "user", "alice", "database", "app", option, "1", NULL);
	assert_int_equal(client_message(&client, &body), 'v');
	assert_int_equal(wire_u32(body.bytes), WIRE_PROTOCOL(3, minor));
	assert_int_equal(wire_u32(body.bytes + 4), option ? 1 : 0);
	assert_int_equal(body.size, 8 + (option ? strlen(option) + 1 : 0));
	if (option)
		assert_string_equal(body.bytes + 8, option);
	struct login_session *session = login_fixture_session();

	assert_int_equal(session->minor, minor);
	login_session_free(&session);
	client_close(&client);
	buf_fini(&body);
}

static void newer_minor_versions_are_negotiated_down(void **state)
{
	(void)state;
	expect_negotiation(3, 2, NULL);
	expect_negotiation(9999, 2, NULL);
	expect_negotiation(1, 0, NULL);
}

/* With the version that the client asked for: libpq refuses to be "negotiated" up. */
static void unknown_protocol_options_are_listed(void **state)
{
	(void)state;
	expect_negotiation(0, 0, "_pq_.test");
	expect_negotiation(2, 2, "_pq_.test");
	expect_negotiation(9999, 2, "_pq_.test");
}

static void known_minor_versions_are_not_negotiated(void **state)
{
	struct client client = client_tcp();

	(void)state;
	fake_auth = FAKE_AUTH_PASSWORD;
	client_startup(&client, WIRE_PROTOCOL(3, 2), "user", "alice", "database", "app", NULL);
	struct buf body = { 0 };

	assert_int_equal(client_message(&client, &body), 'R');
	client_answer(&client, fake_auth_password);
	struct login_session *session = login_fixture_session();

	assert_int_equal(session->minor, 2);
	login_session_free(&session);
	client_close(&client);
	buf_fini(&body);
}

static void send_cancel(struct client *client, const char *key, size_t key_size)
{
	struct buf packet = { 0 };

	wire_put_cancel(&packet, 4711, key, key_size);
	client_send(client, packet.bytes, packet.size);
	buf_fini(&packet);
}

static void expect_cancel(struct client *client, size_t key_size)
{
	static const char key[] = "0123456789abcdef0123456789abcdef";

	send_cancel(client, key, key_size);
	struct login_cancel *cancel = login_fixture_cancel();

	assert_int_equal(cancel->pid, 4711);
	assert_int_equal(cancel->key_size, key_size);
	assert_memory_equal(cancel->key, key, key_size);
	login_cancel_free(&cancel);
	assert_true(client_ended(client));
	client_close(client);
}

static void cancels_are_handed_over_with_short_and_long_keys(void **state)
{
	struct client client = client_tcp();

	(void)state;
	expect_cancel(&client, 4);
	client = client_tcp();
	client.slow = true;
	expect_cancel(&client, 32);
	assert_int_equal(client_slot_count(), 0);
}

static void cancels_pass_over_tls_and_in_the_clear_where_tls_is_required(void **state)
{
	(void)state;
	login_fixture_tls(SSLMODE_REQUIRE);
	struct client client = client_tcp();

	assert_int_equal(ask(&client, CODE_SSL), 'S');
	assert_true(client_tls(&client, false, NULL));
	expect_cancel(&client, 32);
	client = client_tcp();
	expect_cancel(&client, 4);
}

static void a_cancel_without_key_is_closed(void **state)
{
	struct client client = client_tcp();

	(void)state;
	send_cancel(&client, "", 0);
	assert_true(client_ended(&client));
	login_fixture_settle(0);
	assert_true(login_fixture_nothing_came());
	client_close(&client);
}

static const char proxy_v4[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\1\2\3\x0a\0\0\1\x12\x34\x15\x38";

static void the_address_of_a_proxy_header_is_the_clients(void **state)
{
	(void)state;
	fixture_config.proxy_protocol = true;
	assert_true(login_fixture_configure());
	for (int slow = 0; slow < 2; slow++) {
		struct client client = client_tcp();

		client.slow = slow;
		client_send(&client, proxy_v4, sizeof(proxy_v4) - 1);
		client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
		struct login_session *session = login_fixture_session();
		const struct sockaddr_in *address = (const struct sockaddr_in *)&session->address;

		assert_int_equal(ntohl(address->sin_addr.s_addr), 0x0a010203);
		assert_int_equal(ntohs(address->sin_port), 0x1234);
		login_session_free(&session);
		client_close(&client);
	}
}

static void without_its_proxy_header_a_tcp_client_is_closed(void **state)
{
	(void)state;
	fixture_config.proxy_protocol = true;
	assert_true(login_fixture_configure());
	struct client client = client_tcp();
	char byte;

	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", NULL);
	assert_true(recv(client.fd, &byte, 1, 0) <= 0);
	client_close(&client);
	client = client_local();
	finish_login(&client);
}

/* What comes after the startup packet in the same packet is the session's, untouched. */
static void bytes_behind_the_startup_packet_stay_for_the_session(void **state)
{
	static const char both[] = "\0\0\0\41\0\3\0\0user\0alice\0database\0app\0\0Query";
	struct client client = client_tcp();
	char bytes[5];

	(void)state;
	client_send(&client, both, 33 + 5);
	struct login_session *session = login_fixture_session();

	assert_int_equal(session->early.size, 0);
	assert_int_equal(conn_recv(&session->conn, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "Query", 5);
	login_session_free(&session);
	client_close(&client);
}

static void every_byte_may_arrive_alone(void **state)
{
	struct client client = client_tcp();
	struct buf body = { 0 };

	(void)state;
	fake_auth = FAKE_AUTH_PASSWORD;
	client.slow = true;
	assert_int_equal(ask(&client, CODE_GSSENC), 'N');
	assert_int_equal(ask(&client, CODE_SSL), 'N');
	client_startup(&client, PROTOCOL_30, "user", "alice", "database", "app", "options", "-c geqo=off", NULL);
	assert_int_equal(client_message(&client, &body), 'R');
	client_answer(&client, fake_auth_password);
	struct login_session *session = login_fixture_session();

	assert_string_equal(state_get(session->settings, "geqo"), "off");
	login_session_free(&session);
	client_close(&client);
	buf_fini(&body);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, login_fixture_setup, login_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(ssl_is_declined_without_a_certificate),
		SERVED(gssenc_then_ssl_are_both_answered),
		SERVED(a_request_cannot_be_repeated),
		SERVED(bytes_behind_an_ssl_request_close_the_connection),
		SERVED(other_major_versions_are_refused),
		SERVED(a_packet_without_user_is_refused),
		SERVED(a_malformed_packet_is_refused),
		SERVED(impossible_lengths_close_without_a_word),
		SERVED(newer_minor_versions_are_negotiated_down),
		SERVED(unknown_protocol_options_are_listed),
		SERVED(known_minor_versions_are_not_negotiated),
		SERVED(cancels_are_handed_over_with_short_and_long_keys),
		SERVED(cancels_pass_over_tls_and_in_the_clear_where_tls_is_required),
		SERVED(a_cancel_without_key_is_closed),
		SERVED(the_address_of_a_proxy_header_is_the_clients),
		SERVED(without_its_proxy_header_a_tcp_client_is_closed),
		SERVED(bytes_behind_the_startup_packet_stay_for_the_session),
		SERVED(every_byte_may_arrive_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
