/* An "instant" PostgreSQL server: every message is answered at once, with one send per receive.
 *
 * In front of it a proxy's own cost shows undiluted. One thread accepts and hands connections round to the
 * workers; a connection stays with its worker, so nothing here is shared but the prepared rows. */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_conn.h"
#include "server_command.h"

#define THREADS_MAX 16
#define EVENTS_PER_TURN 256

enum session_state {
	SESSION_STARTUP,        /* Until the startup packet proper. */
	SESSION_HANDSHAKE,
	SESSION_SERVING,
};

struct session {
	struct conn conn;
	enum session_state state;
	uint32_t watched;
	uint32_t process_id;
	int epoll_fd;
	struct bytes in;
	struct bytes out;
	struct reply_session replies;
};

static SSL_CTX *tls_context;    /* NULL: SSLRequest is answered `N`. */

static void watch(struct session *session, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = session };

	if (session->watched == events)
		return;
	epoll_ctl(session->epoll_fd, EPOLL_CTL_MOD, session->conn.fd, &event);
	session->watched = events;
}

static void end_session(struct session *session)
{
	conn_close(&session->conn);
	bytes_free(&session->in);
	bytes_free(&session->out);
	free(session);
}

/* The first packets have no type: SSLRequest, GSSENCRequest, CancelRequest or the startup packet. */
static bool on_startup_packet(struct session *session, const struct wire_message *message)
{
	uint32_t code = message->length >= 4 ? wire_get_u32(message->body) : WIRE_CANCEL_REQUEST;

	switch (code) {
	case WIRE_SSL_REQUEST:
		bytes_append(&session->out, tls_context ? "S" : "N", 1);
		if (tls_context && conn_start_tls(&session->conn, tls_context))
			session->state = SESSION_HANDSHAKE;
		return true;
	case WIRE_GSSENC_REQUEST:
		bytes_append(&session->out, "N", 1);
		return true;
	case WIRE_CANCEL_REQUEST:
		return false;   /* There is never anything to cancel. */
	default:
		reply_to_startup(&session->replies, message, session->process_id, &session->out);
		session->state = SESSION_SERVING;
		return true;
	}
}

static bool answer_one(struct session *session, const struct wire_message *message)
{
	if (session->state == SESSION_SERVING)
		return reply_to_message(&session->replies, message, &session->out);
	return on_startup_packet(session, message);
}

/* Answers every complete message of the input. */
static bool answer_all(struct session *session)
{
	while (session->state != SESSION_HANDSHAKE) {
		struct wire_message message;
		bool startup = session->state == SESSION_STARTUP;
		enum wire_outcome outcome = startup ? wire_peek_startup(&session->in, &message) :
						      wire_peek(&session->in, &message);

		if (outcome == WIRE_INCOMPLETE)
			return true;
		if (outcome == WIRE_GARBAGE || !answer_one(session, &message))
			return false;
		wire_consume(&session->in, &message);
	}
	return true;
}

static bool flush_out(struct session *session)
{
	struct conn plain = { .fd = session->conn.fd };
	/* The `S` that announces TLS is itself still plain. */
	struct conn *conn = session->state == SESSION_HANDSHAKE ? &plain : &session->conn;
	enum conn_outcome outcome = conn_send(conn, &session->out);

	watch(session, outcome == CONN_WANTS_WRITE ? EPOLLOUT : EPOLLIN);
	return outcome == CONN_OK || outcome == CONN_WANTS_WRITE || outcome == CONN_WANTS_READ;
}

static bool on_handshake(struct session *session)
{
	enum conn_outcome outcome = conn_handshake(&session->conn, true);

	if (outcome == CONN_OK)
		session->state = SESSION_STARTUP;
	if (outcome == CONN_OK || outcome == CONN_WANTS_READ)
		watch(session, EPOLLIN);
	else
		watch(session, EPOLLOUT);
	return outcome != CONN_ENDED && outcome != CONN_BROKEN;
}

/* While output is pending no input is read: a client that does not read is not served further. */
static bool on_event(struct session *session, uint32_t events)
{
	enum conn_outcome outcome;

	if (bytes_length(&session->out) > 0)
		return flush_out(session);
	if (session->state == SESSION_HANDSHAKE)
		return on_handshake(session);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return true;
	outcome = conn_receive(&session->conn, &session->in);
	if (outcome == CONN_ENDED || outcome == CONN_BROKEN)
		return false;
	return answer_all(session) && flush_out(session);
}

static void *work(void *arg)
{
	int epoll_fd = *(int *)arg;
	struct epoll_event events[EVENTS_PER_TURN];

	for (;;) {
		int count = epoll_wait(epoll_fd, events, EVENTS_PER_TURN, -1);

		for (int i = 0; i < count; i++) {
			struct session *session = events[i].data.ptr;

			if (!on_event(session, events[i].events))
				end_session(session);
		}
	}
	return NULL;
}

static void hand_over(int fd, int epoll_fd, uint32_t process_id)
{
	struct session *session = calloc(1, sizeof(*session));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = session };

	if (!session) {
		close(fd);
		return;
	}
	conn_set_options(fd);
	session->conn.fd = fd;
	session->watched = EPOLLIN;
	session->process_id = process_id;
	session->epoll_fd = epoll_fd;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void accept_for_ever(int listener, const int *epoll_fds, unsigned threads)
{
	for (uint32_t number = 1;; number++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			hand_over(fd, epoll_fds[number % threads], number);
		else
			usleep(10000);  /* Out of descriptors: let some go first. */
	}
}

static void load_certificate(const char *certificate, const char *key)
{
	tls_context = SSL_CTX_new(TLS_server_method());
	if (!tls_context || SSL_CTX_use_certificate_chain_file(tls_context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls_context, key, SSL_FILETYPE_PEM) != 1) {
		fprintf(stderr, "bench_server: cannot use %s with %s\n", certificate, key);
		exit(1);
	}
}

struct settings {
	uint16_t port;
	unsigned threads;
	size_t row_bytes;
	const char *certificate;
	const char *key;
};

static struct settings read_settings(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "threads", required_argument, NULL, 't' },
		{ "row-size", required_argument, NULL, 'r' },
		{ "cert", required_argument, NULL, 'c' },
		{ "key", required_argument, NULL, 'k' },
		{ 0 },
	};
	struct settings settings = { .threads = 1 };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p': settings.port = (uint16_t)atoi(optarg); break;
		case 't': settings.threads = (unsigned)atoi(optarg); break;
		case 'r': settings.row_bytes = (size_t)atol(optarg); break;
		case 'c': settings.certificate = optarg; break;
		case 'k': settings.key = optarg; break;
		default:
			fprintf(stderr, "usage: bench_server [--port N] [--threads N] [--row-size BYTES] "
					"[--cert FILE --key FILE]\n");
			exit(2);
		}
	}
	if (settings.threads < 1 || settings.threads > THREADS_MAX)
		settings.threads = 1;
	return settings;
}

int main(int argc, char **argv)
{
	static int epoll_fds[THREADS_MAX];
	struct settings settings = read_settings(argc, argv);
	int listener;

	signal(SIGPIPE, SIG_IGN);
	conn_raise_descriptor_limit();
	command_prepare_rows(settings.row_bytes);
	if (settings.certificate && settings.key)
		load_certificate(settings.certificate, settings.key);
	listener = conn_listen("127.0.0.1", settings.port);
	for (unsigned i = 0; i < settings.threads; i++) {
		pthread_t thread;

		epoll_fds[i] = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_fds[i] < 0 || pthread_create(&thread, NULL, work, &epoll_fds[i]) != 0) {
			perror("bench_server: a worker");
			return 1;
		}
	}
	printf("listening %u\n", conn_local_port(listener));
	fflush(stdout);
	accept_for_ever(listener, epoll_fds, settings.threads);
}
