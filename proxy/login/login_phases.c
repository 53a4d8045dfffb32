/* The phases of a login.
 *
 *     PROXY_HEADER → FIRST_BYTES → STARTUP ⇄ TLS … STARTUP → AUTH ⇄ AUTH_WAITING → (a session)
 *                                     ↓                      (a cancel comes of STARTUP)
 *                            LINGER, from every phase that can speak
 *
 * Failure story: before the startup packet nobody knows what the client understands, so that what goes wrong there
 * closes the connection without a word; a log line says why. No handler reads beyond the message it is for: what
 * follows stays with the kernel, or in the TLS library, for whoever has the connection next. In particular plain bytes
 * sent ahead of a TLS handshake can never be taken for bytes that came through it (CVE-2021-23214). */
#include <errno.h>
#include <sys/socket.h>

#include "login_internal.h"

enum {
	PROXY_FIXED_SIZE = 16,
	TLS_HANDSHAKE_RECORD = 0x16,    /* No startup packet begins so: its length would be above any limit. */
};

/* What is wrong with a header, by enum wire_proxy_kind. A header that asks for too much has a balancer of good will behind it. */
static const char *const proxy_header_faults[] = {
	[WIRE_PROXY_MISSING] = "no PROXY protocol version 2 header",
	[WIRE_PROXY_UNKNOWN] = "PROXY protocol header of an unknown version or command",
	[WIRE_PROXY_TOO_LONG] = "PROXY protocol header is too long",
	[WIRE_PROXY_TOO_SHORT] = "PROXY protocol header is too short for its address",
};

static enum login_move on_proxy_header(struct login *login)
{
	struct sockaddr_storage client;
	size_t header_size = PROXY_FIXED_SIZE;
	enum wire_proxy_kind kind = WIRE_PROXY_INCOMPLETE;

	while (kind == WIRE_PROXY_INCOMPLETE) {
		enum login_move move = login_fill(login, header_size);

		/* Also of a part: behind an SSLRequest, which is shorter than a header, nothing comes until it is answered. */
		if (login->in.size)
			kind = wire_proxy_header(login->in.bytes, login->in.size, &header_size, &client);
		if (kind == WIRE_PROXY_INCOMPLETE && move != LOGIN_NEXT)
			return move;
	}
	if (proxy_header_faults[kind])
		return login_failf(login, "08P01", "%s", proxy_header_faults[kind]);
	if (kind == WIRE_PROXY_ADDRESS)
		login->address = client;
	login_forget_input(login);
	login_enter(login, LOGIN_PHASE_FIRST_BYTES);
	return LOGIN_NEXT;
}

static enum login_move on_first_bytes(struct login *login)
{
	unsigned char first;
	ssize_t got;

	do
		got = recv(login->conn.fd, &first, 1, MSG_PEEK);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? LOGIN_WAIT : LOGIN_END;
	if (first != TLS_HANDSHAKE_RECORD) {
		login_enter(login, LOGIN_PHASE_STARTUP);
		return LOGIN_NEXT;
	}
	if (!login->tls || login_is_local(login))
		return login_failf(login, "08P01", "direct TLS is not available here");
	conn_tls_accept(&login->conn, login->tls);
	login_enter(login, LOGIN_PHASE_TLS);
	return LOGIN_WAIT;
}

/* Something of the handshake may have come. Until its turn it lies in the socket. */
static enum login_move on_tls(struct login *login)
{
	bool begun = conn_handshake_begun(&login->conn);

	/* A handshake is much work, and takes two turns of the client: here there will be no second. */
	if (login->ended && !begun)
		return login_failf(login, "08006", "TLS handshake failed: connection closed by the peer");
	if (begun)
		conn_want_read(&login->conn, false);
	else
		conn_watch_end(&login->conn);
	login_wait_for_turn(login);
	return LOGIN_WAIT;
}

enum login_move login_take_turn(struct login *login)
{
	struct error error;

	conn_want_read(&login->conn, true);
	enum conn_handshake handshake = conn_handshake(&login->conn, &error);

	if (handshake == CONN_HANDSHAKE_AGAIN)
		return LOGIN_WAIT;
	if (handshake == CONN_HANDSHAKE_FAILED)
		return login_fail(login, &error);
	/* Without SSLRequest nothing but ALPN tells that both sides mean PostgreSQL (ALPACA attacks). */
	if (!(login->asked & LOGIN_ASKED_SSL) && !tls_alpn_is_postgresql(&login->conn))
		return login_failf(login, "08P01", "direct TLS without ALPN \"postgresql\"");
	login->asked |= LOGIN_ASKED_SSL | LOGIN_ASKED_GSSENC;
	login_enter(login, LOGIN_PHASE_STARTUP);
	return LOGIN_NEXT;
}

#define PHASE(name) (1u << LOGIN_PHASE_##name)

static const struct {
	const char *name;
	enum login_move (*run)(struct login *login);
	bool speaks;                    /* The client would understand an ErrorResponse. */
	unsigned next;                  /* The phases that may follow. */
} phases[] = {
	[LOGIN_PHASE_PROXY_HEADER] = { "proxy header", on_proxy_header, false, PHASE(FIRST_BYTES) },
	[LOGIN_PHASE_FIRST_BYTES] = { "first bytes", on_first_bytes, false, PHASE(TLS) | PHASE(STARTUP) },
	[LOGIN_PHASE_TLS] = { "tls handshake", on_tls, false, PHASE(STARTUP) },
	[LOGIN_PHASE_STARTUP] = { "startup", login_on_startup, true,
		PHASE(TLS) | PHASE(AUTH) | PHASE(AUTH_WAITING) | PHASE(LINGER) },
	[LOGIN_PHASE_AUTH] = { "authentication", login_on_auth, true, PHASE(AUTH_WAITING) | PHASE(LINGER) },
	[LOGIN_PHASE_AUTH_WAITING] = { "authentication waiting", login_on_auth_waiting, true, PHASE(AUTH) | PHASE(LINGER) },
	[LOGIN_PHASE_LINGER] = { "closing", login_linger, false, 0 },
};

const char *login_phase_name(enum login_phase phase)
{
	return phases[phase].name;
}

bool login_phase_speaks(enum login_phase phase)
{
	return phases[phase].speaks;
}

enum login_move login_phase_run(struct login *login)
{
	return phases[login->phase].run(login);
}

void login_enter(struct login *login, enum login_phase phase)
{
	CHECK(phases[login->phase].next & 1u << phase);
	login->phase = phase;
}
