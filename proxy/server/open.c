/* Opening a server connection, up to where the login starts (open_login.c): from the request to the answer. The way there is
 * in open_dial.c.
 *
 * Failure story: an attempt ends once, in attempt_end(), with a connection or with an error, and then posts its reply.
 *  - A wrong password is not tried again: it would be counted twice against whoever guards it. What a [secret] says may be
 *    about to change, or not be in force yet: its other value gets a try (open_secret.c).
 *  - server_connect_timeout ends it wherever it is.
 *  - A lookup cannot be called off: an attempt that ends during one stays until the resolver has answered.
 *  - When the login threads stop, attempts are freed and nobody is told. A reply to a loop that is gone by then is
 *    freed with the connection in it. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "open_internal.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/socket.h"

#define BIT(state) (1u << (state))

static const struct {
	const char *doing;
	unsigned from;                  /* Where it is entered from, as bits. */
} states[] = {
	[ATTEMPT_QUEUED] = { "waiting for a login thread", 0 },
	[ATTEMPT_WAIT] = { "waiting for what to log in with", BIT(ATTEMPT_QUEUED) | BIT(ATTEMPT_WAIT) | BIT(ATTEMPT_AUTH) },
	[ATTEMPT_RESOLVE] = { "looking up the name", BIT(ATTEMPT_QUEUED) | BIT(ATTEMPT_WAIT) },
	[ATTEMPT_DIAL] = { "connecting",
		BIT(ATTEMPT_RESOLVE) | BIT(ATTEMPT_DIAL) | BIT(ATTEMPT_AUTH) | BIT(ATTEMPT_PARAMS) | BIT(ATTEMPT_TURN)
			| BIT(ATTEMPT_WAIT) },
	[ATTEMPT_AUTH] = { "authenticating", BIT(ATTEMPT_DIAL) },
	[ATTEMPT_PARAMS] = { "waiting for ReadyForQuery", BIT(ATTEMPT_AUTH) },
	[ATTEMPT_ALLOWED] = { "asking for max_connections", BIT(ATTEMPT_PARAMS) },
	[ATTEMPT_CONNECT_QUERY] = { "running connect_query", BIT(ATTEMPT_PARAMS) | BIT(ATTEMPT_ALLOWED) },
	[ATTEMPT_TURN] = { "waiting for what another login with the secret comes to",
		BIT(ATTEMPT_RESOLVE) | BIT(ATTEMPT_AUTH) | BIT(ATTEMPT_REREAD) },
	[ATTEMPT_REREAD] = { "reading the secret again", BIT(ATTEMPT_TURN) },
	[ATTEMPT_READY] = { "ready", BIT(ATTEMPT_PARAMS) | BIT(ATTEMPT_ALLOWED) | BIT(ATTEMPT_CONNECT_QUERY) },
	[ATTEMPT_ABANDONED] = { "abandoned", BIT(ATTEMPT_RESOLVE) },
};

void attempt_enter(struct attempt *attempt, enum attempt_state state)
{
	CHECK(states[state].from & BIT(attempt->state));
	attempt->state = state;
}

/* --- The end of an attempt --- */

static void free_reply(struct loop_letter *letter)
{
	struct reply *reply = CONTAINER_OF(letter, struct reply, letter);

	server_free(&reply->opened.server);
	buf_fini(&reply->opened.error_body);
	mem_free(reply);
}

static void deliver(struct loop_letter *letter)
{
	struct reply *reply = CONTAINER_OF(letter, struct reply, letter);

	reply->callback(&reply->opened, reply->arg);
	reply->opened.server = NULL;    /* The callee's. */
	free_reply(letter);
}

/* Posts it, or frees it where nobody is to be told. */
static void part_with_reply(struct reply *reply, bool post)
{
	if (post) {
		loop_post_and_unref(reply->loop, &reply->letter);
		return;
	}
	loop_unref(reply->loop);
	free_reply(&reply->letter);
}

void attempt_close_login(struct attempt *attempt)
{
	reread_cancel(&attempt->reread);
	token_cancel(&attempt->token);
	dial_close(&attempt->dial);
	conn_close(&attempt->conn);
	server_auth_free(&attempt->auth);
	buf_fini(&attempt->in);
	server_free(&attempt->server);
	attempt->received = 0;
}

static void free_attempt(struct attempt *attempt)
{
	if (attempt->reply)
		part_with_reply(attempt->reply, false);
	server_target_unref(&attempt->target);
	mem_free(attempt->token_secret);
	mem_free(attempt);
}

/* Closes what is not in the reply, posts that, and frees the attempt as soon as nobody refers to it. */
void attempt_end(struct attempt *attempt)
{
	const struct config_host *host = attempt->target->host;
	struct reply *reply = attempt->reply;

	log_debug(reply->opened.server ? "server login done" : "server login failed",
		LOG_TEXT("host", host->host), LOG_INT("port", host->port), LOG_TEXT("database", attempt->target->dbname),
		LOG_TEXT("user", attempt->target->credentials->user),
		LOG_INT("us", clock_now_us() - attempt->started_us), LOG_TEXT("sqlstate", reply->opened.error.sqlstate),
		LOG_TEXT("error", reply->opened.server ? NULL : reply->opened.error.text));
	loop_timer_stop(&attempt->timer);
	loop_timer_stop(&attempt->address_timer);
	attempt_close_login(attempt);
	attempt_secret_ended(attempt);
	attempt->reply = NULL;
	if (attempt->state == ATTEMPT_RESOLVE) {
		attempt_enter(attempt, ATTEMPT_ABANDONED);
	} else {
		login_work_end(&attempt->work);
		free_attempt(attempt);
	}
	part_with_reply(reply, true);
}

static void drop(struct login_work *work)
{
	struct attempt *attempt = CONTAINER_OF(work, struct attempt, work);

	if (attempt->state != ATTEMPT_QUEUED) {
		loop_timer_stop(&attempt->timer);
		loop_timer_stop(&attempt->address_timer);
	}
	attempt_close_login(attempt);
	attempt_secret_ended(attempt);
	free_attempt(attempt);
}

void attempt_succeed(struct attempt *attempt)
{
	struct server *server = attempt->server;
	struct server_opened *opened = &attempt->reply->opened;

	attempt->server = NULL;
	conn_detach(&attempt->conn);
	conn_move(&server->conn, &attempt->conn);
	server->early = attempt->in;
	attempt->in = (struct buf){ 0 };
	if (!server->early.size)
		buf_fini(&server->early);
	server->opened_us = clock_now_us();
	attempt_forget_value(attempt, server);
	if (attempt->trials)
		trials_opened(attempt->trials);
	server->trials = attempt->trials;
	/* The first of sslmode's two ways may have left an error. */
	buf_fini(&opened->error_body);
	*opened = (struct server_opened){ .server = server };
	attempt_end(attempt);
}

/* `"db1:5432" (10.0.0.7)`, or the socket's path. */
static void describe_place(const struct attempt *attempt, char *text, size_t size)
{
	const struct config_host *host = attempt->target->host;
	bool v6 = strchr(host->host, ':') != NULL;
	char address[SOCKET_ADDRESS_MAX] = "";

	if (host->host[0] == '/' || host->host[0] == '@') {
		snprintf(text, size, "on socket \"%s/.s.PGSQL.%u\"", host->host, host->port);
		return;
	}
	if (attempt->address < attempt->addresses.count)
		socket_host_text(&attempt->addresses.addresses[attempt->address], address, sizeof(address));
	bool shown = address[0] && strcmp(address, host->host) != 0;

	snprintf(text, size, "at \"%s%.200s%s:%u\"%s%s%s", v6 ? "[" : "", host->host, v6 ? "]" : "", host->port,
		shown ? " (" : "", shown ? address : "", shown ? ")" : "");
}

static void keep_error(struct attempt *attempt, const struct error *error)
{
	struct server_opened *opened = &attempt->reply->opened;
	char place[300];

	describe_place(attempt, place, sizeof(place));
	opened->error = *error;
	error_prepend(&opened->error, "connection to server %s failed", place);
	buf_fini(&opened->error_body);
}

void attempt_fail(struct attempt *attempt, const struct error *error)
{
	/* A refusal of the first way says more than why the second did not come about. */
	if (!attempt->reply->opened.from_server)
		keep_error(attempt, error);
	attempt_end(attempt);
}

void attempt_auth_failed(struct attempt *attempt, const struct error *error)
{
	keep_error(attempt, error);
	attempt->reply->opened.from_server = true;
	attempt_end(attempt);
}

/* --- What the server refuses --- */

static void keep_refusal(struct server_opened *opened, const char *body, size_t size)
{
	const char *sqlstate = wire_error_field(body, size, 'C');
	const char *text = wire_error_field(body, size, 'M');

	error_set(&opened->error, sqlstate && strlen(sqlstate) == 5 ? sqlstate : "08006", "%s",
		text ? text : "the server refused the login without saying why");
	opened->error_body.size = 0;
	buf_append(&opened->error_body, body, size);
	opened->from_server = true;
}

void attempt_refused(struct attempt *attempt, const char *body, size_t size)
{
	struct server_opened *opened = &attempt->reply->opened;

	keep_refusal(opened, body, size);
	/* invalid_authorization_specification: no line of pg_hba.conf for this kind of connection, among others. */
	if (attempt->state == ATTEMPT_AUTH && strcmp(opened->error.sqlstate, "28000") == 0 && attempt_fall_back(attempt))
		return;
	if (attempt->state == ATTEMPT_PARAMS && attempt_may_do_without_role(attempt)) {
		attempt_close_login(attempt);
		attempt_enter(attempt, ATTEMPT_DIAL);
		attempt_dial(attempt);
		return;
	}
	opened->password_refused = attempt->state == ATTEMPT_AUTH && trials_is_refusal(&opened->error);
	if (opened->password_refused && attempt_try_other_value(attempt))
		return;
	attempt_end(attempt);
}

/* --- Getting there --- */

static void resolved(const struct resolver_answer *found, void *arg)
{
	struct attempt *attempt = arg;
	struct error error;

	if (attempt->state == ATTEMPT_ABANDONED) {
		login_work_end(&attempt->work);
		free_attempt(attempt);
		return;
	}
	if (!found->count) {
		attempt_enter(attempt, ATTEMPT_DIAL);
		error_set(&error, "08001", "%s", found->error_text);
		attempt_fail(attempt, &error);
		return;
	}
	attempt->addresses = *found;
	if (attempt->target->credentials->secret) {
		attempt_begin_with_secret(attempt);
		return;
	}
	attempt_enter(attempt, ATTEMPT_DIAL);
	attempt_dial(attempt);
}

static void took_too_long(void *arg)
{
	struct attempt *attempt = arg;
	struct error error;

	error_set(&error, "08001", "server_connect_timeout expired while %s",
		attempt->state == ATTEMPT_DIAL ? dial_doing(&attempt->dial) : states[attempt->state].doing);
	attempt_fail(attempt, &error);
}

static void fail_for_want(struct attempt *attempt)
{
	struct error error;

	error_set(&error, "28000", "there is no password to log in with: secret \"%s\" has no value yet",
		attempt->target->credentials->secret);
	attempt_enter(attempt, ATTEMPT_DIAL);
	attempt_auth_failed(attempt, &error);
}

void attempt_begin(struct attempt *attempt)
{
	const struct server_target *target = attempt->target;

	if (target->credentials->missing && attempt_await_value(attempt))
		return;
	if (target->credentials->on_demand) {
		attempt_ask_token(attempt);
		return;
	}
	attempt_enter(attempt, ATTEMPT_RESOLVE);
	if (target->credentials->missing)
		fail_for_want(attempt);
	else
		resolver_lookup(attempt->work.loop, target->host->host, target->host->port, resolved, NULL, attempt);
}

static void begin(struct login_work *work)
{
	struct attempt *attempt = CONTAINER_OF(work, struct attempt, work);
	const struct server_target *target = attempt->target;

	loop_timer_init(&attempt->timer, work->loop, took_too_long, attempt);
	loop_timer_init(&attempt->address_timer, work->loop, attempt_address_timer_fired, attempt);
	attempt->started_us = clock_now_us();
	if (target->config->server_connect_timeout_ms)
		loop_timer_start(&attempt->timer, target->config->server_connect_timeout_ms);
	attempt_begin(attempt);
}

void server_open(struct server_target *target, struct loop *reply_loop, server_opened_cb *callback, void *arg)
{
	struct attempt *attempt = NEW(struct attempt);

	attempt->target = server_target_ref(target);
	attempt->reply = NEW(struct reply);
	attempt->reply->letter.deliver = deliver;
	attempt->reply->letter.drop = free_reply;
	attempt->reply->loop = loop_ref(reply_loop);
	attempt->reply->callback = callback;
	attempt->reply->arg = arg;
	dial_init(&attempt->dial);
	conn_init(&attempt->conn, -1);
	attempt->work.begin = begin;
	attempt->work.drop = drop;
	login_work_start(&attempt->work);
}
