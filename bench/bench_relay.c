/* The floor: a bare TCP relay on one thread and epoll.
 *
 * One receive and one send per direction and wake-up, client and server connections paired 1:1, nothing looked at.
 * No proxy that copies bytes through user space can be much cheaper, so the other proxies' CPU is given as a
 * multiple of this one's. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_conn.h"

#define CHUNK_BYTES 65536
#define EVENTS_PER_TURN 256

struct side {
	int fd;
	struct side *peer;
	struct bytes unsent;    /* What this side's socket has not taken yet. */
	uint32_t watched;       /* epoll events */
	bool ended;             /* Its peer may still have something to say. */
	bool dead;              /* Freed at the end of the turn: later events of the turn may still name it. */
	struct side *next_dead;
};

struct relay {
	int epoll_fd;
	int listener;
	uint16_t to_port;
	struct side *dead;
};

static void watch(struct relay *relay, struct side *side, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = side };

	if (side->watched == events)
		return;
	epoll_ctl(relay->epoll_fd, EPOLL_CTL_MOD, side->fd, &event);
	side->watched = events;
}

static void kill_pair(struct relay *relay, struct side *side)
{
	struct side *both[2] = { side, side->peer };

	for (int i = 0; i < 2; i++) {
		close(both[i]->fd);
		both[i]->dead = true;
		both[i]->next_dead = relay->dead;
		relay->dead = both[i];
	}
}

static void bury(struct relay *relay)
{
	while (relay->dead) {
		struct side *side = relay->dead;

		relay->dead = side->next_dead;
		bytes_free(&side->unsent);
		free(side);
	}
}

/* End of file on `side` is passed on once everything before it is. */
static void pass_end(struct relay *relay, struct side *side)
{
	side->ended = true;
	watch(relay, side, side->watched & ~(uint32_t)EPOLLIN);
	if (bytes_length(&side->peer->unsent) > 0)
		return;
	if (side->peer->ended) {
		kill_pair(relay, side);
		return;
	}
	shutdown(side->peer->fd, SHUT_WR);
}

static void on_readable(struct relay *relay, struct side *from)
{
	static uint8_t chunk[CHUNK_BYTES];
	struct side *to = from->peer;
	ssize_t received = recv(from->fd, chunk, sizeof(chunk), 0);
	ssize_t sent;

	if (received == 0) {
		pass_end(relay, from);
		return;
	}
	if (received < 0) {
		if (errno != EAGAIN && errno != EINTR)
			kill_pair(relay, from);
		return;
	}
	sent = send(to->fd, chunk, (size_t)received, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN) {
		kill_pair(relay, from);
		return;
	}
	if (sent == received)
		return;
	sent = sent < 0 ? 0 : sent;
	bytes_append(&to->unsent, chunk + sent, (size_t)(received - sent));
	watch(relay, from, from->watched & ~(uint32_t)EPOLLIN);
	watch(relay, to, to->watched | EPOLLOUT);
}

static void on_writable(struct relay *relay, struct side *to)
{
	struct conn plain = { .fd = to->fd };

	switch (conn_send(&plain, &to->unsent)) {
	case CONN_OK:
		watch(relay, to, to->watched & ~(uint32_t)EPOLLOUT);
		if (to->peer->ended)
			pass_end(relay, to->peer);
		else
			watch(relay, to->peer, to->peer->watched | EPOLLIN);
		return;
	case CONN_BROKEN:
		kill_pair(relay, to);
		return;
	default:
		return;
	}
}

static struct side *new_side(struct relay *relay, int fd)
{
	struct side *side = calloc(1, sizeof(*side));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = side };

	if (!side || epoll_ctl(relay->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		perror("bench_relay: a new connection");
		exit(1);
	}
	side->fd = fd;
	side->watched = EPOLLIN;
	return side;
}

/* Connecting over loopback takes microseconds and is not what is measured: waiting here keeps the rest bare. */
static int connect_upstream(const struct relay *relay)
{
	int fd = conn_connect("127.0.0.1", relay->to_port);
	struct pollfd wait_for = { .fd = fd, .events = POLLOUT };
	int failure = 0;
	socklen_t length = sizeof(failure);

	if (fd < 0)
		return -1;
	if (poll(&wait_for, 1, 1000) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) == 0 &&
	    failure == 0)
		return fd;
	close(fd);
	return -1;
}

static void on_connection(struct relay *relay)
{
	int client_fd = accept4(relay->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int server_fd;
	struct side *client;
	struct side *server;

	if (client_fd < 0)
		return;
	server_fd = connect_upstream(relay);
	if (server_fd < 0) {
		perror("bench_relay: connect");
		close(client_fd);
		return;
	}
	conn_set_options(client_fd);
	client = new_side(relay, client_fd);
	server = new_side(relay, server_fd);
	client->peer = server;
	server->peer = client;
}

static void on_event(struct relay *relay, const struct epoll_event *event)
{
	struct side *side = event->data.ptr;

	if (!side) {
		on_connection(relay);
		return;
	}
	if (!side->dead && (event->events & EPOLLOUT))
		on_writable(relay, side);
	if (!side->dead && (event->events & EPOLLIN))
		on_readable(relay, side);
	/* Both directions are gone, or nobody reads: a pair that nothing wakes any more must not stay. */
	if (!side->dead && (event->events & (EPOLLHUP | EPOLLERR)) && !(event->events & (EPOLLIN | EPOLLOUT)))
		kill_pair(relay, side);
}

static void run(struct relay *relay)
{
	struct epoll_event events[EVENTS_PER_TURN];

	for (;;) {
		int count = epoll_wait(relay->epoll_fd, events, EVENTS_PER_TURN, -1);

		for (int i = 0; i < count; i++)
			on_event(relay, &events[i]);
		bury(relay);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "to", required_argument, NULL, 't' },
		{ 0 },
	};
	struct relay relay = { .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	struct epoll_event event = { .events = EPOLLIN };
	uint16_t listen_port = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'l')
			listen_port = (uint16_t)atoi(optarg);
		else if (option == 't')
			relay.to_port = (uint16_t)atoi(optarg);
		else
			return 2;
	}
	if (relay.to_port == 0) {
		fprintf(stderr, "usage: bench_relay --listen PORT --to PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	conn_raise_descriptor_limit();
	relay.listener = conn_listen("127.0.0.1", listen_port);
	epoll_ctl(relay.epoll_fd, EPOLL_CTL_ADD, relay.listener, &event);
	printf("listening %u\n", conn_local_port(relay.listener));
	fflush(stdout);
	run(&relay);
}
