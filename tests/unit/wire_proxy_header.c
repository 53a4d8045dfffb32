/* The PROXY protocol's binary header: whose address a load balancer speaks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "pgweir/mem.h"
#include "pgweir/wire.h"

enum { LOCAL = 0x20, PROXY = 0x21, UNSPECIFIED = 0x00, TCP4 = 0x11, TCP6 = 0x21, UNIX_STREAM = 0x31 };

static struct sockaddr_storage client;
static size_t header_size;

static void put_header(struct buf *out, int command, int family, uint16_t length)
{
	buf_append(out, "\r\n\r\n\0\r\nQUIT\n", 12);
	buf_append_char(out, (char)command);
	buf_append_char(out, (char)family);
	buf_append_u16(out, length);
}

/* 192.0.2.1:56324 speaks to 192.0.2.2:5432. */
static void put_tcp4(struct buf *out)
{
	buf_append(out, "\xc0\0\2\1\xc0\0\2\2", 8);
	buf_append_u16(out, 56324);
	buf_append_u16(out, 5432);
}

/* The bytes end where the memory ends, so that a sanitizer sees a read beyond them. */
static enum wire_proxy_kind kind_of(const struct buf *out, size_t size)
{
	char *exact = mem_dup(out->bytes, size);
	enum wire_proxy_kind kind = wire_proxy_header(exact, size, &header_size, &client);

	mem_free(exact);
	return kind;
}

static void a_tcp4_header_gives_the_clients_address(void **state)
{
	struct buf out = { 0 };
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&client;

	(void)state;
	put_header(&out, PROXY, TCP4, 12);
	put_tcp4(&out);
	assert_int_equal(kind_of(&out, out.size), WIRE_PROXY_ADDRESS);
	assert_int_equal(header_size, 28);
	assert_int_equal(v4->sin_family, AF_INET);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), 0xc0000201);
	assert_int_equal(ntohs(v4->sin_port), 56324);
	buf_fini(&out);
}

static void a_tcp6_header_gives_the_clients_address(void **state)
{
	struct buf out = { 0 };
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&client;
	struct in6_addr from, to;

	(void)state;
	inet_pton(AF_INET6, "2001:db8::1", &from);
	inet_pton(AF_INET6, "2001:db8::2", &to);
	put_header(&out, PROXY, TCP6, 36);
	buf_append(&out, &from, 16);
	buf_append(&out, &to, 16);
	buf_append_u16(&out, 56324);
	buf_append_u16(&out, 5432);
	assert_int_equal(kind_of(&out, out.size), WIRE_PROXY_ADDRESS);
	assert_int_equal(header_size, 52);
	assert_int_equal(v6->sin6_family, AF_INET6);
	assert_memory_equal(&v6->sin6_addr, &from, 16);
	assert_int_equal(ntohs(v6->sin6_port), 56324);
	buf_fini(&out);
}

static void a_header_byte_by_byte_is_incomplete_until_its_last(void **state)
{
	struct buf out = { 0 };

	(void)state;
	put_header(&out, PROXY, TCP4, 12);
	put_tcp4(&out);
	for (size_t size = 0; size < out.size; size++)
		assert_int_equal(kind_of(&out, size), WIRE_PROXY_INCOMPLETE);
	assert_int_equal(kind_of(&out, out.size), WIRE_PROXY_ADDRESS);
	buf_fini(&out);
}

static void what_follows_the_header_is_left_alone(void **state)
{
	struct buf out = { 0 };

	(void)state;
	put_header(&out, PROXY, TCP4, 12 + 7);
	put_tcp4(&out);
	buf_append(&out, "\x04\0\4abcd", 7);    /* A TLV: skipped with the header. */
	buf_append_text(&out, "startup");
	assert_int_equal(kind_of(&out, out.size), WIRE_PROXY_ADDRESS);
	assert_int_equal(header_size, 35);
	buf_fini(&out);
}

/* A health check of the balancer's own, and families we cannot show: the socket's address counts. */
static void local_and_unknown_families_keep_the_sockets_address(void **state)
{
	static const struct {
		int command, family;
		uint16_t length;
	} rows[] = {
		{ LOCAL, UNSPECIFIED, 0 }, { LOCAL, TCP4, 12 }, { PROXY, UNSPECIFIED, 0 }, { PROXY, UNSPECIFIED, 12 },
		{ PROXY, UNIX_STREAM, 216 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		put_header(&out, rows[i].command, rows[i].family, rows[i].length);
		for (unsigned j = 0; j < rows[i].length; j++)
			buf_append_char(&out, 'x');
		assert_int_equal(kind_of(&out, out.size), WIRE_PROXY_LOCAL);
		assert_int_equal(header_size, 16 + rows[i].length);
		buf_fini(&out);
	}
}

/* Taking such a one for LOCAL would judge the client by the balancer's address. */
static void an_address_that_does_not_fit_its_header_is_bad(void **state)
{
	static const struct {
		int family;
		uint16_t length;
	} rows[] = { { TCP4, 0 }, { TCP4, 11 }, { TCP6, 12 }, { TCP6, 35 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		put_header(&out, PROXY, rows[i].family, rows[i].length);
		for (unsigned j = 0; j < rows[i].length; j++)
			buf_append_char(&out, 'x');
		assert_int_equal(kind_of(&out, out.size), WIRE_PROXY_TOO_SHORT);
		buf_fini(&out);
	}
}

static void other_versions_commands_and_lengths_are_told_apart(void **state)
{
	static const struct {
		int command;
		uint16_t length;
		enum wire_proxy_kind kind;
	} rows[] = {
		{ 0x11, 12, WIRE_PROXY_UNKNOWN }, { 0x31, 12, WIRE_PROXY_UNKNOWN }, { 0x22, 12, WIRE_PROXY_UNKNOWN },
		{ 0x2f, 12, WIRE_PROXY_UNKNOWN }, { 0x31, 0xffff, WIRE_PROXY_UNKNOWN },
		{ PROXY, 4096, WIRE_PROXY_INCOMPLETE }, { PROXY, 4097, WIRE_PROXY_TOO_LONG }, { PROXY, 0xffff, WIRE_PROXY_TOO_LONG },
		{ LOCAL, 4097, WIRE_PROXY_TOO_LONG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		put_header(&out, rows[i].command, TCP4, rows[i].length);
		put_tcp4(&out);
		assert_int_equal(kind_of(&out, out.size), rows[i].kind);
		buf_fini(&out);
	}
}

static void a_byte_off_the_signature_is_bad_at_once(void **state)
{
	struct buf out = { 0 };

	(void)state;
	put_header(&out, PROXY, TCP4, 12);
	for (size_t i = 0; i < 12; i++) {
		out.bytes[i] ^= 1;
		assert_int_equal(kind_of(&out, i + 1), WIRE_PROXY_MISSING);
		out.bytes[i] ^= 1;
	}
	buf_fini(&out);
	buf_append_text(&out, "PROXY TCP4 192.0.2.1 192.0.2.2 56324 5432\r\n");
	assert_int_equal(kind_of(&out, out.size), WIRE_PROXY_MISSING);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tcp4_header_gives_the_clients_address),
		cmocka_unit_test(a_tcp6_header_gives_the_clients_address),
		cmocka_unit_test(a_header_byte_by_byte_is_incomplete_until_its_last),
		cmocka_unit_test(what_follows_the_header_is_left_alone),
		cmocka_unit_test(local_and_unknown_families_keep_the_sockets_address),
		cmocka_unit_test(an_address_that_does_not_fit_its_header_is_bad),
		cmocka_unit_test(other_versions_commands_and_lengths_are_told_apart),
		cmocka_unit_test(a_byte_off_the_signature_is_bad_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
