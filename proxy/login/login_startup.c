/* What comes in the shape of a startup packet: SSLRequest, GSSENCRequest, CancelRequest, or a StartupMessage.
 *
 * Failure story: a length that no startup packet has means that the other side does not speak PostgreSQL (a browser, a
 * scanner): closed without a word, as PostgreSQL does. From a well-formed packet on every refusal is a FATAL error. */
#include <errno.h>
#include <sys/socket.h>

#include "login_internal.h"
#include "pgweir/log.h"
#include "pgweir/login_counts.h"
#include "pgweir/socket.h"

enum { STARTUP_HEAD_SIZE = 8 };         /* Length and version or request code. */

static enum login_move end_quietly(struct login *login, const char *event)
{
	char address[SOCKET_ADDRESS_MAX];

	login_count_failed("08P01");
	socket_address_text(&login->address, address, sizeof(address));
	if (login->config->log_pooler_errors)
		log_warning("login failed", LOG_TEXT("address", address), LOG_TEXT("sqlstate", "08P01"), LOG_TEXT("reason", event));
	return LOGIN_END;
}

static enum login_move on_bad_length(struct login *login)
{
	return end_quietly(login, "invalid length of startup packet");
}

static enum login_move on_unsupported(struct login *login)
{
	uint32_t version = wire_u32(login->in.bytes + 4);

	return login_failf(login, "0A000", "unsupported frontend protocol %u.%u: server supports 3.0 to 3.%u", version >> 16,
		version & 0xffff, (unsigned)STARTUP_NEWEST_MINOR);
}

/* A client waits for our answer before it goes on. If there is more already, then somebody in between put it there. */
static bool is_stuffed(const struct login *login)
{
	char byte;

	return !login->conn.ssl && recv(login->conn.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static enum login_move answer_request(struct login *login, unsigned asked, char answer)
{
	if (is_stuffed(login))
		return end_quietly(login, "received unencrypted data after a request for encryption");
	login->asked |= asked;
	login_forget_input(login);
	/* A byte that the kernel does not take now would go out behind the handshake. */
	return conn_send(&login->conn, &answer, 1) && !conn_blocked(&login->conn) ? LOGIN_NEXT : LOGIN_END;
}

/* Each request may come once; a second one is, as for PostgreSQL, a protocol version that does not exist. */
static enum login_move on_ssl_request(struct login *login)
{
	bool accepted = login->tls && !login_is_local(login);

	if (login->asked & LOGIN_ASKED_SSL)
		return on_unsupported(login);
	/* "N" would have clients that only prefer TLS send everything in the clear. */
	if (!login->tls && !login_is_local(login) && login->config->client_tls.sslmode != SSLMODE_DISABLE)
		return login_failf(login, "57P03", "TLS is not ready: the secret with the passphrase of the private key has no value");
	enum login_move move = answer_request(login, LOGIN_ASKED_SSL, accepted ? 'S' : 'N');

	if (move != LOGIN_NEXT || !accepted)
		return move;
	conn_tls_accept(&login->conn, login->tls);
	login_enter(login, LOGIN_PHASE_TLS);
	return LOGIN_WAIT;
}

static enum login_move on_gssenc_request(struct login *login)
{
	if (login->asked & LOGIN_ASKED_GSSENC)
		return on_unsupported(login);
	return answer_request(login, LOGIN_ASKED_GSSENC, 'N');
}

static enum login_move on_cancel_request(struct login *login)
{
	if (!login_hand_over_cancel(login))
		return end_quietly(login, "invalid length of cancel request packet");
	return LOGIN_END;
}

static enum login_move negotiate(struct login *login)
{
	struct startup_request *request = login->request;
	struct buf message = { 0 };

	if (!request->negotiate)
		return LOGIN_NEXT;
	wire_put_negotiate(&message, request->minor, (const char *const *)request->unknown, request->unknown_count);
	enum login_move move = login_send(login, &message);

	buf_fini(&message);
	return move;
}

static enum login_move on_startup_message(struct login *login)
{
	struct error error;

	login->request = startup_request_read(login->in.bytes, login->in.size, &error);
	if (!login->request)
		return login_fail(login, &error);
	login_forget_input(login);
	if (negotiate(login) != LOGIN_NEXT)
		return LOGIN_END;
	if (!login_admit_request(login, &error))
		return login_fail(login, &error);
	return login_auth_begin(login);
}

static enum login_move (*const on_kind[])(struct login *login) = {
	[WIRE_STARTUP_BAD_LENGTH] = on_bad_length,
	[WIRE_STARTUP_SSL] = on_ssl_request,
	[WIRE_STARTUP_GSSENC] = on_gssenc_request,
	[WIRE_STARTUP_CANCEL] = on_cancel_request,
	[WIRE_STARTUP_SESSION] = on_startup_message,
	[WIRE_STARTUP_UNSUPPORTED] = on_unsupported,
};

enum login_move login_on_startup(struct login *login)
{
	size_t packet_size = STARTUP_HEAD_SIZE;
	enum wire_startup_kind kind;

	do {
		enum login_move move = login_fill(login, packet_size);

		if (move != LOGIN_NEXT)
			return move;
		kind = wire_startup_kind(login->in.bytes, login->in.size, &packet_size);
	} while (kind == WIRE_STARTUP_INCOMPLETE);
	return on_kind[kind](login);
}
