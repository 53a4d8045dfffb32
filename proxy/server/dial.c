/* Failure story: whatever fails closes the socket and is told once, by the callback. An address nobody listens on is
 * told apart from a server that does not come to terms about TLS, since only the former makes another address worth
 * trying.
 *
 * The answer to SSLRequest is one byte in the clear that anybody on the way may have written. Nothing more than that
 * byte is read before TLS, and nothing may lie behind it: bytes injected there must never be taken for the server's
 * (PostgreSQL documentation, "SSL Session Encryption"; CVE-2021-23222). */
#include "dial.h"

#include <errno.h>
#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/socket.h"
#include "pgweir/wire.h"
#include "tls_cache.h"

typedef void dial_ready_fn(struct dial *dial, unsigned what);
static dial_ready_fn connecting, asking_tls, handshaking;

static const struct {
	const char *doing;
	dial_ready_fn *ready;
	unsigned from;                  /* Where it is entered from, as bits. */
} states[] = {
	[DIAL_IDLE] = { "idle", NULL, ~0u },
	[DIAL_CONNECTING] = { "connecting", connecting, 1u << DIAL_IDLE },
	[DIAL_ASKING_TLS] = { "asking for TLS", asking_tls, 1u << DIAL_CONNECTING },
	[DIAL_HANDSHAKING] = { "in the TLS handshake", handshaking, 1u << DIAL_ASKING_TLS },
};

enum { REFUSAL_MAX = 200 };

static void enter(struct dial *dial, enum dial_state state)
{
	CHECK(states[state].from & 1u << dial->state);
	dial->state = state;
}

void dial_init(struct dial *dial)
{
	*dial = (struct dial){ 0 };
	conn_init(&dial->conn, -1);
}

void dial_close(struct dial *dial)
{
	conn_close(&dial->conn);
	enter(dial, DIAL_IDLE);
}

const char *dial_doing(const struct dial *dial)
{
	return states[dial->state].doing;
}

/* `error` is set. The last act. */
static void give_up(struct dial *dial, enum dial_outcome outcome)
{
	dial_close(dial);
	dial->callback(outcome, dial->arg);
}

static void unreachable(struct dial *dial, int failed)
{
	error_set(&dial->error, "08001", "%s", strerror(failed));
	give_up(dial, DIAL_UNREACHABLE);
}

static void connected(struct dial *dial)
{
	conn_detach(&dial->conn);
	enter(dial, DIAL_IDLE);
	dial->callback(DIAL_CONNECTED, dial->arg);
}

static void ready(unsigned what, void *arg)
{
	struct dial *dial = arg;

	states[dial->state].ready(dial, what);
}

void dial_start(struct dial *dial, const struct sockaddr_storage *address, socklen_t size)
{
	dial->tls = false;
	if (address->ss_family == AF_UNIX)
		dial->wanted = DIAL_PLAIN;
	int fd = socket_connect(address, size);

	if (fd < 0) {
		unreachable(dial, errno);
		return;
	}
	socket_tune(fd, dial->config);
	conn_init(&dial->conn, fd);
	enter(dial, DIAL_CONNECTING);
	conn_attach(&dial->conn, dial->loop, ready, dial);
	loop_io_write(&dial->conn.io, true);
}

static void connecting(struct dial *dial, unsigned what)
{
	int failed = socket_pending_error(dial->conn.fd);
	char request[8];

	if (failed) {
		unreachable(dial, failed);
		return;
	}
	if (!(what & LOOP_WRITE))
		return;
	loop_io_write(&dial->conn.io, false);
	if (dial->wanted == DIAL_PLAIN) {
		connected(dial);
		return;
	}
	wire_put_u32(request, sizeof(request));
	wire_put_u32(request + 4, WIRE_PROTOCOL(1234, 5679));
	if (!conn_send(&dial->conn, request, sizeof(request))) {
		unreachable(dial, errno);
		return;
	}
	enter(dial, DIAL_ASKING_TLS);
}

static bool more_came(struct dial *dial)
{
	char byte;

	return recv(dial->conn.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void start_handshake(struct dial *dial)
{
	struct tls_context *context = tls_cache_get(dial->config_tls, dial->host, dial->port, &dial->error);
	bool good = context && conn_tls_connect(&dial->conn, context, dial->host, &dial->error);

	tls_context_unref(&context);    /* The connection holds what it needs of it. */
	if (!good) {
		give_up(dial, DIAL_FAILED);
		return;
	}
	dial->tls = true;
	enter(dial, DIAL_HANDSHAKING);
	handshaking(dial, 0);
}

/* An error in place of the answer. Nobody vouches for it, so that it is shown as what it is, its odd bytes replaced. */
static void refused_in_the_clear(struct dial *dial)
{
	char bytes[REFUSAL_MAX];
	ssize_t got = conn_recv(&dial->conn, bytes, sizeof(bytes) - 1);
	const char *text = bytes;

	bytes[got > 0 ? got : 0] = '\0';
	/* The length word, then fields; servers that could not even start a process send bare text. */
	if (got > 4 && bytes[0] == '\0') {
		const char *message = wire_error_field(bytes + 4, (size_t)got - 4, 'M');

		text = message ? message : "";
	}
	for (char *at = bytes; at < bytes + (got > 0 ? got : 0); at++)
		if (*at && (*at < ' ' || *at > '~'))
			*at = '?';
	error_set(&dial->error, "08001", "the server answered SSLRequest with an error, which is not authenticated: \"%s\"",
		text);
	give_up(dial, DIAL_FAILED);
}

static void asking_tls(struct dial *dial, unsigned what)
{
	char answer;

	if (what & LOOP_WRITE && !conn_flush(&dial->conn)) {
		unreachable(dial, errno);
		return;
	}
	ssize_t got = conn_recv(&dial->conn, &answer, 1);

	if (got == CONN_AGAIN)
		return;
	if (got <= 0) {
		error_set(&dial->error, "08001", "server closed the connection when asked for TLS");
		give_up(dial, DIAL_UNREACHABLE);
		return;
	}
	if (answer == 'E') {
		refused_in_the_clear(dial);
		return;
	}
	if ((answer != 'S' && answer != 'N') || more_came(dial)) {
		error_set(&dial->error, "08P01", "unexpected bytes from the server in answer to SSLRequest");
		give_up(dial, DIAL_FAILED);
		return;
	}
	if (answer == 'S') {
		start_handshake(dial);
		return;
	}
	if (dial->wanted == DIAL_TLS_IF_OFFERED) {
		connected(dial);
		return;
	}
	error_set(&dial->error, "08001", "server does not support TLS, but server_tls_sslmode asks for it");
	give_up(dial, DIAL_FAILED);
}

static void handshaking(struct dial *dial, unsigned what)
{
	(void)what;
	switch (conn_handshake(&dial->conn, &dial->error)) {
	case CONN_HANDSHAKE_AGAIN:
		return;
	case CONN_HANDSHAKE_DONE:
		connected(dial);
		return;
	case CONN_HANDSHAKE_FAILED:
		give_up(dial, DIAL_FAILED);
		return;
	}
}
