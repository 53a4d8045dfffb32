/* What is said on a new server connection: startup packet, authentication, parameters, connect_query (PostgreSQL
 * documentation, "Message Flow, Start-up").
 *
 * Failure story: the server may be anybody until it has proved otherwise, and a broken one at any time. A message
 * that is not in the table, not legal in this state, or not of a plausible length ends the attempt before any memory
 * is spent on it; so does more than LOGIN_RECEIVED_MAX before the first ReadyForQuery. What the server refuses is
 * passed on in its own words. Nothing is repeated here. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "open_internal.h"
#include "pgweir/mem.h"
#include "pgweir/tls.h"

enum {
	LOGIN_CHUNK = 8192,
	LOGIN_MESSAGE_MAX = 65536 + 4,          /* Length word included; also holds for a row of connect_query. */
	LOGIN_RECEIVED_MAX = 1 << 20,
};

/* What is left to ordinary roles. reserved_connections is new in version 16. Says nothing that a search_path could bend. */
static const char allowed_sql[] =
	"SELECT pg_catalog.current_setting('max_connections')::pg_catalog.int4"
	" OPERATOR(pg_catalog.-) pg_catalog.current_setting('superuser_reserved_connections')::pg_catalog.int4"
	" OPERATOR(pg_catalog.-) COALESCE(pg_catalog.current_setting('reserved_connections', true)::pg_catalog.int4, 0)";

/* Takes a body. False: the attempt is gone, or starts anew. */
typedef bool take_fn(struct attempt *attempt, const char *body, size_t size);

static take_fn take_authentication, take_negotiate, take_error, take_parameter, take_key, take_ready, take_allowed, ignore;

#define BIT(state) (1u << (state))
#define IN_AUTH BIT(ATTEMPT_AUTH)
#define IN_PARAMS BIT(ATTEMPT_PARAMS)
#define IN_QUERY BIT(ATTEMPT_CONNECT_QUERY)
#define IN_ALLOWED BIT(ATTEMPT_ALLOWED)
#define IN_ALL (IN_AUTH | IN_PARAMS | IN_ALLOWED | IN_QUERY)

static const struct message {
	char type;
	unsigned states;                        /* Where it is legal. */
	uint32_t least, most;                   /* Size of its body. */
	take_fn *take;
} messages[] = {
	{ 'R', IN_AUTH, 4, LOGIN_MESSAGE_MAX - 4, take_authentication },
	{ 'v', IN_AUTH | IN_PARAMS, 8, 4096, take_negotiate },
	{ 'E', IN_AUTH | IN_PARAMS | IN_QUERY, 1, 30000, take_error },
	/* A server that minds the question is none the worse for it. */
	{ 'E', IN_ALLOWED, 1, 30000, ignore },
	{ 'N', IN_ALL, 1, 30000, ignore },
	{ 'S', IN_PARAMS | IN_ALLOWED | IN_QUERY, 2, LOGIN_MESSAGE_MAX - 4, take_parameter },
	{ 'K', IN_PARAMS, 8, 4 + WIRE_CANCEL_KEY_MAX, take_key },
	{ 'Z', IN_PARAMS | IN_ALLOWED | IN_QUERY, 1, 1, take_ready },
	/* Results. */
	{ 'T', IN_ALLOWED | IN_QUERY, 2, LOGIN_MESSAGE_MAX - 4, ignore },
	{ 'D', IN_ALLOWED, 2, LOGIN_MESSAGE_MAX - 4, take_allowed },
	{ 'D', IN_QUERY, 2, LOGIN_MESSAGE_MAX - 4, ignore },
	{ 'C', IN_ALLOWED | IN_QUERY, 1, 1024, ignore },
	{ 'I', IN_QUERY, 0, 0, ignore },
	{ 'A', IN_QUERY, 6, LOGIN_MESSAGE_MAX - 4, ignore },
};

static bool unexpected(struct attempt *attempt)
{
	struct error error;

	error_set(&error, "08P01", "unexpected message from server during login");
	attempt_fail(attempt, &error);
	return false;
}

static bool lost(struct attempt *attempt, const char *why)
{
	struct error error;

	error_set(&error, "08006", "%s", why);
	attempt_fail(attempt, &error);
	return false;
}

static bool send_all(struct attempt *attempt, const struct buf *out)
{
	return conn_send(&attempt->conn, out->bytes, out->size) || lost(attempt, strerror(errno));
}

/* --- The startup packet --- */

static void put_pair(struct buf *out, const char *name, const char *value)
{
	buf_append_cstring(out, name);
	buf_append_cstring(out, value);
}

/* A setting's, for which PostgreSQL takes a name in capitals; in small letters it would be an option of the protocol. */
static void put_setting(struct buf *out, const struct state_pair *pair)
{
	static const char own[] = "_pq_.", capital[] = "_PQ_.";
	size_t size = sizeof(own) - 1;

	if (strncmp(pair->name, own, size) == 0) {
		buf_append(out, capital, size);
		put_pair(out, pair->name + size, pair->value);
		return;
	}
	put_pair(out, pair->name, pair->value);
}

/* The role to take as soon as the login is done, or NULL. Given at startup, so that RESET ROLE and DISCARD ALL lead there. */
static const char *role_to_take(const struct attempt *attempt)
{
	const struct server_target *target = attempt->target;
	bool other = target->replication || attempt->refused_role || state_get(target->login_state, "role");

	return other ? NULL : target->credentials->acts_as;
}

static void make_startup(const struct attempt *attempt, struct buf *out)
{
	const struct server_target *target = attempt->target;
	const struct state_pair *pairs = state_pairs(target->login_state);
	const char *application_name = target->config->application_name;

	buf_append_u32(out, 0);
	buf_append_u32(out, WIRE_PROTOCOL(3, 0));
	put_pair(out, "user", target->credentials->user);
	put_pair(out, "database", target->dbname);
	if (target->replication)
		put_pair(out, "replication", target->replication);
	if (application_name && application_name[0] && !state_get(target->login_state, "application_name"))
		put_pair(out, "application_name", application_name);
	if (role_to_take(attempt))
		put_pair(out, "role", role_to_take(attempt));
	for (size_t i = 0; i < state_count(target->login_state); i++)
		put_setting(out, &pairs[i]);
	buf_append_char(out, '\0');
	wire_put_u32(out->bytes, (uint32_t)out->size);
}

static bool send_startup(struct attempt *attempt)
{
	struct buf out = { 0 };
	struct error error;
	bool good;

	make_startup(attempt, &out);
	if (out.size > WIRE_STARTUP_MAX) {
		error_set(&error, "08P01", "the startup packet would have %zu bytes, servers take %d", out.size,
			WIRE_STARTUP_MAX);
		attempt_fail(attempt, &error);
		good = false;
	} else {
		good = send_all(attempt, &out);
	}
	buf_fini(&out);
	return good;
}

/* --- Authentication --- */

static bool send_answer(struct attempt *attempt, const struct buf *body)
{
	struct buf out = { 0 };
	size_t begun = wire_begin(&out, 'p');

	buf_append(&out, body->bytes, body->size);
	wire_end(&out, begun);
	bool good = send_all(attempt, &out);

	buf_fini_secret(&out);
	return good;
}

static bool take_authentication(struct attempt *attempt, const char *body, size_t size)
{
	struct buf answer = { 0 };
	struct error error = { 0 };
	bool good = true;

	switch (server_auth_message(attempt->auth, wire_u32(body), body + 4, size - 4, &answer, &error)) {
	case SERVER_AUTH_SEND:
		good = send_answer(attempt, &answer);
		break;
	case SERVER_AUTH_QUIET:
		break;
	case SERVER_AUTH_OK:
		attempt_secret_worked(attempt);
		attempt_enter(attempt, ATTEMPT_PARAMS);
		break;
	case SERVER_AUTH_FAILED:
		attempt_auth_failed(attempt, &error);
		good = false;
		break;
	}
	buf_fini_secret(&answer);
	return good;
}

/* We ask for 3.0 and no options of the protocol, so there is nothing to take back. */
static bool take_negotiate(struct attempt *attempt, const char *body, size_t size)
{
	(void)size;
	return wire_u32(body) >> 16 <= 3 || unexpected(attempt);
}

static bool take_error(struct attempt *attempt, const char *body, size_t size)
{
	attempt_refused(attempt, body, size);
	return false;
}

static bool ignore(struct attempt *attempt, const char *body, size_t size)
{
	(void)attempt;
	(void)body;
	(void)size;
	return true;
}

/* --- After AuthenticationOk --- */

static bool take_parameter(struct attempt *attempt, const char *body, size_t size)
{
	const char *name_end = memchr(body, '\0', size);
	const char *value = name_end ? name_end + 1 : body;

	if (!name_end || value == body + size || memchr(value, '\0', (size_t)(body + size - value)) != body + size - 1)
		return unexpected(attempt);
	/* To clients two users that take turns are one. */
	if (attempt->server->acts_as && strcmp(body, "session_authorization") == 0)
		value = attempt->server->acts_as;
	parameters_set(&attempt->server->parameters, body, value);
	return true;
}

static bool take_key(struct attempt *attempt, const char *body, size_t size)
{
	struct server *server = attempt->server;

	server->pid = wire_u32(body);
	server->key_size = (uint16_t)(size - 4);
	memcpy(server->key, body + 4, size - 4);
	return true;
}

/* A row with one column: a number. Anything else is no answer. */
static bool take_allowed(struct attempt *attempt, const char *body, size_t size)
{
	char text[12] = "";

	if (size < 6 || body[0] != 0 || body[1] != 1 || wire_u32(body + 2) != size - 6 || size - 6 >= sizeof(text))
		return true;
	memcpy(text, body + 6, size - 6);
	long allowed = strtol(text, NULL, 10);

	attempt->server->allowed = allowed > 0 && allowed <= INT_MAX ? (int)allowed : 0;
	return true;
}

static bool send_query(struct attempt *attempt, enum attempt_state state, const char *sql)
{
	struct buf out = { 0 };

	attempt_enter(attempt, state);
	wire_put_query(&out, sql);
	bool good = send_all(attempt, &out);

	buf_fini(&out);
	return good;
}

static bool take_ready(struct attempt *attempt, const char *body, size_t size)
{
	const char *connect_query = attempt->target->database->connect_query;
	/* A walsender that is not connected to a database knows no SQL. */
	bool wanted = connect_query && connect_query[0]
		&& !(attempt->target->replication && strcmp(attempt->target->replication, "database") != 0);
	struct error error;

	(void)size;
	if (body[0] != 'I' && attempt->state == ATTEMPT_CONNECT_QUERY) {
		error_set(&error, "25001", "connect_query leaves a transaction open");
		attempt_fail(attempt, &error);
		return false;
	}
	if (body[0] != 'I')
		return unexpected(attempt);
	if (attempt->target->asks_allowed && attempt->state == ATTEMPT_PARAMS)
		return send_query(attempt, ATTEMPT_ALLOWED, allowed_sql);
	if (wanted && attempt->state != ATTEMPT_CONNECT_QUERY)
		return send_query(attempt, ATTEMPT_CONNECT_QUERY, connect_query);
	attempt_enter(attempt, ATTEMPT_READY);
	return true;
}

/* --- Receiving --- */

static const struct message *find_message(const struct attempt *attempt, char type)
{
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		if (messages[i].type == type && messages[i].states & BIT(attempt->state))
			return &messages[i];
	return NULL;
}

/* Takes each whole message. False: the attempt is gone, or starts anew. */
static bool walk(struct attempt *attempt)
{
	struct buf *in = &attempt->in;
	size_t at = 0;

	while (attempt->state != ATTEMPT_READY && in->size - at >= WIRE_HEADER_SIZE) {
		const char *header = in->bytes + at;
		const struct message *message = find_message(attempt, header[0]);
		uint32_t length = wire_u32(header + 1);

		if (!message || length < 4 + message->least || length > 4 + message->most)
			return unexpected(attempt);
		size_t size = wire_message_size(header);

		if (in->size - at < size)
			break;
		if (!message->take(attempt, header + WIRE_HEADER_SIZE, size - WIRE_HEADER_SIZE))
			return false;
		at += size;
	}
	buf_drop_front(in, at);
	return true;
}

static bool receive(struct attempt *attempt)
{
	ssize_t got = conn_recv(&attempt->conn, buf_reserve(&attempt->in, LOGIN_CHUNK), LOGIN_CHUNK);

	if (got == CONN_AGAIN)
		return true;
	if (got == CONN_FAILED && errno)
		return lost(attempt, strerror(errno));
	if (got <= 0)
		return lost(attempt, "server closed the connection unexpectedly");
	attempt->in.size += (size_t)got;
	attempt->received += (size_t)got;
	/* connect_query's results are not kept and may be long. */
	if (attempt->received > LOGIN_RECEIVED_MAX && attempt->state != ATTEMPT_CONNECT_QUERY)
		return unexpected(attempt);
	return true;
}

static void ready(unsigned what, void *arg)
{
	struct attempt *attempt = arg;

	if (what & LOOP_WRITE && !conn_flush(&attempt->conn)) {
		lost(attempt, strerror(errno));
		return;
	}
	if (!(what & (LOOP_READ | LOOP_CLOSED)))
		return;
	if (!receive(attempt) || !walk(attempt))
		return;
	if (attempt->state == ATTEMPT_READY) {
		attempt_succeed(attempt);
		return;
	}
	conn_want_read(&attempt->conn, true);   /* TLS may hold more. */
}

static struct server *new_server(struct attempt *attempt)
{
	const struct resolver_answer *addresses = &attempt->addresses;
	struct server *server = NEW(struct server);

	conn_init(&server->conn, -1);
	server->target = server_target_ref(attempt->target);
	server->address = addresses->addresses[attempt->address];
	server->address_size = addresses->sizes[attempt->address];
	server->tls = attempt->tls;
	server->acts_as = role_to_take(attempt);
	return server;
}

void login_start_on(struct attempt *attempt)
{
	unsigned char binding[TLS_BINDING_MAX];
	size_t binding_size = tls_channel_binding(&attempt->conn, false, binding);
	bool local = attempt->addresses.addresses[attempt->address].ss_family == AF_UNIX;

	attempt->server = new_server(attempt);
	/* Nobody listens in on a Unix socket. */
	attempt->auth = server_auth_new(attempt->target->credentials, attempt->tls, binding, binding_size,
		local || attempt->target->config->auth_plain_without_tls);
	conn_attach(&attempt->conn, attempt->work.loop, ready, attempt);
	send_startup(attempt);
}
