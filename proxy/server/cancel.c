/* Cancel requests, to servers and to other pgweir processes.
 *
 * Failure story: PostgreSQL answers a cancel request with nothing but the end of the connection, whatever came of it.
 * So whatever happens here (nobody there, no TLS, a silent server, cancel_wait_timeout) has one end: the connection is
 * closed and the callback comes. Whether the query was cancelled shows on its own connection. Only when the login
 * threads stop nobody is told. */
#include <string.h>

#include "dial.h"
#include "login_work.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/resolver.h"
#include "pgweir/server.h"

/* With cancel_wait_timeout off: the callback comes in any case. */
enum { CANCEL_LIMIT_MS = 60000 };

enum cancel_state {
	CANCEL_QUEUED,
	CANCEL_RESOLVE,                 /* To a peer only: a server's address is known. */
	CANCEL_DIAL,
	CANCEL_WAIT,                    /* Sent; the end of the connection is the answer. */
	CANCEL_ABANDONED,               /* Over; waits for the resolver, which cannot be called off. */
};

struct cancel_reply {
	struct loop_letter letter;
	struct loop *loop;
	server_cancelled_cb *callback;
	void *arg;
};

struct cancel {
	struct login_work work;
	enum cancel_state state;
	struct config *config;          /* A reference. */
	struct server_target *target;   /* A reference; NULL for a peer. */
	char *host;
	uint16_t port;
	enum dial_tls wanted;
	struct resolver_answer addresses;       /* A server's is the one that it was reached by. */
	unsigned address;                       /* The one that is dialled. */
	uint64_t until_ms;
	struct loop_timer timer;
	struct dial dial;
	struct conn conn;
	struct buf packet;
	struct cancel_reply *reply;     /* NULL once it is on its way. */
};

#define BIT(state) (1u << (state))

static const unsigned entered_from[] = {
	[CANCEL_QUEUED] = 0,
	[CANCEL_RESOLVE] = BIT(CANCEL_QUEUED),
	[CANCEL_DIAL] = BIT(CANCEL_QUEUED) | BIT(CANCEL_RESOLVE) | BIT(CANCEL_DIAL),
	[CANCEL_WAIT] = BIT(CANCEL_DIAL),
	[CANCEL_ABANDONED] = BIT(CANCEL_RESOLVE),
};

static void enter(struct cancel *cancel, enum cancel_state state)
{
	CHECK(entered_from[state] & BIT(cancel->state));
	cancel->state = state;
}

static void close_all(struct cancel *cancel)
{
	if (cancel->state != CANCEL_QUEUED)
		loop_timer_stop(&cancel->timer);
	dial_close(&cancel->dial);
	conn_close(&cancel->conn);
}

static void free_reply(struct loop_letter *letter)
{
	mem_free(CONTAINER_OF(letter, struct cancel_reply, letter));
}

static void deliver(struct loop_letter *letter)
{
	struct cancel_reply *reply = CONTAINER_OF(letter, struct cancel_reply, letter);

	reply->callback(reply->arg);
	free_reply(letter);
}

/* Posts it, or frees it where nobody is to be told. NULL is fine: it is gone already. */
static void part_with_reply(struct cancel_reply *reply, bool post)
{
	if (!reply)
		return;
	if (post) {
		loop_post_and_unref(reply->loop, &reply->letter);
		return;
	}
	loop_unref(reply->loop);
	free_reply(&reply->letter);
}

static void free_cancel(struct cancel *cancel)
{
	part_with_reply(cancel->reply, false);
	server_target_unref(&cancel->target);
	config_unref(&cancel->config);
	buf_fini_secret(&cancel->packet);
	mem_free(cancel->host);
	mem_free(cancel);
}

static void drop(struct login_work *work)
{
	struct cancel *cancel = CONTAINER_OF(work, struct cancel, work);

	close_all(cancel);
	free_cancel(cancel);
}

/* The one end. `why` is for the log. */
static void finish(struct cancel *cancel, const char *why)
{
	struct cancel_reply *reply = cancel->reply;

	log_debug("cancel request ended", LOG_TEXT("host", cancel->host), LOG_INT("port", cancel->port),
		LOG_TEXT("how", why));
	close_all(cancel);
	cancel->reply = NULL;
	if (cancel->state == CANCEL_RESOLVE) {
		enter(cancel, CANCEL_ABANDONED);
	} else {
		login_work_end(&cancel->work);
		free_cancel(cancel);
	}
	part_with_reply(reply, true);
}

static void ready(unsigned what, void *arg)
{
	struct cancel *cancel = arg;
	char ignored[64];

	if (what & LOOP_WRITE && !conn_flush(&cancel->conn)) {
		finish(cancel, "connection lost");
		return;
	}
	if (!(what & (LOOP_READ | LOOP_CLOSED)))
		return;
	/* Old servers over TLS may say goodbye first; an error would be as final. */
	if (conn_recv(&cancel->conn, ignored, sizeof(ignored)) != CONN_AGAIN)
		finish(cancel, "closed by the server");
}

/* What is left of the time is divided among the addresses that are left, or all is for the one that answers. */
static void start_timer(struct cancel *cancel, unsigned among)
{
	uint64_t now_ms = clock_now_ms();

	loop_timer_start(&cancel->timer, cancel->until_ms > now_ms ? (cancel->until_ms - now_ms) / among : 0);
}

static void dial_it(struct cancel *cancel);

/* False: there is none. */
static bool try_next_address(struct cancel *cancel)
{
	if (cancel->address + 1 >= cancel->addresses.count)
		return false;
	cancel->address++;
	dial_close(&cancel->dial);
	dial_it(cancel);
	return true;
}

static void took_too_long(void *arg)
{
	struct cancel *cancel = arg;

	if (cancel->state != CANCEL_DIAL || !try_next_address(cancel))
		finish(cancel, "timeout");
}

static void dialled(enum dial_outcome outcome, void *arg)
{
	struct cancel *cancel = arg;

	if (outcome == DIAL_UNREACHABLE && try_next_address(cancel))
		return;
	if (outcome != DIAL_CONNECTED) {
		finish(cancel, cancel->dial.error.text);
		return;
	}
	enter(cancel, CANCEL_WAIT);
	start_timer(cancel, 1);
	conn_move(&cancel->conn, &cancel->dial.conn);
	conn_attach(&cancel->conn, cancel->work.loop, ready, cancel);
	if (!conn_send(&cancel->conn, cancel->packet.bytes, cancel->packet.size))
		finish(cancel, "connection lost");
}

static void dial_it(struct cancel *cancel)
{
	struct dial *dial = &cancel->dial;

	enter(cancel, CANCEL_DIAL);
	start_timer(cancel, cancel->addresses.count - cancel->address);
	dial->loop = cancel->work.loop;
	dial->config = cancel->config;
	dial->config_tls = cancel->target ? &cancel->target->database->server_tls : NULL;
	dial->host = cancel->host;
	dial->port = cancel->port;
	dial->wanted = cancel->wanted;
	dial->callback = dialled;
	dial->arg = cancel;
	dial_start(dial, &cancel->addresses.addresses[cancel->address], cancel->addresses.sizes[cancel->address]);
}

static void resolved(const struct resolver_answer *found, void *arg)
{
	struct cancel *cancel = arg;

	if (cancel->state == CANCEL_ABANDONED) {
		login_work_end(&cancel->work);
		free_cancel(cancel);
		return;
	}
	if (!found->count) {
		enter(cancel, CANCEL_DIAL);
		finish(cancel, found->error_text);
		return;
	}
	cancel->addresses = *found;
	dial_it(cancel);
}

static void begin(struct login_work *work)
{
	struct cancel *cancel = CONTAINER_OF(work, struct cancel, work);
	uint64_t limit_ms = cancel->config->cancel_wait_timeout_ms;

	cancel->until_ms = clock_now_ms() + (limit_ms ? limit_ms : CANCEL_LIMIT_MS);
	loop_timer_init(&cancel->timer, work->loop, took_too_long, cancel);
	start_timer(cancel, 1);
	if (cancel->target && !cancel->packet.size) {
		enter(cancel, CANCEL_DIAL);
		finish(cancel, "the server gave no key");
		return;
	}
	if (cancel->target) {
		dial_it(cancel);
		return;
	}
	enter(cancel, CANCEL_RESOLVE);
	resolver_lookup(work->loop, cancel->host, cancel->port, resolved, NULL, cancel);
}

static struct cancel *new_cancel(struct config *config, const char *host, uint16_t port)
{
	struct cancel *cancel = NEW(struct cancel);

	cancel->config = config_ref(config);
	cancel->host = mem_strdup(host);
	cancel->port = port;
	dial_init(&cancel->dial);
	conn_init(&cancel->conn, -1);
	cancel->work.begin = begin;
	cancel->work.drop = drop;
	return cancel;
}

static void start(struct cancel *cancel, struct loop *reply_loop, server_cancelled_cb *callback, void *arg)
{
	cancel->reply = NEW(struct cancel_reply);
	cancel->reply->letter.deliver = deliver;
	cancel->reply->letter.drop = free_reply;
	cancel->reply->loop = loop_ref(reply_loop);
	cancel->reply->callback = callback;
	cancel->reply->arg = arg;
	login_work_start(&cancel->work);
}

void server_cancel(const struct server *server, struct loop *reply_loop, server_cancelled_cb *callback, void *arg)
{
	struct server_target *target = server->target;
	struct cancel *cancel = new_cancel(target->config, target->host->host, target->host->port);

	cancel->target = server_target_ref(target);
	cancel->addresses.count = 1;
	cancel->addresses.addresses[0] = server->address;
	cancel->addresses.sizes[0] = server->address_size;
	cancel->wanted = server->tls ? DIAL_TLS : DIAL_PLAIN;
	if (server->key_size)
		wire_put_cancel(&cancel->packet, server->pid, server->key, server->key_size);
	start(cancel, reply_loop, callback, arg);
}

void server_cancel_peer(struct config *config, const struct config_peer *peer, uint32_t pid, const void *key, size_t key_size,
	struct loop *reply_loop, server_cancelled_cb *callback, void *arg)
{
	struct cancel *cancel = new_cancel(config, peer->host, peer->port);

	wire_put_cancel(&cancel->packet, pid, key, key_size);
	start(cancel, reply_loop, callback, arg);
}
