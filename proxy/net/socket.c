#include "pgweir/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

static void set_number(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

static bool is_tcp(int fd)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);

	return getsockname(fd, (struct sockaddr *)&name, &size) == 0 && name.ss_family != AF_UNIX;
}

void socket_tune(int fd, const struct config *config)
{
	if (!is_tcp(fd))
		return;
	set_number(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (config->tcp_user_timeout)
		set_number(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, config->tcp_user_timeout);
	if (!config->tcp_keepalive)
		return;
	set_number(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (config->tcp_keepidle)
		set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, config->tcp_keepidle);
	if (config->tcp_keepintvl)
		set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, config->tcp_keepintvl);
	if (config->tcp_keepcnt)
		set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, config->tcp_keepcnt);
}

int socket_connect(const struct sockaddr_storage *address, socklen_t size)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)address, size) == 0 || errno == EINPROGRESS)
		return fd;
	int failed = errno;

	close(fd);
	errno = failed;
	return -1;
}

int socket_pending_error(int fd)
{
	int failed = 0;
	socklen_t size = sizeof(failed);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 ? failed : errno;
}

void socket_host_text(const struct sockaddr_storage *address, char *text, size_t size)
{
	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text, (socklen_t)size);
	else if (address->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text, (socklen_t)size);
	else
		snprintf(text, size, "unix");
}

int socket_port(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	if (address->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	return 0;
}

void socket_address_text(const struct sockaddr_storage *address, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	socket_host_text(address, host, sizeof(host));
	if (address->ss_family == AF_INET)
		snprintf(text, size, "%s:%d", host, socket_port(address));
	else if (address->ss_family == AF_INET6)
		snprintf(text, size, "[%s]:%d", host, socket_port(address));
	else
		snprintf(text, size, "unix");
}
