/* What the settings make of a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pgweir/socket.h"

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

static void a_tcp_socket_is_tuned_as_configured(void **state)
{
	struct config config = { .tcp_keepalive = true, .tcp_keepidle = 17, .tcp_keepintvl = 3, .tcp_keepcnt = 5, .tcp_user_timeout = 4711 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	socket_tune(fd, &config);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 17);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 3);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 5);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 4711);
	close(fd);
}

static void what_is_zero_stays_as_the_kernel_has_it(void **state)
{
	struct config config = { .tcp_keepalive = true }, off = { .tcp_keepidle = 17 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), usual = option(fd, IPPROTO_TCP, TCP_KEEPIDLE);

	(void)state;
	socket_tune(fd, &off);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), usual);
	socket_tune(fd, &config);
	assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), usual);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tcp_socket_is_tuned_as_configured),
		cmocka_unit_test(what_is_zero_stays_as_the_kernel_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
