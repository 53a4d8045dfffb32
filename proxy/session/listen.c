/* LISTEN follows the client.
 *
 * LISTEN and UNLISTEN run on whatever server connection the client has, so that tags, errors and transactions are
 * PostgreSQL's. After a transaction with one of them that connection is asked for pg_listening_channels(); the hub of the
 * pool subscribes to what is new; a marker moves the channels over (pgweir/hub.h); UNLISTEN *; and the connection is given
 * back. A client that listens and says LISTEN or UNLISTEN again first gets its channels put in force on the connection at
 * hand (listen_restore.c), so that the server's answer is once more the whole truth.
 *
 * Failure story: whatever the server or the hub refuses leaves the session with the connection it has, which delivers as
 * ever. What cannot be known is taken to be listened to: a notification too many is better than one too few. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "listen_internal.h"
#include "pgweir/mem.h"
#include "pgweir/wire.h"

void listen_hold(struct session *session)
{
	session->listen->own = true;
	session_pin(session, PIN_LISTEN);
}

/* --- What is noticed --- */

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80);
}

static bool starts_with(const char *at, const char *end, const char *word)
{
	size_t size = strlen(word);

	return (size_t)(end - at) >= size && strncasecmp(at, word, size) == 0;
}

bool listen_text_mentions(const char *text, size_t size)
{
	static const char *const words[] = { "listen", "notify" };      /* Of six letters. */
	const char *end = text + size;

	for (const char *at = text; end - at >= 6; at++) {
		if ((*at | ' ') != 'l' && (*at | ' ') != 'n')
			continue;
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (starts_with(at, end, words[i]) && (at + 6 == end || !is_word(at[6])))
				return true;
		if (at - text >= 3 && starts_with(at - 3, end, "pg_listening_channels"))
			return true;
	}
	return false;
}

void listen_note_listen(struct session *session)
{
	if (session->mode == POOL_MODE_SESSION)
		return;
	if (!session->listen) {
		session->listen = NEW(struct session_listen);
		session->listen->session = session;
		session->listen->complete = true;       /* The client has listened to nothing. */
		session->backend->interjects = true;
		hub_member_join(&session->listen->member, session->share, session->id, &listen_hub_calls);
	}
	session->listen->due = true;
	listen_hold(session);
}

void listen_note_unlisten(struct session *session)
{
	if (!session->listen)
		return;
	session->listen->due = true;
	listen_hold(session);
}

void listen_note_rollback(struct session *session)
{
	if (session->listen)
		session->listen->rolled_back = true;
}

void listen_note_discard_all(struct session *session)
{
	listen_free(session);
}

/* --- Questions of ours --- */

bool listen_asks(const struct session *session)
{
	return session->listen && session->listen->state == LISTEN_ASKING;
}

static void ask(struct session *session, struct buf *sql, uint8_t flags, enum listen_state state)
{
	session->listen->state = state;
	session->listen->answer_failed = false;
	own_query_ask(session, sql, LISTEN_REQUEST | flags);
}

static void ask_for_channels(struct session *session)
{
	struct buf sql = { 0 };

	buf_append_text(&sql, "SELECT pg_catalog.pg_listening_channels()");
	session->listen->due = session->listen->answer_has_marker = false;
	ask(session, &sql, REQUEST_READ, LISTEN_ASKING);
}

static void send_marker(struct session *session)
{
	struct buf sql = { 0 };

	hub_put_marker(&session->listen->member, &sql);
	ask(session, &sql, 0, LISTEN_MARKING);
}

static void unlisten(struct session *session)
{
	struct buf sql = { 0 };

	buf_append_text(&sql, "UNLISTEN *");
	ask(session, &sql, 0, LISTEN_LEAVING);
}

bool listen_step(struct session *session)
{
	const struct session_listen *listen = session->listen;
	bool marked = listen && listen->state == LISTEN_MARKING && !hub_member_moves(&listen->member);

	if (!listen || !listen->own || session->state != SESSION_LINKED || session->eof || session->terminated
		|| session->pass_left || session->held.size || session_needs_unnamed(session) || !backend_quiet(session->backend))
		return false;
	if (listen->due && listen_awaits_fence(listen))
		return false;
	if (listen->due && (listen->state != LISTEN_MARKING || marked))
		ask_for_channels(session);
	else if (listen->state == LISTEN_SUBSCRIBED)
		send_marker(session);
	else if (listen->state == LISTEN_SETTLED || marked)
		unlisten(session);
	else
		return false;
	return true;
}

void listen_row(struct session *session, const char *message, size_t size)
{
	struct session_listen *listen = session->listen;

	if (size < WIRE_HEADER_SIZE + 6)
		return;
	uint32_t length = wire_u32(message + WIRE_HEADER_SIZE + 2);
	const char *name = message + WIRE_HEADER_SIZE + 6;

	if (length > size - WIRE_HEADER_SIZE - 6)
		return;
	if (length == strlen(hub_marker()) && memcmp(name, hub_marker(), length) == 0)
		listen->answer_has_marker = true;
	else
		map_put(&listen->answer, name, length, listen);
}

void listen_error(struct session *session)
{
	struct session_listen *listen = session->listen;

	if (!listen)
		return;
	if (listen->state == LISTEN_ASKING || listen->state == LISTEN_MARKING || listen->state == LISTEN_LEAVING)
		listen->answer_failed = true;
	else
		listen->complete = false;
}

/* --- What the answers mean --- */

static bool put_too(const void *key, size_t size, void *value, void *arg)
{
	(void)value;
	map_put(arg, key, size, arg);
	return true;
}

/* Whether the answer says what the client listens to, or only what it has added. */
static bool answer_is_whole(const struct session_listen *listen)
{
	if (!listen->complete)
		return false;
	return !listen->doubtful || listen->answer_has_marker || !listen->rolled_back;
}

static bool stay_stuck(struct session_listen *listen)
{
	listen->state = LISTEN_STUCK;
	return false;
}

/* The connection at hand listens to nothing any more. */
static bool let_go(struct session *session)
{
	struct session_listen *listen = session->listen;

	listen->own = listen->complete = listen->doubtful = false;
	listen->state = LISTEN_SETTLED;
	session->pins &= ~PIN_BIT(PIN_LISTEN);
	session->backend->touched = session->pins || session->suspected;
	if (listen->member.channels.size == 0 && listen->queue.size == 0)
		listen_free(session);
	return false;
}

static const char *client_encoding(const struct session *session)
{
	return parameters_get(&session->backend->server->parameters, "client_encoding");
}

static bool channels_known(struct session *session)
{
	struct session_listen *listen = session->listen;
	bool empty = listen->answer.size == 0 && !listen->answer_has_marker;

	if (listen->answer_failed)
		return stay_stuck(listen);
	bool whole = answer_is_whole(listen);

	if (!whole)
		map_foreach(&listen->member.channels, put_too, &listen->answer);
	bool grows = hub_member_set(&listen->member, &listen->answer, client_encoding(session));

	map_fini(&listen->answer);
	listen->refused &= !grows;
	listen->complete = whole;
	listen->doubtful = false;
	listen_purge(listen);
	listen->fence = 0;
	if (empty)
		return let_go(session);
	if (grows || listen->member.token) {
		listen->state = LISTEN_SUBSCRIBING;
		return false;
	}
	if (hub_member_moves(&listen->member) && listen->refused)
		return stay_stuck(listen);
	if (hub_member_moves(&listen->member))
		send_marker(session);
	else
		unlisten(session);
	return true;
}

static bool marker_answered(struct session *session)
{
	struct session_listen *listen = session->listen;

	if (listen->answer_failed)
		return stay_stuck(listen);
	/* It comes ahead of ReadyForQuery; if ever it does not, listen_step() goes on when it does. */
	if (!hub_member_moves(&listen->member))
		unlisten(session);
	else if (listen->again) {
		listen->again = false;
		hub_member_renumber(&listen->member);
		send_marker(session);
	} else
		return false;
	return true;
}

static bool unlistened(struct session *session)
{
	return session->listen->answer_failed ? stay_stuck(session->listen) : let_go(session);
}

bool listen_goes_on(struct session *session)
{
	struct session_listen *listen = session->listen;

	if (!listen)
		return false;
	switch (listen->state) {
	case LISTEN_ASKING:
		return channels_known(session);
	case LISTEN_MARKING:
		return marker_answered(session);
	case LISTEN_LEAVING:
		return unlistened(session);
	default:
		return false;
	}
}

/* The hub listens to all of it. */
void listen_ready(struct hub_member *member)
{
	struct session_listen *listen = CONTAINER_OF(member, struct session_listen, member);

	if (listen->state == LISTEN_SUBSCRIBING)
		listen->state = LISTEN_SUBSCRIBED;
}

void listen_refused(struct hub_member *member)
{
	struct session_listen *listen = CONTAINER_OF(member, struct session_listen, member);

	listen->refused = true;
	if (listen->state == LISTEN_SUBSCRIBING)
		listen->state = LISTEN_STUCK;
}

/* --- Its life --- */

void listen_linked(struct session *session)
{
	session->backend->interjects = session->listen != NULL || session->report_due || session->resets;
}

void listen_free(struct session *session)
{
	struct session_listen *listen = session->listen;

	if (!listen)
		return;
	hub_member_leave(&listen->member);
	map_fini(&listen->answer);
	buf_fini(&listen->queue);
	buf_fini(&listen->said);
	mem_free(listen);
	session->listen = NULL;
}
