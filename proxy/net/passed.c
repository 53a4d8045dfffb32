#include "passed.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pgweir/log.h"

enum { FIRST_FD = 3, COUNT_MAX = 1024 };

static long number_of(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long value = text ? strtol(text, &end, 10) : 0;

	return text && *text && !*end ? value : 0;
}

static bool listens(int fd)
{
	int type = 0, accepting = 0;
	socklen_t size = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
		return false;
	size = sizeof(accepting);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &size) == 0 && accepting;
}

size_t passed_sockets(int *fds, size_t most)
{
	long count = number_of("LISTEN_PID") == (long)getpid() ? number_of("LISTEN_FDS") : 0;
	size_t taken = 0;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (int fd = FIRST_FD; fd < FIRST_FD + count && count <= COUNT_MAX; fd++) {
		if (taken == most || !listens(fd)) {
			log_warning("a descriptor that was passed is no listening stream socket", LOG_INT("fd", fd));
			continue;
		}
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		fds[taken++] = fd;
	}
	return taken;
}
