#include "conn_pair.h"

#include <sys/socket.h>

int conn_pair_open(struct conn *conn)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	conn_init(conn, pair[0]);
	return pair[1];
}
