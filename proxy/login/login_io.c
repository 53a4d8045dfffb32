/* Bytes in and out of a login, and how it fails.
 *
 * Failure story: a client that goes away ends the login without a word. Everything else that is wrong passes through
 * login_fail(): one log line, an ErrorResponse where the client would understand it, then a while for the client to
 * read that, since closing a socket with unread input in it makes the kernel throw away what was sent. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "login_internal.h"
#include "pgweir/log.h"
#include "pgweir/login_counts.h"
#include "pgweir/mem.h"
#include "pgweir/socket.h"

enum {
	READ_STEP = 2048,               /* A claimed length costs memory only as its bytes arrive. */
	LINGER_MS = 2000,
	LINGER_BYTES_MAX = 256 * 1024,
};

/* As buf_reserve(), but what moves leaves nothing behind. */
static char *reserve_secret(struct buf *buf, size_t more)
{
	if (buf->capacity - buf->size >= more)
		return buf->bytes + buf->size;
	struct buf larger = { 0 };

	buf_reserve(&larger, buf->size + more);
	buf_append(&larger, buf->bytes, buf->size);
	buf_fini_secret(buf);
	*buf = larger;
	return buf->bytes + buf->size;
}

enum login_move login_fill(struct login *login, size_t size)
{
	struct buf *in = &login->in;

	while (in->size < size) {
		size_t wanted = size - in->size < READ_STEP ? size - in->size : READ_STEP;
		ssize_t got = conn_recv(&login->conn, reserve_secret(in, wanted), wanted);

		if (got == CONN_AGAIN)
			return LOGIN_WAIT;
		if (got <= 0)
			return LOGIN_END;
		in->size += (size_t)got;
	}
	return LOGIN_NEXT;
}

void login_forget_input(struct login *login)
{
	buf_fini_secret(&login->in);
}

enum login_move login_send(struct login *login, const struct buf *message)
{
	return conn_send(&login->conn, message->bytes, message->size) ? LOGIN_NEXT : LOGIN_END;
}

static void note_failure(const struct login *login, const struct error *error)
{
	const struct startup_request *request = login->request;
	const struct authenticator *tried = login->authenticator;
	char address[SOCKET_ADDRESS_MAX];

	login_count_failed(error->sqlstate);
	if (!login->config->log_pooler_errors)
		return;
	socket_address_text(&login->address, address, sizeof(address));
	log_warning("login failed", LOG_TEXT("database", request ? request->database : NULL),
		LOG_TEXT("user", request ? request->user : NULL), LOG_TEXT("address", address),
		LOG_TEXT("phase", login_phase_name(login->phase)), LOG_TEXT("method", tried ? authenticator_method(tried) : NULL),
		LOG_TEXT("sqlstate", error->sqlstate), LOG_TEXT("reason", error->text),
		LOG_TEXT("detail", tried ? authenticator_refusal(tried) : NULL));
}

static bool send_error(struct login *login, const struct error *error)
{
	struct wire_error fatal = {
		.severity = "FATAL", .sqlstate = error->sqlstate, .message = error->text, .hint = error->hint,
	};
	struct buf message = { 0 };

	wire_put_error(&message, &fatal);
	bool sent = conn_send(&login->conn, message.bytes, message.size);

	buf_fini(&message);
	return sent;
}

void login_say(struct login *login, const struct error *error)
{
	if (!login_phase_speaks(login->phase))
		return;
	note_failure(login, error);
	if (send_error(login, error))
		conn_shutdown(&login->conn);
}

enum login_move login_fail(struct login *login, const struct error *error)
{
	note_failure(login, error);
	/* Before the client knows: when it tries again at once, its place is free. */
	client_slot_release(&login->slot);
	if (!login_phase_speaks(login->phase) || !send_error(login, error))
		return LOGIN_END;
	login_forget_input(login);
	/* Not sooner: `error` may be its own. */
	authenticator_free(&login->authenticator);
	login->linger_left = LINGER_BYTES_MAX;
	login_enter(login, LOGIN_PHASE_LINGER);
	loop_timer_start(&login->timer, LINGER_MS);
	if (!conn_blocked(&login->conn))
		conn_shutdown(&login->conn);
	conn_want_read(&login->conn, true);
	return LOGIN_NEXT;
}

enum login_move login_failf(struct login *login, const char *sqlstate, const char *format, ...)
{
	struct error error = { .hint = NULL };
	va_list args;

	va_start(args, format);
	vsnprintf(error.text, sizeof(error.text), format, args);
	va_end(args);
	snprintf(error.sqlstate, sizeof(error.sqlstate), "%s", sqlstate);
	return login_fail(login, &error);
}

enum login_move login_linger(struct login *login)
{
	char dropped[1024];
	ssize_t got;

	for (;;) {
		got = conn_recv(&login->conn, dropped, sizeof(dropped));
		if (got == CONN_AGAIN)
			return LOGIN_WAIT;
		if (got <= 0 || (size_t)got > login->linger_left)
			return LOGIN_END;
		login->linger_left -= (size_t)got;
	}
}
