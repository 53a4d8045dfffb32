/* Lookups that need no name server: numbers, Unix sockets, this host, and a name that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "pgweir/loop.h"
#include "pgweir/resolver.h"

static struct loop *loop;
static struct resolver_answer answer;
static unsigned answers, wanted;

static int start(void **state)
{
	(void)state;
	loop = loop_new("test");
	answers = 0;
	wanted = 1;
	return 0;
}

static int stop(void **state)
{
	(void)state;
	loop_free(&loop);
	return 0;
}

static void keep_answer(const struct resolver_answer *given, void *arg)
{
	assert_ptr_equal(arg, &answer);
	answer = *given;
	if (++answers == wanted)
		loop_stop(loop);
}

static void look_up(const char *host)
{
	resolver_lookup(loop, host, 5432, keep_answer, NULL, &answer);
	/* Never from within the call. */
	assert_int_equal(answers, 0);
	loop_run(loop);
	assert_int_equal(answers, 1);
}

static void a_number_is_its_own_address(void **state)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&answer.addresses[0];

	(void)state;
	look_up("192.0.2.7");
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.sizes[0], sizeof(*v4));
	assert_int_equal(v4->sin_family, AF_INET);
	assert_int_equal(ntohs(v4->sin_port), 5432);
	assert_int_equal(ntohl(v4->sin_addr.s_addr), 0xc0000207);
}

static void a_number_of_version_six_is_its_own_address(void **state)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&answer.addresses[0];
	struct in6_addr expected;

	(void)state;
	look_up("2001:db8::7");
	inet_pton(AF_INET6, "2001:db8::7", &expected);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.sizes[0], sizeof(*v6));
	assert_int_equal(v6->sin6_family, AF_INET6);
	assert_int_equal(ntohs(v6->sin6_port), 5432);
	assert_memory_equal(&v6->sin6_addr, &expected, sizeof(expected));
}

static void localhost_is_a_loopback_address_with_the_port(void **state)
{
	(void)state;
	look_up("localhost");
	assert_in_range(answer.count, 1, RESOLVER_ADDRESSES_MAX);
	for (unsigned i = 0; i < answer.count; i++) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&answer.addresses[i];
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&answer.addresses[i];

		assert_true(v4->sin_family == AF_INET || v4->sin_family == AF_INET6);
		/* The port lies at the same place in both. */
		assert_int_equal(ntohs(v4->sin_port), 5432);
		if (v4->sin_family == AF_INET)
			assert_int_equal(ntohl(v4->sin_addr.s_addr) >> 24, 127);
		else
			assert_true(IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr));
	}
}

static void an_answer_knows_its_addresses_however_they_are_written(void **state)
{
	(void)state;
	look_up("2001:db8::7");
	assert_true(resolver_answer_has(&answer, "2001:0db8:0:0::7"));
	assert_false(resolver_answer_has(&answer, "2001:db8::8"));
	assert_false(resolver_answer_has(&answer, "192.0.2.7"));
	assert_false(resolver_answer_has(&answer, "not an address"));
	answers = 0;
	look_up("192.0.2.7");
	assert_true(resolver_answer_has(&answer, "192.0.2.7"));
	assert_false(resolver_answer_has(&answer, "192.0.2.70"));
}

static void a_name_that_cannot_be_is_an_error_text(void **state)
{
	(void)state;
	/* A label of 64 characters: refused without asking anyone. */
	look_up("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.invalid");
	assert_int_equal(answer.count, 0);
	assert_true(strlen(answer.error_text) > 0);
}

static void a_directory_is_the_path_of_its_socket(void **state)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&answer.addresses[0];

	(void)state;
	look_up("/run/postgresql");
	assert_int_equal(answer.count, 1);
	assert_int_equal(un->sun_family, AF_UNIX);
	assert_string_equal(un->sun_path, "/run/postgresql/.s.PGSQL.5432");
	assert_int_equal(answer.sizes[0], offsetof(struct sockaddr_un, sun_path) + strlen(un->sun_path) + 1);
}

static void an_at_sign_is_the_abstract_name_space(void **state)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&answer.addresses[0];
	static const char name[] = "\0weir/.s.PGSQL.5432";

	(void)state;
	look_up("@weir");
	assert_int_equal(answer.count, 1);
	assert_memory_equal(un->sun_path, name, sizeof(name) - 1);
	assert_int_equal(answer.sizes[0], offsetof(struct sockaddr_un, sun_path) + sizeof(name) - 1);
}

static void a_socket_path_that_does_not_fit_is_an_error_text(void **state)
{
	char directory[200];

	(void)state;
	memset(directory, 'd', sizeof(directory) - 1);
	directory[0] = '/';
	directory[sizeof(directory) - 1] = '\0';
	look_up(directory);
	assert_int_equal(answer.count, 0);
	assert_string_equal(answer.error_text, "Unix socket path is too long");
}

static void many_lookups_at_once_are_each_answered_once(void **state)
{
	(void)state;
	wanted = 20;
	for (unsigned i = 0; i < wanted; i++)
		resolver_lookup(loop, i % 2 ? "localhost" : "127.0.0.1", 5432, keep_answer, NULL, &answer);
	loop_run(loop);
	assert_int_equal(answers, wanted);
}

/* Under a sanitizer this shows a thread that posts to a loop that is gone, and a lookup that nobody frees, nor what it was for. */
static void a_loop_may_end_while_names_are_looked_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20; i++)
		resolver_lookup(loop, i % 2 ? "localhost" : "127.0.0.1", 5432, keep_answer, free, malloc(1));
	loop_free(&loop);
	usleep(200000);
	assert_int_equal(answers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_number_is_its_own_address, start, stop),
		cmocka_unit_test_setup_teardown(a_number_of_version_six_is_its_own_address, start, stop),
		cmocka_unit_test_setup_teardown(localhost_is_a_loopback_address_with_the_port, start, stop),
		cmocka_unit_test_setup_teardown(an_answer_knows_its_addresses_however_they_are_written, start, stop),
		cmocka_unit_test_setup_teardown(a_name_that_cannot_be_is_an_error_text, start, stop),
		cmocka_unit_test_setup_teardown(a_directory_is_the_path_of_its_socket, start, stop),
		cmocka_unit_test_setup_teardown(an_at_sign_is_the_abstract_name_space, start, stop),
		cmocka_unit_test_setup_teardown(a_socket_path_that_does_not_fit_is_an_error_text, start, stop),
		cmocka_unit_test_setup_teardown(many_lookups_at_once_are_each_answered_once, start, stop),
		cmocka_unit_test_setup_teardown(a_loop_may_end_while_names_are_looked_up, start, stop),
	};

	alarm(240);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
