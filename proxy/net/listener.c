/* Failure story: without descriptors accept4() fails with EMFILE while the socket stays readable, so that a loop would
 * spin; where none are left for clients (descriptors.h) it is not even asked. All sockets then stop listening to events for a
 * while; waiting clients stay in the kernel's queue. The log hears of it when it begins, once a minute while it lasts, and
 * when the queue has been emptied again. */
#include "pgweir/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pgweir/clock.h"
#include "pgweir/descriptors.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "passed.h"
#include "pgweir/socket.h"

enum {
	LISTENER_SOCKETS_MAX = 64,
	ACCEPTS_PER_TURN = 64,
	PAUSE_MS = 100,
	SAY_AGAIN_AFTER_US = 60000000,
};

struct listener_socket {
	struct listener *listener;
	struct loop_io io;
	int fd;
};

struct listener {
	struct loop *loop;
	listener_cb *callback;
	void *arg;
	struct loop_timer resume;
	bool paused, said;              /* `said`: the log knows that it is. */
	uint64_t said_us;               /* When the log was told last; 0: never. */
	struct listener_socket sockets[LISTENER_SOCKETS_MAX];
	size_t socket_count;
	char *unix_path;
};

static void set_reading(struct listener *listener, bool wanted)
{
	for (size_t i = 0; i < listener->socket_count; i++)
		loop_io_read(&listener->sockets[i].io, wanted);
}

static void resume(void *arg)
{
	set_reading(arg, true);
}

static void note_paused(struct listener *listener, int failed)
{
	uint64_t now_us = clock_now_us();

	listener->paused = true;
	if (listener->said_us && now_us - listener->said_us < SAY_AGAIN_AFTER_US)
		return;
	listener->said = true;
	listener->said_us = now_us;
	log_warning("accepting paused", LOG_TEXT("reason", strerror(failed)));
}

static void note_emptied(struct listener *listener)
{
	if (listener->said)
		log_notable("accepting resumed");
	listener->paused = listener->said = false;
}

static void pause_for_a_while(struct listener *listener, int failed)
{
	note_paused(listener, failed);
	set_reading(listener, false);
	loop_timer_start(&listener->resume, PAUSE_MS);
}

static void socket_ready(unsigned what, void *arg)
{
	struct listener_socket *from = arg;
	struct listener *listener = from->listener;

	(void)what;
	if (!descriptors_for_client())
		pause_for_a_while(listener, EMFILE);
	for (int i = 0; i < ACCEPTS_PER_TURN && descriptors_for_client(); i++) {
		struct sockaddr_storage peer = { 0 };
		socklen_t size = sizeof(peer);
		int fd = accept4(from->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			listener->callback(fd, &peer, listener->arg);
			continue;
		}
		int failed = errno;

		if (failed == EMFILE || failed == ENFILE || failed == ENOBUFS || failed == ENOMEM)
			pause_for_a_while(listener, failed);
		else if (failed == EAGAIN && listener->paused)
			note_emptied(listener);
		if (failed != EINTR && failed != ECONNABORTED)
			return;
	}
}

static bool add_socket(struct listener *listener, int fd, const struct config *config, const char *name, struct error *error)
{
	if (listen(fd, config->listen_backlog > 0 ? config->listen_backlog : 128) < 0) {
		int failed = errno;

		close(fd);
		return error_set(error, "58000", "cannot listen on %s: %s", name, strerror(failed));
	}
	struct listener_socket *added = &listener->sockets[listener->socket_count++];

	*added = (struct listener_socket){ .listener = listener, .fd = fd };
	loop_io_init(&added->io, listener->loop, fd, socket_ready, added);
	loop_io_read(&added->io, true);
	return true;
}

static bool open_tcp(struct listener *listener, const struct addrinfo *at, const struct config *config, struct error *error)
{
	char name[SOCKET_ADDRESS_MAX];
	struct sockaddr_storage address = { 0 };
	int one = 1;

	memcpy(&address, at->ai_addr, at->ai_addrlen);
	socket_address_text(&address, name, sizeof(name));
	if (listener->socket_count == LISTENER_SOCKETS_MAX)
		return error_set(error, "58000", "too many addresses to listen on");
	int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(error, "58000", "cannot open a socket for %s: %s", name, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (at->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (config->tcp_defer_accept > 0)
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &config->tcp_defer_accept, sizeof(config->tcp_defer_accept));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0) {
		int failed = errno;

		close(fd);
		return error_set(error, "58000", "cannot bind to %s: %s", name, strerror(failed));
	}
	return add_socket(listener, fd, config, name, error);
}

static bool open_name(struct listener *listener, const char *name, const struct config *config, struct error *error)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found = NULL;
	char port[8];

	snprintf(port, sizeof(port), "%u", config->listen_port);
	int failed = getaddrinfo(strcmp(name, "*") ? name : NULL, port, &hints, &found);

	if (failed)
		return error_set(error, "58000", "listen_addr \"%s\": %s", name, gai_strerror(failed));
	bool good = true;

	for (struct addrinfo *at = found; at && good; at = at->ai_next)
		good = open_tcp(listener, at, config, error);
	freeaddrinfo(found);
	return good;
}

static bool open_names(struct listener *listener, const struct config *config, struct error *error)
{
	char *names = mem_strdup(config->listen_addr ? config->listen_addr : "");
	char *rest = names;
	bool good = true;

	for (char *name = strtok_r(rest, ", ", &rest); name && good; name = strtok_r(NULL, ", ", &rest))
		good = open_name(listener, name, config, error);
	mem_free(names);
	return good;
}

/* A socket file that nobody answers on is left over from a crash and is replaced. */
static bool in_use(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		close(fd);
	return answered;
}

static bool set_unix_access(const char *path, const struct config *config, struct error *error)
{
	if (chmod(path, config->unix_socket_mode) < 0)
		return error_set(error, "58000", "cannot set the mode of %s: %s", path, strerror(errno));
	if (!config->unix_socket_group || !*config->unix_socket_group)
		return true;
	const struct group *group = getgrnam(config->unix_socket_group);

	if (!group)
		return error_set(error, "58000", "unix_socket_group: there is no group \"%s\"", config->unix_socket_group);
	if (chown(path, (uid_t)-1, group->gr_gid) < 0)
		return error_set(error, "58000", "cannot give %s to group \"%s\": %s", path, config->unix_socket_group,
			strerror(errno));
	return true;
}

static bool open_unix(struct listener *listener, const struct config *config, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (!config->unix_socket_dir || !*config->unix_socket_dir)
		return true;
	char *path = mem_printf("%s/.s.PGSQL.%u", config->unix_socket_dir, config->listen_port);

	listener->unix_path = path;
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, "58000", "unix_socket_dir: path \"%s\" is too long", path);
	memcpy(address.sun_path, path, strlen(path));
	if (in_use(&address)) {
		mem_free(listener->unix_path);
		listener->unix_path = NULL;
		return error_set(error, "55006", "another server already answers on %s/.s.PGSQL.%u", config->unix_socket_dir,
			config->listen_port);
	}
	unlink(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int failed = errno;

		if (fd >= 0)
			close(fd);
		return error_set(error, "58000", "cannot bind to %s: %s", path, strerror(failed));
	}
	return add_socket(listener, fd, config, path, error) && set_unix_access(path, config, error);
}

/* What systemd has opened takes the place of what the configuration names. */
static bool open_passed(struct listener *listener, const struct config *config, bool *any, struct error *error)
{
	int fds[LISTENER_SOCKETS_MAX];
	size_t count = passed_sockets(fds, ARRAY_LEN(fds));
	bool good = true;

	*any = count > 0;
	for (size_t i = 0; i < count; i++) {
		if (good)
			good = add_socket(listener, fds[i], config, "a socket that was passed", error);
		else
			close(fds[i]);
	}
	if (*any)
		log_info("listening on sockets that were passed", LOG_INT("sockets", count));
	return good;
}

static bool open_all(struct listener *listener, const struct config *config, struct error *error)
{
	bool passed;

	if (!open_passed(listener, config, &passed, error))
		return false;
	return passed || (open_names(listener, config, error) && open_unix(listener, config, error));
}

struct listener *listener_open(const struct config *config, struct loop *loop, listener_cb *callback, void *arg,
	struct error *error)
{
	struct listener *listener = NEW(struct listener);

	listener->loop = loop;
	listener->callback = callback;
	listener->arg = arg;
	loop_timer_init(&listener->resume, loop, resume, listener);
	if (!open_all(listener, config, error))
		listener_close(&listener);
	return listener;
}

void listener_close(struct listener **listener)
{
	struct listener *gone = *listener;

	*listener = NULL;
	if (!gone)
		return;
	loop_timer_stop(&gone->resume);
	for (size_t i = 0; i < gone->socket_count; i++) {
		loop_io_fini(&gone->sockets[i].io);
		close(gone->sockets[i].fd);
	}
	if (gone->unix_path)
		unlink(gone->unix_path);
	mem_free(gone->unix_path);
	mem_free(gone);
}
