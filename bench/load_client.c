#include "load_client.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void watch(struct client *client, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = client };

	if (client->watched == events)
		return;
	epoll_ctl(client->home->epoll_fd, client->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, client->conn.fd, &event);
	client->watched = events;
}

static void close_client(struct client *client)
{
	bool left = client->state == CLIENT_LEAVING;

	conn_close(&client->conn);
	bytes_consume(&client->in, bytes_length(&client->in));
	bytes_consume(&client->out, bytes_length(&client->out));
	client->state = CLIENT_CLOSED;
	client->watched = 0;
	if (!left)
		client->home->errors++;
	client->home->callbacks->closed_cb(client, left);
}

static void tell_once(const char *what, const char *text)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&told))
		fprintf(stderr, "bench_load: %s: %s\n", what, text);
}

static void fail(struct client *client, const char *why)
{
	if (client->state != CLIENT_LEAVING)
		tell_once("connection lost", why);
	close_client(client);
}

static void flush_out(struct client *client)
{
	switch (conn_send(&client->conn, &client->out)) {
	case CONN_OK:
	case CONN_WANTS_READ:
		watch(client, EPOLLIN);
		return;
	case CONN_WANTS_WRITE:
		watch(client, EPOLLIN | EPOLLOUT);
		return;
	default:
		/* Whatever the other side still said (an ErrorResponse, perhaps) is read first: the next receive
		 * reports the end. */
		bytes_consume(&client->out, bytes_length(&client->out));
		watch(client, EPOLLIN);
	}
}

void client_init(struct client *client, struct client_home *home, unsigned number)
{
	*client = (struct client){ .home = home, .conn.fd = -1, .number = number };
	client->auth.user = home->options->user;
	client->auth.password = home->options->password;
	client->auth.cache = &home->auth_cache;
}

void client_open(struct client *client)
{
	client->conn.fd = conn_connect(client->home->options->host, client->home->options->port);
	client->state = CLIENT_CONNECTING;
	if (client->conn.fd < 0) {
		fail(client, "connect");
		return;
	}
	watch(client, EPOLLOUT);
}

static void append_state(struct client *client)
{
	const struct load_options *options = client->home->options;
	bool varies = options->vary_app_name || options->vary_state;
	const struct load_state *state = &load_states[varies ? client->number % 2 : 0];

	bytes_append_string(&client->out, "application_name");
	bytes_append_string(&client->out, state->application_name);
	if (!options->vary_state)
		return;
	bytes_append_string(&client->out, "search_path");
	bytes_append_string(&client->out, state->search_path);
	bytes_append_string(&client->out, "timezone");
	bytes_append_string(&client->out, state->timezone);
}

static void send_startup(struct client *client)
{
	const struct load_options *options = client->home->options;
	size_t begun_at = wire_begin(&client->out, 0);

	bytes_append_u32(&client->out, WIRE_PROTOCOL_3);
	bytes_append_string(&client->out, "user");
	bytes_append_string(&client->out, options->user);
	bytes_append_string(&client->out, "database");
	bytes_append_string(&client->out, options->dbname);
	append_state(client);
	bytes_append_string(&client->out, "");
	wire_end(&client->out, begun_at);
	client->state = CLIENT_LOGIN;
	flush_out(client);
}

static void on_connecting(struct client *client)
{
	int failure = 0;
	socklen_t length = sizeof(failure);
	size_t begun_at;

	if (getsockopt(client->conn.fd, SOL_SOCKET, SO_ERROR, &failure, &length) != 0 || failure != 0) {
		fail(client, strerror(failure));
		return;
	}
	if (!client->home->tls_context) {
		send_startup(client);
		return;
	}
	begun_at = wire_begin(&client->out, 0);
	bytes_append_u32(&client->out, WIRE_SSL_REQUEST);
	wire_end(&client->out, begun_at);
	client->state = CLIENT_TLS_ANSWER;
	flush_out(client);
}

static void on_handshake(struct client *client)
{
	switch (conn_handshake(&client->conn, false)) {
	case CONN_OK:
		send_startup(client);
		return;
	case CONN_WANTS_READ:
		watch(client, EPOLLIN);
		return;
	case CONN_WANTS_WRITE:
		watch(client, EPOLLOUT);
		return;
	default:
		fail(client, "the TLS handshake");
	}
}

static void on_tls_answer(struct client *client)
{
	char answer;

	/* One byte only: what follows belongs to TLS. */
	if (recv(client->conn.fd, &answer, 1, 0) != 1 || answer != 'S' ||
	    !conn_start_tls(&client->conn, client->home->tls_context)) {
		fail(client, "the server offers no TLS");
		return;
	}
	client->state = CLIENT_HANDSHAKE;
	on_handshake(client);
}

static void on_authentication(struct client *client, const struct wire_message *message)
{
	if (auth_answer(&client->auth, message, &client->out) == AUTH_FAILED) {
		fail(client, "authentication");
		return;
	}
	if (bytes_length(&client->out) > 0)
		flush_out(client);
}

/* Fields of a letter and a string each; `M` is the message proper. */
static void on_error_response(struct client *client, const struct wire_message *message)
{
	size_t offset = 0;
	const char *field;

	client->home->errors++;
	while ((field = wire_string_at(message, &offset)) && *field)
		if (*field == 'M')
			tell_once("ErrorResponse", field + 1);
}

static void on_ready_for_query(struct client *client, const struct wire_message *message)
{
	(void)message;
	if (client->awaited > 1) {
		client->awaited--;
		return;
	}
	client->state = CLIENT_READY;
	client->home->callbacks->ready_cb(client);
}

static void on_ignored(struct client *client, const struct wire_message *message)
{
	(void)client;
	(void)message;
}

typedef void message_handler(struct client *client, const struct wire_message *message);

static message_handler *const handlers[256] = {
	['R'] = on_authentication,
	['E'] = on_error_response,
	['Z'] = on_ready_for_query,
	['S'] = on_ignored, ['K'] = on_ignored, ['N'] = on_ignored, ['v'] = on_ignored, ['A'] = on_ignored,
	['1'] = on_ignored, ['2'] = on_ignored, ['3'] = on_ignored, ['t'] = on_ignored, ['n'] = on_ignored,
	['T'] = on_ignored, ['D'] = on_ignored, ['C'] = on_ignored, ['I'] = on_ignored,
};

static void handle_input(struct client *client)
{
	while (client->state >= CLIENT_LOGIN) {
		struct wire_message message;
		enum wire_outcome outcome = wire_peek(&client->in, &message);
		message_handler *handler;

		if (outcome == WIRE_INCOMPLETE)
			return;
		handler = outcome == WIRE_COMPLETE ? handlers[(uint8_t)message.type] : NULL;
		if (!handler) {
			fail(client, "a message that has no place here");
			return;
		}
		/* Consumed first: the handler may send or close. The body stays where it is meanwhile, since
		 * only a receive writes there. */
		wire_consume(&client->in, &message);
		handler(client, &message);
	}
}

static void on_input(struct client *client)
{
	enum conn_outcome outcome = conn_receive(&client->conn, &client->in);

	handle_input(client);
	if (outcome != CONN_ENDED && outcome != CONN_BROKEN)
		return;
	/* A handler may have closed this connection already. */
	if (client->state >= CLIENT_LOGIN)
		fail(client, outcome == CONN_ENDED ? "closed by the other side" : "reset");
}

typedef void state_handler(struct client *client);

static state_handler *const on_state[] = {
	[CLIENT_CONNECTING] = on_connecting,
	[CLIENT_TLS_ANSWER] = on_tls_answer,
	[CLIENT_HANDSHAKE] = on_handshake,
	[CLIENT_LOGIN] = on_input,
	[CLIENT_READY] = on_input,
	[CLIENT_BUSY] = on_input,
	[CLIENT_LEAVING] = on_input,
};

void client_on_event(struct client *client, uint32_t events)
{
	if (client->state == CLIENT_CLOSED)
		return;
	if ((events & EPOLLOUT) && client->state >= CLIENT_LOGIN)
		flush_out(client);
	if ((events & ~(uint32_t)EPOLLOUT) || client->state < CLIENT_LOGIN)
		on_state[client->state](client);
}

void client_send(struct client *client, const struct bytes *packet, unsigned answers)
{
	client->state = CLIENT_BUSY;
	client->awaited = answers;
	bytes_append(&client->out, bytes_data(packet), bytes_length(packet));
	flush_out(client);
}

void client_leave(struct client *client)
{
	wire_empty_message(&client->out, 'X');
	client->state = CLIENT_LEAVING;
	flush_out(client);
}

void client_fini(struct client *client)
{
	conn_close(&client->conn);
	bytes_free(&client->in);
	bytes_free(&client->out);
	client->state = CLIENT_CLOSED;
}
