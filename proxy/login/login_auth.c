/* Carries the messages of an authentication between the client and its authenticator.
 *
 * Failure story: a denial is the authenticator's own SQLSTATE and text. A message that is not a password message, or is
 * longer than one can be, ends the login before its body is read. While the authenticator waits for a server, a client
 * that goes away is noticed, and one that talks is not listened to. */
#include <string.h>
#include <sys/socket.h>

#include "login_internal.h"
#include "pgweir/credentials.h"
#include "pgweir/mem.h"

/* Clients of databases that do not exist are authenticated all the same, so that names cannot be found by trying. */
static const struct config_database unknown_database = {
	.name = (char[]){ "" },
	.pool_mode = CONFIG_INHERIT,
	.pool_size = CONFIG_INHERIT,
	.min_pool_size = CONFIG_INHERIT,
	.reserve_pool_size = CONFIG_INHERIT,
	.max_db_connections = CONFIG_INHERIT,
	.max_db_client_connections = CONFIG_INHERIT,
};

static uid_t peer_uid(const struct login *login)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (!login_is_local(login) || getsockopt(login->conn.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return (uid_t)-1;
	return peer.uid;
}

static void resumed(enum auth_step step, void *arg);

static void make_authenticator(struct login *login)
{
	const struct startup_request *request = login->request;
	unsigned char binding[TLS_BINDING_MAX];
	char common_name[256];
	struct auth_request wanted = {
		.config = login->config,
		.database = login->database,
		.database_name = request->database,
		.user = request->user,
		.replication = request->replication && strcmp(request->replication, "true") == 0,
		.address = &login->address,
		.peer_uid = peer_uid(login),
		.tls = login->conn.ssl != NULL,
		.binding = binding,
		.binding_size = tls_channel_binding(&login->conn, true, binding),
	};

	if (tls_peer_common_name(&login->conn, common_name, sizeof(common_name)))
		wanted.common_name = common_name;
	login->authenticator = authenticator_new(&wanted, login->conn.io.loop, resumed, login);
}

static enum login_move send_challenge(struct login *login)
{
	const struct buf *body = authenticator_body(login->authenticator);
	struct buf message = { 0 };

	wire_put_authentication(&message, authenticator_code(login->authenticator), body->bytes, body->size);
	enum login_move move = login_send(login, &message);

	buf_fini_secret(&message);
	return move;
}

static enum login_move on_challenge(struct login *login)
{
	if (login->phase != LOGIN_PHASE_AUTH)
		login_enter(login, LOGIN_PHASE_AUTH);
	conn_want_read(&login->conn, true);
	return send_challenge(login);
}

/* From here on a provisioned user is called as its section is, whichever of its names the client knows. */
static void take_alias(struct login *login)
{
	const struct config_user *section = credentials_find_user(login->config, login->request->user);

	if (!section || strcmp(section->name, login->request->user) == 0)
		return;
	mem_free(login->request->user);
	login->request->user = mem_strdup(section->name);
}

static enum login_move on_granted(struct login *login)
{
	struct error error;

	take_alias(login);
	if (!login_admit_user(login, &error))
		return login_fail(login, &error);
	/* The console puts no settings in force that could be wrong before. */
	if (!login->database && login->request->refusal)
		return login_fail(login, login->request->refusal);
	if (authenticator_code(login->authenticator) != 0 && send_challenge(login) != LOGIN_NEXT)
		return LOGIN_END;
	struct credentials *proved = authenticator_take_proved(login->authenticator);

	login_hand_over_session(login, proved);
	credentials_unref(&proved);
	return LOGIN_END;
}

static enum login_move on_denied(struct login *login)
{
	return login_fail(login, authenticator_error(login->authenticator));
}

static enum login_move on_waiting(struct login *login)
{
	login_enter(login, LOGIN_PHASE_AUTH_WAITING);
	return LOGIN_NEXT;
}

static enum login_move (*const on_step[])(struct login *login) = {
	[AUTH_CHALLENGE] = on_challenge,
	[AUTH_GRANTED] = on_granted,
	[AUTH_DENIED] = on_denied,
	[AUTH_WAITING] = on_waiting,
};

static void resumed(enum auth_step step, void *arg)
{
	struct login *login = arg;

	CHECK(step != AUTH_WAITING && login->phase == LOGIN_PHASE_AUTH_WAITING);
	login_continue(login, on_step[step](login));
}

enum login_move login_auth_begin(struct login *login)
{
	const char *name = login->request->database;

	if (!login_is_admin_database(name)) {
		login->database = login_find_database(login);
		if (!login->database)
			login->database = &unknown_database;
	}
	make_authenticator(login);
	return on_step[authenticator_start(login->authenticator)](login);
}

/* The head of the message decides before its body is taken in. */
static enum login_move check_head(struct login *login, size_t *message_size)
{
	const char *head = login->in.bytes;
	uint32_t length = wire_u32(head + 1);

	if (head[0] == 'X')
		return LOGIN_END;
	if (head[0] != 'p')
		return login_failf(login, "08P01", "expected password response, got message type %d", head[0]);
	if (length < 4 || length > WIRE_AUTH_MAX)
		return login_failf(login, "08P01", "invalid message length");
	*message_size = wire_message_size(head);
	return LOGIN_NEXT;
}

enum login_move login_on_auth(struct login *login)
{
	size_t message_size = 0;
	enum login_move move = login_fill(login, WIRE_HEADER_SIZE);

	if (move == LOGIN_NEXT)
		move = check_head(login, &message_size);
	if (move != LOGIN_NEXT || login->phase != LOGIN_PHASE_AUTH)
		return move;
	move = login_fill(login, message_size);
	if (move != LOGIN_NEXT)
		return move;
	enum auth_step step = authenticator_answer(login->authenticator, login->in.bytes + WIRE_HEADER_SIZE,
		message_size - WIRE_HEADER_SIZE);

	login_forget_input(login);
	return on_step[step](login);
}

/* Reads what is at most the head of the next message, to find out whether the client is still there. Once there are
 * bytes it was, and reading stops until they are wanted: the rest is held back by the kernel. */
enum login_move login_on_auth_waiting(struct login *login)
{
	enum login_move move = login_fill(login, WIRE_HEADER_SIZE);

	if (move == LOGIN_END)
		return LOGIN_END;
	if (login->in.size)
		conn_want_read(&login->conn, false);
	return LOGIN_WAIT;
}
